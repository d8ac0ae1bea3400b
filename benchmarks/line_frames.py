"""What networks find on real line-scan frames that taught none of them, marked and not.

python -m benchmarks.line_frames --data DIR --model coilnet-m --model FILE
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer
from numpy.typing import NDArray
from pydantic import BaseModel

from models.data.sources import Source
from models.image_files import read_levels, read_mask
from models.segmenter import Segmenter
from models.tiling import blend, cut
from models.training.frames import split_frames
from models.training.recipe import find_recipe, load_recipe
from workers.inspection.edges import find_strip_edges
from workers.inspection.inspector import Segmentation
from workers.inspection.regions import find_regions
from workers.inspection.settings import InspectionSettings

FRAMES = Path("severstal-frames")
RECIPE = "coilnet-line"
"""Says which frames are held out."""

Pixels = NDArray[np.uint8]


class Found(BaseModel):
    """What a network finds on some frames.

    Attributes:
        frames: of them.
        findings: all, of a frame with more its largest 200.
        touching: of those, that share a pixel with a mark.
        marks: regions that are marked.
        marks_found: of those, that share a pixel with a finding.
        found_share: of the unmarked pixels of the strip, in findings.
    """

    frames: int
    findings: int = 0
    touching: int = 0
    marks: int = 0
    marks_found: int = 0
    found_share: float = 0.0


def found_on(segmenter: Segmentation, sources: Sequence[Source]) -> Found:
    """Count what a network finds."""
    told = Found(frames=len(sources))
    found_px = unmarked_px = 0
    for source in sources:
        frame, mask = read_levels(source.image), read_mask(source.mask)
        columns = find_strip_edges(frame).columns(frame.shape[1], InspectionSettings().edge_margin_px)
        found = findings(segmenter, frame, columns)
        together = np.logical_or.reduce([np.zeros(frame.shape, bool), *found])
        count, labels = cv2.connectedComponents((mask > 0).astype(np.uint8))
        told.findings += len(found)
        told.touching += sum(bool(labels[one].any()) for one in found)
        told.marks += count - 1
        told.marks_found += len(np.unique(labels[together & (labels > 0)]))
        unmarked = labels[:, slice(*columns)] == 0
        found_px += int(np.count_nonzero(together[:, slice(*columns)] & unmarked))
        unmarked_px += int(np.count_nonzero(unmarked))
    told.found_share = round(found_px / max(1, unmarked_px), 5)
    return told


def findings(segmenter: Segmentation, frame: Pixels, columns: tuple[int, int]) -> list[NDArray[np.bool_]]:
    """Return the pixels of each finding of a frame, as the inspector finds them."""
    settings = InspectionSettings()
    if columns[0] == columns[1]:
        return []
    tiling = cut(frame, segmenter.tile_size, settings.tile_overlap_px, columns)
    saliency = blend(tiling, segmenter.segment(tiling.tiles))
    saliency[:, : columns[0]] = 0
    saliency[:, columns[1] :] = 0
    regions = find_regions(frame, saliency, settings, segmenter.peak)
    planes = []
    for region, mask in zip(regions.whole, regions.masks, strict=True):
        plane = np.zeros(frame.shape, bool)
        plane[region.top : region.top + mask.shape[0], region.left : region.left + mask.shape[1]] = mask
        planes.append(plane)
    return planes


def main(
    data: Annotated[Path, typer.Option(envvar="COILWATCH_DATA", help="Folder of the data sets.")],
    models: Annotated[list[str], typer.Option("--model", help="Shipped weights or a file.")],
) -> None:
    """Print the figures as JSON: frames that a line's recipe holds out, and those that it trains on."""
    trained, held_out = split_frames(load_recipe(find_recipe(RECIPE)), [data / FRAMES])
    told = {}
    for model in models:
        segmenter = Segmenter.open(model)
        told[segmenter.version] = {
            name: found_on(segmenter, sources).model_dump()
            for name, sources in (("held out", held_out), ("that train", trained))
        }
    typer.echo(json.dumps(told, indent=2))


if __name__ == "__main__":
    typer.run(main)
