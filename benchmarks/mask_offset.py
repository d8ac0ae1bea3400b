"""How far masks lie beside what a network marks, by class.

python -m benchmarks.mask_offset --data DIR --model coilnet-s

Outlines drawn a little to one side are learnt as they are drawn where images always lie the same way. To a
network that is taught in all turns, the sides cancel out.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer
from numpy.typing import NDArray
from pydantic import BaseModel
from rich.console import Console
from rich.progress import track

from models.data.folders import MARKED_OVER, load_samples
from models.segmenter import Segmenter

TRAINING_FOLDER = Path("sd-saliency-900/train")
CLASSES = ("In", "Pa", "Sc")
OFFSETS_PX = tuple(quarters / 4 for quarters in range(-4, 5))
"""Tried to the right and down, each with each. An offset found at their end may be larger than they are."""

Pixels = NDArray[np.uint8]


class Offset(BaseModel):
    """Where the maps of some images meet their masks best.

    Attributes:
        images: of them.
        iou: mean over the images at half saliency, of maps as they are.
        right_px, down_px: that move the maps to where it is highest, in pixels of the images: positive where
            masks lie to the right of the maps, and below them. The least move of several alike.
        iou_there: its mean there.
    """

    images: int
    iou: float
    right_px: float
    down_px: float
    iou_there: float


def offset_of(maps: Sequence[Pixels], masks: Sequence[Pixels]) -> Offset:
    """Return the one offset at which all maps together meet their masks best.

    Args:
        maps: saliency (H, W), each of its mask's size.
        masks: (H, W), marked above half.
    """
    means = {
        (right, down): float(
            np.mean([_iou(moved(one, right, down), mask) for one, mask in zip(maps, masks, strict=True)])
        )
        for right in OFFSETS_PX
        for down in OFFSETS_PX
    }
    best = max(means, key=lambda offset: (means[offset], -math.hypot(*offset)))
    return Offset(
        images=len(maps),
        iou=round(means[0, 0], 4),
        right_px=best[0],
        down_px=best[1],
        iou_there=round(means[best], 4),
    )


def moved(saliency: Pixels, right: float, down: float) -> Pixels:
    """Return a map (H, W) moved by parts of a pixel; at its rim the last pixel is repeated."""
    move = np.array([[1, 0, right], [0, 1, down]], np.float32)
    return np.asarray(
        cv2.warpAffine(saliency, move, saliency.shape[::-1], borderMode=cv2.BORDER_REPLICATE), np.uint8
    )


def _iou(saliency: Pixels, mask: Pixels) -> float:
    found, marked = saliency > MARKED_OVER, mask > MARKED_OVER
    return int(np.count_nonzero(found & marked)) / max(1, int(np.count_nonzero(found | marked)))


def main(
    data: Annotated[Path, typer.Option(envvar="COILWATCH_DATA", help="Folder of the data sets.")],
    model: Annotated[str, typer.Option(help="Shipped weights or a file.")] = "coilnet-s",
) -> None:
    """Print the offset of each class of the training images, and of all, as JSON."""
    segmenter = Segmenter.open(model)
    samples = load_samples(data / TRAINING_FOLDER)
    console = Console(stderr=True)
    maps = [segmenter.segment_image(sample.image) for sample in track(samples, "Images", console=console)]
    told = {}
    for name in (*CLASSES, ""):
        own = [index for index, sample in enumerate(samples) if sample.name.startswith(name)]
        told[name or "all"] = offset_of([maps[i] for i in own], [samples[i].mask for i in own]).model_dump()
    typer.echo(json.dumps({segmenter.version: told}, indent=2))


if __name__ == "__main__":
    typer.run(main)
