"""The worst images side by side on one HTML page that needs nothing beside itself."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup
from numpy.typing import NDArray

from models.errors import ImageFileError
from models.evaluation.pairs import load_pair
from models.evaluation.worst import WorstImage, wrong_pixels
from models.image_files import read_picture, shown
from models.metrics import SetScores
from models.metrics.pair import FOUND_OVER, MASK_OVER

MAX_SHOWN_PX = 512
"""Longest side of a picture; ten images with four of them make the page a few MB at most."""

FALSE_POSITIVE_BGR = (44, 98, 232)
FALSE_NEGATIVE_BGR = (214, 131, 47)
"""Orange and blue, which those who see no red or no green tell apart; as in the page's style."""


@dataclass(frozen=True, slots=True)
class Card:
    """One image on the page: its figures and its pictures with their captions."""

    name: str
    figures: tuple[tuple[str, str], ...]
    pictures: tuple[tuple[str, str], ...]


def worst_page(
    worst: Sequence[WorstImage],
    scores: SetScores,
    predictions: Path,
    masks: Path,
    images: Mapping[str, Sequence[Path]] | None = None,
) -> str:
    """Render image, mask, map and error picture of each image; the page loads and runs nothing.

    Args:
        worst: images, worst first.
        scores: of the whole set.
        predictions: folder of the maps, named on the page.
        masks: folder of the masks, named on the page.
        images: the images themselves by stem; one that is missing or unreadable is left out.

    Raises:
        ImageFileError: a map or mask that cannot be read any more.
    """
    return _template().render(
        cards=[_card(image, images or {}) for image in worst],
        scores=scores,
        predictions=shown(predictions),
        masks=shown(masks),
        style=Markup(_style()),  # noqa: S704 - our own file
    )


def error_picture(prediction: NDArray[np.uint8], mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Colour false positives orange, false negatives blue, what both have white, what neither has black.

    Args:
        prediction: (H, W) saliency map.
        mask: (H, W).

    Returns:
        (H, W, 3) uint8, blue first.
    """
    false_positives, false_negatives = wrong_pixels(prediction, mask)
    picture = np.zeros((*mask.shape, 3), np.uint8)
    picture[(prediction > FOUND_OVER) & (mask > MASK_OVER)] = 255
    picture[false_positives] = FALSE_POSITIVE_BGR
    picture[false_negatives] = FALSE_NEGATIVE_BGR
    return picture


def _card(worst: WorstImage, images: Mapping[str, Sequence[Path]]) -> Card:
    prediction, mask = load_pair(worst.pair)
    pictures = [("mask", mask), ("map", prediction), ("errors", error_picture(prediction, mask))]
    image = _image(images.get(worst.pair.stem, ()))
    if image is not None:
        pictures.insert(0, ("image", image))
    scores = worst.scores
    figures = (
        ("IoU", f"{scores.iou:.3f}"),
        ("Dice", f"{scores.dice:.3f}"),
        ("boundary IoU", f"{scores.boundary_iou:.3f}"),
        ("weighted F", f"{scores.weighted_f:.3f}"),
        ("S-measure", f"{scores.s_measure:.3f}"),
        ("MAE", f"{scores.mae:.3f}"),
        ("false positives", f"{worst.false_positive_px:,} px"),
        ("false negatives", f"{worst.false_negative_px:,} px"),
        ("size", f"{mask.shape[0]} x {mask.shape[1]}"),
    )
    return Card(worst.pair.name, figures, tuple((caption, _url(picture)) for caption, picture in pictures))


def _image(paths: Sequence[Path]) -> NDArray[np.uint8] | None:
    for path in paths:
        try:
            return read_picture(path)
        except ImageFileError:
            continue
    return None


def _url(picture: NDArray[Any]) -> str:
    longest = max(picture.shape[:2])
    if longest > MAX_SHOWN_PX:
        height, width = (max(1, round(side * MAX_SHOWN_PX / longest)) for side in picture.shape[:2])
        picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    png = cv2.imencode(".png", picture)[1].tobytes()
    return f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("models.evaluation", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("worst.html")


@cache
def _style() -> str:
    return resources.files("models.evaluation").joinpath("worst.css").read_text(encoding="utf-8")
