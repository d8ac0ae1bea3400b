"""Augmentation as the papers name it: one small class a step, composed by a list that a recipe holds."""

from models.data.steps.clean import CleanMirror
from models.data.steps.composition import PUBLISHED_STEPS, AugmentationStep, compose
from models.data.steps.crops import EdgeCrop, RandomCrop, ShareCrop, ZoomCrop
from models.data.steps.light import ContrastBrightness, GaussianBlur, LightGradient
from models.data.steps.noise import NOISE_PROTOCOLS, GaussianNoise, Noise, SaltAndPepper, SomeNoise
from models.data.steps.shape import CopyPaste, Elastic
from models.data.steps.sizes import PadToSquare, Resize
from models.data.steps.step import Step, TrainingPair, TurningStep
from models.data.steps.turns import EitherFlip, HorizontalFlip, QuarterTurn, Rotation, VerticalFlip

__all__ = [
    "NOISE_PROTOCOLS",
    "PUBLISHED_STEPS",
    "AugmentationStep",
    "CleanMirror",
    "ContrastBrightness",
    "CopyPaste",
    "EdgeCrop",
    "EitherFlip",
    "Elastic",
    "GaussianBlur",
    "GaussianNoise",
    "HorizontalFlip",
    "LightGradient",
    "Noise",
    "PadToSquare",
    "QuarterTurn",
    "RandomCrop",
    "Resize",
    "Rotation",
    "SaltAndPepper",
    "ShareCrop",
    "SomeNoise",
    "Step",
    "TrainingPair",
    "TurningStep",
    "VerticalFlip",
    "ZoomCrop",
    "compose",
]
