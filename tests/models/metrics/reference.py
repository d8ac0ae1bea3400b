"""The same figures by PySODMetrics."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np
import py_sod_metrics as tool
from numpy.typing import NDArray

Image = NDArray[np.uint8]

FIGURES = (
    "s_measure", "weighted_f", "mae", "e_mean", "e_max", "e_adaptive", "f_mean", "f_max", "f_adaptive",
    "dice_mean", "iou_mean", "mae_raw",
)  # fmt: skip
"""What the tool can be asked for."""

CURVES = ("precision", "recall", "f", "e", "dice", "iou")


class Reference:
    """Every figure that the tool computes, over images."""

    def __init__(self) -> None:
        options = {"with_dynamic": True, "with_adaptive": True}
        handlers = {
            "precision": tool.PrecisionHandler(with_dynamic=True, with_adaptive=False),
            "recall": tool.RecallHandler(with_dynamic=True, with_adaptive=False),
            "f": tool.FmeasureHandler(**options, beta=0.3),
            "dice": tool.DICEHandler(**options),
            "iou": tool.IOUHandler(**options),
        }
        self._stretching: dict[str, Any] = {
            "mae": tool.MAE(),
            "sm": tool.Smeasure(),
            "wfm": tool.WeightedFmeasure(),
            "em": tool.Emeasure(),
            "v2": tool.FmeasureV2(handlers),
        }
        self._raw_mae = tool.MAE()

    def add(self, prediction: Image, mask: Image) -> None:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            # It divides by the size of quadrants that have no pixel.
            warnings.simplefilter("ignore", RuntimeWarning)
            for metric in self._stretching.values():
                metric.step(prediction, mask)
        self._raw_mae.step(prediction / 255, mask > 128, normalize=False)

    def curves(self) -> dict[str, NDArray[np.float64]]:
        """By ascending threshold."""
        overlaps = self._stretching["v2"].get_results()
        curves = {name: overlaps[name]["dynamic"] for name in CURVES if name != "e"}
        curves["e"] = self._stretching["em"].get_results()["em"]["curve"]
        return {name: curve[::-1] for name, curve in curves.items()}

    def figures(self) -> dict[str, float]:
        curves = self.curves()
        figures = {
            "s_measure": self._stretching["sm"].get_results()["sm"],
            "weighted_f": self._stretching["wfm"].get_results()["wfm"],
            "mae": self._stretching["mae"].get_results()["mae"],
            "e_mean": curves["e"].mean(),
            "e_max": curves["e"].max(),
            "e_adaptive": self._stretching["em"].get_results()["em"]["adp"],
            "f_mean": curves["f"].mean(),
            "f_max": curves["f"].max(),
            "f_adaptive": self._stretching["v2"].get_results()["f"]["adaptive"],
            "dice_mean": curves["dice"].mean(),
            "iou_mean": curves["iou"].mean(),
            "mae_raw": self._raw_mae.get_results()["mae"],
        }
        return {name: float(value) for name, value in figures.items()}


def reference_of(pairs: Iterable[tuple[Image, Image]]) -> Reference:
    reference = Reference()
    for prediction, mask in pairs:
        reference.add(prediction, mask)
    return reference
