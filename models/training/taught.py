"""Masks for steel that nobody marked: a teacher's maps, each the mean over the eight turns of its image.

Averaging over turns takes away what a network sees in one direction alone, and a student that learns from it
needs no turns in use. Maps are soft, as decided as the teacher is in use. Sources: Hinton et al., "Distilling
the Knowledge in a Neural Network" (2015); for the turns, Radosavovic et al., "Data Distillation: Towards
Omni-Supervised Learning" (CVPR 2018).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.data.folders import Sample
from models.image_files import read_grey
from models.segmenter import Segmenter
from models.weights.files import write_atomically

DIGEST_BYTES = 16

Pixels = NDArray[np.uint8]
Report = Callable[[int, int], None]
"""Told how many images are done, and of how many."""


def taught_samples(
    segmenter: Segmenter, samples: Sequence[Sample], folder: Path, report: Report | None = None
) -> list[Sample]:
    """Return the samples with the teacher's maps as masks, 0 to 255, soft.

    Args:
        segmenter: the teacher.
        samples: images; what they are marked with does not count.
        folder: where maps are kept, so that a run that was cut off need not make them again.
        report: told after each image.
    """
    kept = folder / segmenter.digest
    kept.mkdir(parents=True, exist_ok=True)
    taught: list[Sample] = []
    for sample in samples:
        taught.append(replace(sample, mask=_kept_map(segmenter, sample.image, kept)))
        if report is not None:
            report(len(taught), len(samples))
    return taught


def mean_over_turns(segmenter: Segmenter, image: Pixels) -> Pixels:
    """Return the mean (H, W) uint8 of the maps of an image (H, W) uint8 in its eight turns, turned back."""
    total = np.zeros(image.shape, np.float32)
    for quarters in range(4):
        turned = np.rot90(image, quarters)
        for flipped in (False, True):
            seen = np.ascontiguousarray(np.fliplr(turned) if flipped else turned)
            found = segmenter.segment_image(seen)
            total += np.rot90(np.fliplr(found) if flipped else found, -quarters)
    return np.rint(total / 8).astype(np.uint8)


def _kept_map(segmenter: Segmenter, image: Pixels, folder: Path) -> Pixels:
    content = hashlib.blake2b(repr(image.shape).encode(), digest_size=DIGEST_BYTES)
    content.update(image.tobytes())
    path = folder / f"{content.hexdigest()}.png"
    if path.exists():
        return read_grey(path)
    saliency = mean_over_turns(segmenter, image)
    write_atomically(path, cv2.imencode(".png", saliency)[1].tobytes())
    return saliency
