"""What an evaluation gives: figures of one image, figures of a set, and curves over thresholds.

Two readings of a map stand side by side. What is compared with the literature is of the *stretched* map, its
own minimum put to 0 and maximum to 1, as the field's tools do. `mae_raw`, `dice`, `iou` and all that is of
the boundary is of the map *as it is*, binary at 127: stretching would turn the noise of a clean image into a
find. A mask marks a defect where it is over 128, in every figure. An empty mask scores 0 in weighted F, F and
the means of Dice and IoU, as with the field's tools; in `dice`, `iou` and those of the boundary it scores 1
where the map finds nothing, for that is right.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class _Figures:
    """The figures that an image and a set have alike.

    Attributes:
        s_measure: structure measure, 0 to 1.
        weighted_f: weighted F-measure, 0 to 1.
        mae: mean absolute error, 0 to 1.
        e_mean: mean of the E-measure over 256 thresholds.
        e_max: largest E-measure over 256 thresholds.
        e_adaptive: E-measure at the adaptive threshold.
        f_mean: mean of the F-measure over 256 thresholds.
        f_max: largest F-measure over 256 thresholds.
        f_adaptive: F-measure at the adaptive threshold.
        mae_raw: mean absolute error of the map as it is.
        dice: Dice coefficient of the map as it is, over 127.
        iou: intersection over union of the map as it is, over 127.
        dice_mean: mean of the Dice coefficient over 256 thresholds.
        iou_mean: mean of the intersection over union over 256 thresholds.
        boundary_f: boundary F-measure of the map as it is, over 127, mean over 1 to 5 px.
        boundary_iou: boundary IoU of the map as it is, over 127, mean over 1 to 5 px.
        boundary_f_by_px: boundary F-measure at 1, 2, 3, 4 and 5 px.
        boundary_iou_by_px: boundary IoU at 1, 2, 3, 4 and 5 px.
    """

    s_measure: float
    weighted_f: float
    mae: float
    e_mean: float
    e_max: float
    e_adaptive: float
    f_mean: float
    f_max: float
    f_adaptive: float
    mae_raw: float
    dice: float
    iou: float
    dice_mean: float
    iou_mean: float
    boundary_f: float
    boundary_iou: float
    boundary_f_by_px: tuple[float, float, float, float, float]
    boundary_iou_by_px: tuple[float, float, float, float, float]


@dataclass(frozen=True, slots=True)
class ImageScores(_Figures):
    """The figures of one image."""


@dataclass(frozen=True, slots=True)
class SetScores(_Figures):
    """The means of a set's figures, but E- and F-measure's mean and maximum: those of the set's mean curve.

    Attributes:
        images: how many images were added.
    """

    images: int


@dataclass(frozen=True, slots=True)
class Curves:
    """Means over the images at thresholds 0..255, ascending; each is a (256,) float64 array.

    All are of stretched maps; a pixel is found where its value is at or over the threshold.

    Attributes:
        precision: share of what was found that is in the mask; 0 where nothing was found.
        recall: share of the mask that was found; 0 for an empty mask.
        f: F-measure of each image, then averaged.
        e: E-measure.
        iou: intersection over union.
        dice: Dice coefficient.
    """

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f: NDArray[np.float64]
    e: NDArray[np.float64]
    iou: NDArray[np.float64]
    dice: NDArray[np.float64]
