"""Weights files: safetensors with a metadata block that is checked on load, and those that are shipped."""

from models.weights.files import WeightsInfo, save_weights
from models.weights.registry import available, load, load_grey, locate

__all__ = ["WeightsInfo", "available", "load", "load_grey", "locate", "save_weights"]
