"""The papers' ways from grey levels to network input, by the names that a recipe uses.

Inspection knows one, `models.networks.normalisation`, which is "steel" here: weights that are to run on the
line are trained with that one. The others are for comparison with the papers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from models.errors import RecipeError
from models.networks.normalisation import MEAN, STANDARD_DEVIATION

Channels = tuple[float, float, float]

LEAST_MAXIMUM = 1.0
"""Grey levels: an image that is black all over stays black instead of 0/0."""


@dataclass(frozen=True)
class Normalisation:
    """Levels to the range 0 to 1, less a mean, over a standard deviation.

    Attributes:
        mean: of each channel, in that range.
        deviation: of each channel.
        own_maximum: whether the range ends at the image's own maximum instead of 255, which stretches dark
            tiles.
    """

    mean: Channels
    deviation: Channels
    own_maximum: bool = False

    def __call__(self, pixels: Tensor, channels: int = 3) -> Tensor:
        """Return network input for grey images.

        Args:
            pixels: (N, H, W), 0 to 255, uint8 or float.
            channels: that the network takes: 3, or 1 where all three are treated alike.

        Returns:
            (N, channels, H, W) float32.

        Raises:
            RecipeError: one channel, and constants that differ between channels.
        """
        if channels == 1 and len({*self.mean}) + len({*self.deviation}) > 2:
            raise RecipeError("a network of one channel needs a normalisation that treats channels alike")
        levels = pixels.to(torch.float32).unsqueeze(1)
        full = levels.amax(dim=(2, 3), keepdim=True).clamp_min(LEAST_MAXIMUM) if self.own_maximum else 255.0
        mean, deviation = (
            torch.tensor(constants[:channels], device=pixels.device).view(1, -1, 1, 1)
            for constants in (self.mean, self.deviation)
        )
        return (levels / full - mean) / deviation


def _levels(*constants: float) -> Channels:
    red, green, blue = constants
    return red / 255, green / 255, blue / 255


_STEEL = Normalisation((MEAN,) * 3, (STANDARD_DEVIATION,) * 3)
_IMAGENET = Normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))

NORMALISATIONS = {
    "steel": _STEEL,
    "steel-own-maximum": replace(_STEEL, own_maximum=True),
    "imagenet": _IMAGENET,
    "imagenet-own-maximum": replace(_IMAGENET, own_maximum=True),
    "pfanet": Normalisation(mean=_levels(103.939, 116.779, 123.68), deviation=_levels(1, 1, 1)),
    "scfnet": Normalisation(mean=_levels(124.55, 118.90, 102.94), deviation=_levels(56.77, 55.97, 57.50)),
}
"""By name. EDRNet trains with "steel-own-maximum", CAT-EDNet, whose text names no maximum, with
"steel", BASNet and U2-Net with "imagenet-own-maximum", CSNet with "imagenet". PFANet's means stand as in its
code, which subtracts those of blue from red and of red from blue; without a deviation they suit Keras'
weights of VGG-16, and timm's take "imagenet".
"""


def normalisation(name: str) -> Normalisation:
    """Return a normalisation by name.

    Raises:
        RecipeError: there is none of that name.
    """
    try:
        return NORMALISATIONS[name]
    except KeyError:
        raise RecipeError(f"no normalisation {name}: expected one of {', '.join(NORMALISATIONS)}") from None
