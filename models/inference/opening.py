"""Opens weights on the back end that suits the device."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch

from models.errors import BackendError
from models.inference.backend import Backend, Precision
from models.inference.compiled_graph import has_native_bfloat16
from models.inference.openvino_backend import OpenvinoBackend
from models.inference.torch_backend import TorchBackend, open_device
from models.weights import WeightsInfo, load_grey

BackendChoice = Literal["auto", "torch", "openvino"]
PrecisionChoice = Literal["auto", "fp32", "bf16"]

AMPERE = (8, 0)
"""Compute capability of the first GPUs that have bfloat16."""


def open_backend(
    model: str | Path,
    *,
    backend: BackendChoice = "auto",
    device: str = "auto",
    precision: PrecisionChoice = "auto",
    threads: int = 1,
) -> tuple[Backend, WeightsInfo]:
    """Load weights and make them ready to run.

    Args:
        model: a shipped name, or the path of a weights file.
        backend: `auto` takes torch on CUDA and OpenVINO on a CPU.
        device: `cpu`, `cuda`, `cuda:N`, or `auto` for what suits the back end.
        precision: `auto` takes bf16 where the GPU, or the CPU in OpenVINO, has it natively: its maps are a
            few grey levels of 255 off those of fp32. Else it takes fp32, which leaves a GPU that has TF32
            free to round what goes into convolutions to it, as PyTorch does by default.
        threads: CPU threads of one call; more calls at once keep more cores busy than more threads do.

    Raises:
        WeightsError: no such weights, or not what they should be.
        BackendError: this machine does not have the back end's device or precision.
    """
    if threads < 1:
        raise BackendError(f"threads: expected at least 1, got {threads}")
    network, info = load_grey(model)
    chosen_device = suiting_device(backend) if device == "auto" else device
    on_cpu = chosen_device == "cpu"
    if backend == "torch" or (backend == "auto" and not on_cpu):
        chosen = _choose_precision(
            precision, gains_from_bfloat16=_gpu_has_bfloat16(open_device(chosen_device))
        )
        return TorchBackend(network, chosen_device, chosen, threads), info
    if not on_cpu:
        raise BackendError(f"back end openvino runs on the cpu, not on {chosen_device}")
    chosen = _choose_precision(precision, gains_from_bfloat16=has_native_bfloat16())
    return OpenvinoBackend(network, info.digest, chosen, threads), info


def suiting_device(backend: BackendChoice, turn: int = 0) -> str:
    """Return the device that suits a back end: CUDA where there is a GPU that it can use.

    Args:
        backend: as of `open_backend`.
        turn: of several processes on one machine, counted from 0: each takes the next GPU, round and round.
    """
    if backend == "openvino" or not torch.cuda.is_available():
        return "cpu"
    return f"cuda:{turn % torch.cuda.device_count()}"


def _gpu_has_bfloat16(device: torch.device) -> bool:
    # GPUs before Ampere emulate it, at a loss.
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= AMPERE


def _choose_precision(precision: PrecisionChoice, *, gains_from_bfloat16: bool) -> Precision:
    if precision != "auto":
        return precision
    return "bf16" if gains_from_bfloat16 else "fp32"
