"""Errors of models.

ModelsError
├── WeightsError          a weights file that is missing, damaged, or not of its network
├── TileError             an array that is not what the segmenter takes
├── BackendError          an inference back end, device or precision that this machine does not have
├── NetworkError          a network, width or knob that there is not
├── ImageShapeError       images of a shape that the network does not take
├── ImageFileError        an image file that cannot be read, or holds another kind of pixels than expected
├── EvaluationError       maps and masks that cannot be compared
├── DatasetError          training images or masks that cannot be used
├── RecipeError           a training recipe that does not validate
└── TrainingError         a training run that cannot start, go on, or be trusted
"""

from __future__ import annotations


class ModelsError(Exception):
    """Base of all errors of models.

    Attributes:
        retriable: whether the same call may succeed later.
    """

    retriable: bool = False


class WeightsError(ModelsError):
    """A weights file that is missing, damaged, or not of its network."""


class TileError(ModelsError):
    """An array that is not what the segmenter takes."""


class BackendError(ModelsError):
    """An inference back end, device or precision that this machine does not have."""


class NetworkError(ModelsError):
    """A network, width or knob that there is not."""


class ImageShapeError(ModelsError):
    """Images of a shape that the network does not take."""


class ImageFileError(ModelsError):
    """An image file that cannot be read, or holds another kind of pixels than expected."""


class EvaluationError(ModelsError):
    """Maps and masks that cannot be compared."""


class DatasetError(ModelsError):
    """Training images or masks that cannot be used."""


class RecipeError(ModelsError):
    """A training recipe that does not validate."""


class TrainingError(ModelsError):
    """A training run that cannot start, go on, or be trusted."""
