"""Where a run computes, and in which precision."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from models.errors import TrainingError

FLOAT16_LOSS_SCALE = 1024.0
"""Gradients below 6e-8 are zero in float16. A fixed power of two changes no digit, a step that it makes
overflow is left out as any other without finite gradients, and there is no growing scale to be kept."""


@dataclass(frozen=True)
class Execution:
    """How steps are computed.

    Attributes:
        device: that holds the network.
        low_precision: of convolutions and products; none is float32.
    """

    device: torch.device
    low_precision: torch.dtype | None = None

    @property
    def loss_scale(self) -> float:
        """Factor on the loss, taken off the gradients again."""
        return FLOAT16_LOSS_SCALE if self.low_precision == torch.float16 else 1.0

    @property
    def on_gpu(self) -> bool:
        """Whether batches have to be brought to the device."""
        return self.device.type == "cuda"


def execution(device: str, *, low_precision: bool) -> Execution:
    """Return how steps are computed on a device.

    Args:
        device: "auto" for a GPU where there is one, "cpu", "cuda", or "cuda:1".
        low_precision: bfloat16 where it is safe; float16 on a GPU without it.

    Raises:
        TrainingError: no such device.
    """
    chosen = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    kind, _, number = chosen.partition(":")
    if kind not in {"cpu", "cuda"} or (number and not number.isdecimal()):
        raise TrainingError(f"no device {device}: expected auto, cpu, cuda, or cuda and a number as cuda:1")
    if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
        raise TrainingError(f"no device {device}: PyTorch finds {torch.cuda.device_count()} GPUs")
    if not low_precision:
        return Execution(torch.device(chosen))
    bfloat16 = kind == "cpu" or torch.cuda.is_bf16_supported(including_emulation=False)
    return Execution(torch.device(chosen), torch.bfloat16 if bfloat16 else torch.float16)
