"""OpenVINO, imported here alone, because importing it reports to its maker unless that is made impossible."""

from __future__ import annotations

import sys

# None in sys.modules makes the import of the reporting package fail; OpenVINO then uses its silent stub.
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]

from openvino import Core, InferRequest, Model, Tensor, convert_model, get_version, save_model  # noqa: E402

__all__ = ["Core", "InferRequest", "Model", "Tensor", "convert_model", "get_version", "save_model"]
