"""Augmentation as the papers name it: one small class a step, composed by a list that a recipe holds."""

from models.data.steps.composition import PUBLISHED_STEPS, AugmentationStep, compose
from models.data.steps.crops import EdgeCrop, RandomCrop, ShareCrop
from models.data.steps.light import ContrastBrightness, GaussianBlur
from models.data.steps.noise import NOISE_PROTOCOLS, GaussianNoise, Noise, SaltAndPepper
from models.data.steps.sizes import PadToSquare, Resize
from models.data.steps.step import Step, TrainingPair
from models.data.steps.turns import EitherFlip, HorizontalFlip, Rotation, VerticalFlip

__all__ = [
    "NOISE_PROTOCOLS",
    "PUBLISHED_STEPS",
    "AugmentationStep",
    "ContrastBrightness",
    "EdgeCrop",
    "EitherFlip",
    "GaussianBlur",
    "GaussianNoise",
    "HorizontalFlip",
    "Noise",
    "PadToSquare",
    "RandomCrop",
    "Resize",
    "Rotation",
    "SaltAndPepper",
    "ShareCrop",
    "Step",
    "TrainingPair",
    "VerticalFlip",
    "compose",
]
