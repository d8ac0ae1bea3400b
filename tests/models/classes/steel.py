"""Small labelled pictures, and a classifier of random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from models.classes.images import LabelledImage
from models.classes.network import NAME, ClassNetwork
from models.classes.recipe import ClassRecipe
from models.classes.weights import ClassifierInfo
from models.weights import save_weights
from models.weights.files import weights_of

CLASSES = ("dark", "bright")
INFO = ClassifierInfo(
    network=NAME,
    width=1.0,
    version="test.1",
    data="none",
    recipe="none",
    classes=CLASSES,
    temperature=1.0,
    least_confidence=0.0,
)


def labelled(name: str, label: str, seed: int = 0) -> LabelledImage:
    """Grain with one spot, dark or bright as the label says."""
    pixels = np.random.default_rng(seed).normal(120, 5, (64, 64))
    mask = np.zeros((64, 64), np.bool_)
    mask[20:36, 24:44] = True
    pixels[mask] += -80 if label == "dark" else 80
    return LabelledImage(name, label, label, pixels.astype(np.uint8), (mask,))


def recipe_of(**settings: Any) -> ClassRecipe:
    plain: dict[str, Any] = {
        "name": "test",
        "classes": CLASSES,
        "labels": {name: {"defect_class": name} for name in CLASSES},
        "steps": 4,
        "batch": 4,
        "peak_rate": 2e-3,
        "warmup_steps": 1,
        "frozen_stages": 3,
    }
    return ClassRecipe.model_validate(plain | settings)


def write_classifier(path: Path, **changes: Any) -> ClassifierInfo:
    torch.manual_seed(3)
    network = ClassNetwork(len(changes.get("classes", CLASSES))).eval()
    # Random weights leave all logits near 0; the bias makes the first class the likeliest by far.
    with torch.no_grad():
        network.head.bias[0] = 2.0
    return save_weights(path, weights_of(network, half=True), INFO.model_copy(update=changes))
