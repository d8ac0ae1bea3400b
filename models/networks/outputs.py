"""What every network is called with and gives back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

from torch import Tensor, nn

from models.errors import ImageShapeError


class SaliencyProbabilities(NamedTuple):
    """Saliency as probabilities, 0 to 1.

    Attributes:
        final: (N, 1, H, W), the network's answer.
        sides: supervised maps of the same shape, in the order of the network's docstring.
    """

    final: Tensor
    sides: tuple[Tensor, ...] = ()


class SaliencyOutputs(NamedTuple):
    """Saliency as logits, each map of the size of the image.

    Attributes:
        final: (N, 1, H, W), the network's answer.
        sides: supervised maps of the same shape, in the order of the network's docstring.
    """

    final: Tensor
    sides: tuple[Tensor, ...] = ()

    @property
    def maps(self) -> tuple[Tensor, ...]:
        """All supervised maps, the final one first."""
        return self.final, *self.sides

    def probabilities(self) -> SaliencyProbabilities:
        """The sigmoid of every map."""
        return SaliencyProbabilities(self.final.sigmoid(), tuple(side.sigmoid() for side in self.sides))


class SaliencyNetwork(nn.Module, ABC):
    """A network from normalised images to saliency.

    Attributes:
        size_multiple: height and width of the images must be multiples of this.
        input_weight: name of the one weight that meets the image's channels, shape (out, channels, ...).
        in_channels: channels of the images.
    """

    size_multiple: int
    input_weight: ClassVar[str]

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.in_channels = in_channels

    def forward(self, images: Tensor) -> SaliencyOutputs:
        """Return saliency logits.

        Args:
            images: (N, C, H, W) float, normalised; H and W multiples of `size_multiple`.

        Raises:
            ImageShapeError: another number of channels, or a side that is no such multiple.
        """
        self._check(images)
        return self.saliency(images)

    @abstractmethod
    def saliency(self, images: Tensor) -> SaliencyOutputs:
        """What `forward` returns, for images whose shape is good."""

    def _check(self, images: Tensor) -> None:
        multiple = self.size_multiple
        good = images.ndim == 4 and images.shape[1] == self.in_channels
        if not good or images.shape[2] % multiple or images.shape[3] % multiple:
            raise ImageShapeError(
                f"expected images (N, {self.in_channels}, H, W) with H and W multiples of {multiple}, "
                f"got {tuple(images.shape)}"
            )
