"""The settings of inspection that can change a result."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from ingest.records import bytes_digest
from workers.inspection.records import MOST_FINDINGS, MOST_OUTLINE_POINTS

ALGORITHM = 6
"""Revision of edges, tiling and components. Counted up when they change a result, so caches forget."""


class InspectionSettings(BaseModel):
    """Everything but the network that decides what a frame's result is.

    A cached result counts only for the settings that it was made with.

    Attributes:
        tile_overlap_px: how far neighbouring tiles overlap at least; there their maps are blended. More
            where defects show a seam at the borders of tiles; it costs tiles.
        threshold: saliency from which a pixel belongs to a defect, of 255: it decides where outlines run.
            Lower makes defects larger and closes gaps in faint ones, higher makes them smaller.
        peak: saliency that the most salient pixel of a defect reaches, of 255; fainter ones are texture.
            Lower where faint defects are missed, higher where texture is reported. None takes what suits the
            weights: sharper maps come nearer to 255.
        min_area_px: components below this many pixels are noise. Higher where specks are reported that
            nobody minds, lower where pinholes are missed; a pixel covers `mm_per_row` by `mm_per_column` of
            the camera.
        max_regions: findings of a frame kept whole, the largest; of the rest only count and area are kept.
        max_outline_points: corners of an outline at most. More follow ragged defects closer, and make
            records and reports larger.
        max_thumbnail_bytes: bytes of a thumbnail's JPEG at most.
        thumbnail_margin_px: strip shown around a defect in its picture.
        edge_margin_px: columns inside a strip edge where saliency is ignored; the edge itself is no defect.
            More where a rough edge is reported, less where cracks at the edge are missed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    tile_overlap_px: Annotated[int, Field(ge=0, le=128)] = 32
    threshold: Annotated[int, Field(ge=1, le=255)] = 128
    peak: Annotated[int, Field(ge=1, le=255)] | None = None
    min_area_px: Annotated[int, Field(ge=1)] = 24
    max_regions: Annotated[int, Field(ge=1, le=MOST_FINDINGS)] = 200
    max_outline_points: Annotated[int, Field(ge=4, le=MOST_OUTLINE_POINTS)] = 48
    max_thumbnail_bytes: Annotated[int, Field(ge=1024, le=4096)] = 4096
    thumbnail_margin_px: Annotated[int, Field(ge=0, le=256)] = 16
    edge_margin_px: Annotated[int, Field(ge=0, le=64)] = 4

    def digest_with(self, model_digest: str) -> str:
        """Digest of these settings together with a model's, 32 hexadecimal digits."""
        text = f"{ALGORITHM}/{model_digest}/{self.model_dump_json()}"
        return bytes_digest(text.encode())
