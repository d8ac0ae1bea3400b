"""The convolutions of VGG-16, PFANet's backbone, and how ImageNet weights enter them.

Source: Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition" (ICLR
2015), table 1, column D.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn
from torchvision.models.vgg import make_layers

from models.errors import NetworkError
from models.networks.blocks import scaled

CONVOLUTIONS = (2, 2, 3, 3, 3)
WIDTHS = (64, 128, 256, 512, 512)


class VGG16(nn.Module):
    """conv1_1 to conv5_3 without normalisation; Kaiming-normal (fan out) weights, as the classifier starts.

    Args:
        width: factor on all channels.
        in_channels: of the images.
        dropout: share of the features that training drops after each block, behind its pooling.

    Attributes:
        widths: channels of C1 to C5.
    """

    def __init__(self, width: float = 1.0, *, in_channels: int = 3, dropout: float = 0.0) -> None:
        super().__init__()
        self.widths = [scaled(channels, width) for channels in WIDTHS]
        plan: list[int | str] = []
        for channels, count in zip(self.widths, CONVOLUTIONS, strict=True):
            plan += [*[channels] * count, "M"]
        self.features = make_layers(plan[:-1])
        if in_channels != 3:
            self.features[0] = nn.Conv2d(in_channels, self.widths[0], 3, padding=1)
        self.dropout = nn.Dropout(dropout)
        for module in self.features:
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(module.get_parameter("bias"))

    def forward(self, maps: Tensor) -> list[Tensor]:
        """Return C1 to C5, the features behind the last ReLU of each block, at strides 1, 2, 4, 8, 16.

        C1 to C4 are taken before pooling and dropout; C5, which no block follows, after dropout.
        """
        features: list[Tensor] = []
        for layer in self.features:
            if isinstance(layer, nn.MaxPool2d):
                features.append(maps)
                maps = self.dropout(layer(maps))
            else:
                maps = layer(maps)
        return [*features, self.dropout(maps)]


def load_imagenet(backbone: VGG16) -> None:
    """Fetch timm's ImageNet weights of VGG-16 (needs the internet once) and load the convolutions.

    Raises:
        NetworkError: a backbone of another width than 1, or no download.
    """
    if tuple(backbone.widths) != WIDTHS:
        raise NetworkError("ImageNet weights of VGG-16 fit only width 1")
    # timm takes seconds to import, and only this needs it.
    from models.networks.imagenet import timm_network  # noqa: PLC0415

    load_vgg16(backbone, timm_network("vgg16", pretrained=True).state_dict())


def load_vgg16(backbone: VGG16, weights: Mapping[str, Tensor]) -> None:
    """Load the convolutions from the state of a whole VGG-16, as timm and torchvision name it.

    For grey images the three channels of conv1_1 are folded into one, which computes the same on grey.
    """
    prefix = "features."
    features = {
        name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)
    }
    if backbone.features[0].in_channels == 1:
        features["0.weight"] = features["0.weight"].sum(dim=1, keepdim=True)
    backbone.features.load_state_dict(features)
