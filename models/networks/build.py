"""Networks by name: every published one, and how to build it at another width or with other knobs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from types import MappingProxyType
from typing import cast

from models.errors import NetworkError
from models.networks.outputs import SaliencyNetwork


@dataclass(frozen=True)
class NetworkSpec:
    """A published network.

    Attributes:
        name: as `build` takes it.
        maker: `module:attribute` below `models.networks`; loaded when needed, since the libraries of
            backbones take seconds to import.
        paper: authors, title, venue.
        native_size: side in pixels of the square images that the paper tests with.
        knobs: what makes this one of its family.
    """

    name: str
    maker: str
    paper: str
    native_size: int
    knobs: Mapping[str, object] = field(default_factory=dict)


_EDRNET = (
    "Song et al., EDRNet: Encoder-Decoder Residual Network for Salient Object Detection of Strip Steel "
    "Surface Defects, IEEE TIM 2020"
)
_CAT_EDNET = (
    "Luo et al., CAT-EDNet: Cross-Attention Transformer-Based Encoder-Decoder Network for Salient Defect "
    "Detection of Strip Steel Surface, IEEE TIM 2022"
)
_BASNET = "Qin et al., BASNet: Boundary-Aware Salient Object Detection, CVPR 2019"
_U2NET = (
    "Qin et al., U2-Net: Going Deeper with Nested U-Structure for Salient Object Detection, Pattern "
    "Recognition 2020"
)
_PFANET = "Zhao and Wu, Pyramid Feature Attention Network for Saliency Detection, CVPR 2019"
_SCFNET = (
    "Zhang et al., KD-SCFNet: Towards More Accurate and Efficient Salient Object Detection via Knowledge "
    "Distillation, arXiv 2022"
)
_CSNET = "Gao et al., Highly Efficient Salient Object Detection with 100K Parameters, ECCV 2020"
_COILNET = "Coilwatch's own: EfficientNet-Lite0 below a narrow top-down decoder and a residual refinement"
_COILGATE = "Coilwatch's own: three stages of EfficientNet-Lite0 and three dilated convolutions"

NETWORKS: Mapping[str, NetworkSpec] = MappingProxyType(
    {
        spec.name: spec
        for spec in (
            NetworkSpec("edrnet", "edrnet:EDRNet", _EDRNET, 256),
            NetworkSpec("edrnet-no-cbam", "edrnet:EDRNet", _EDRNET, 256, {"cbam": False}),
            NetworkSpec("cat-ednet", "cat_ednet:CATEDNet", _CAT_EDNET, 256),
            NetworkSpec("cat-ednet-n5l2", "cat_ednet:CATEDNet", _CAT_EDNET, 256, {"layers": 2}),
            NetworkSpec("basnet", "basnet:BASNet", _BASNET, 256),
            NetworkSpec("u2net", "u2net:U2Net", _U2NET, 320),
            NetworkSpec("u2netp", "u2net:U2NetP", _U2NET, 320),
            NetworkSpec("pfanet", "pfanet:PFANet", _PFANET, 256),
            NetworkSpec("scfnet", "scfnet:SCFNet", _SCFNET, 352),
            NetworkSpec("scfnet-resnet50", "scfnet:SCFNet", _SCFNET, 352, {"backbone": "resnet50"}),
            NetworkSpec("scfnet-lite0", "scfnet:SCFNet", _SCFNET, 352, {"backbone": "efficientnet_lite0"}),
            *(
                NetworkSpec(f"csnet-x{factor:g}", "csnet:CSNet", _CSNET, 224, {"base_width": 20 * factor})
                for factor in (1, 1.2, 1.5, 1.8, 2)
            ),
            NetworkSpec("csnet-l-x1", "csnet:CSNet", _CSNET, 224, {"preset": "l-x1"}),
            NetworkSpec("csnet-l-x2", "csnet:CSNet", _CSNET, 224, {"preset": "l-x2"}),
            NetworkSpec("coilnet-m", "coilnet:CoilNet", _COILNET, 256),
            NetworkSpec("coilnet-s", "coilnet:CoilNet", _COILNET, 256, {"channels": 32, "refinement": False}),
            NetworkSpec("coilgate", "coilgate:CoilGate", _COILGATE, 256),
        )
    }
)


def build(name: str, *, width: float = 1.0, **knobs: object) -> SaliencyNetwork:
    """Build a network with random weights, or with a pretrained backbone where `pretrained=True` is a knob.

    Args:
        name: one of `NETWORKS`.
        width: factor on the channels of every layer; 1 is as published.
        knobs: of the network's class, over those of its `NetworkSpec`. Every network has `in_channels`: 3, or
            1 for grey that is not replicated.

    Raises:
        NetworkError: no such network, no such knob or value of one, or a width that leaves no channels.
    """
    spec = NETWORKS.get(name)
    if spec is None:
        raise NetworkError(f"no network {name}: expected one of {', '.join(NETWORKS)}")
    if not (width > 0 and math.isfinite(width)):
        raise NetworkError(f"network {name}: expected a width above 0, got {width:g}")
    if knobs.get("in_channels", 3) not in {1, 3}:
        raise NetworkError(f"network {name}: expected 1 or 3 input channels, got {knobs['in_channels']}")
    module, _, attribute = spec.maker.partition(":")
    maker = cast(
        "Callable[..., SaliencyNetwork]", getattr(import_module(f"models.networks.{module}"), attribute)
    )
    try:
        return maker(width, **{**spec.knobs, **knobs})
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise NetworkError(f"network {name}: {error}") from error
