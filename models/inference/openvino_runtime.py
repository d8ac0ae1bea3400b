"""OpenVINO, imported here alone, because importing it reports to its maker unless that is made impossible."""

from __future__ import annotations

import sys
from functools import cache

from models.inference.signal_stack import kept_signal_stack

# None in sys.modules makes the import of the reporting package fail; OpenVINO then uses its silent stub.
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]

from openvino import Core, InferRequest, Model, Tensor, convert_model, get_version, save_model  # noqa: E402

__all__ = [
    "Core",
    "InferRequest",
    "Model",
    "Tensor",
    "convert_model",
    "get_version",
    "save_model",
    "the_core",
]


@cache
def the_core() -> Core:
    """The one core of this process, its plugin for the processor loaded.

    That plugin gives the thread that loads it a small signal stack, which is taken away from it here: once,
    since a plugin stays as long as its core.
    """
    made = Core()
    with kept_signal_stack():
        made.get_property("CPU", "FULL_DEVICE_NAME")
    return made
