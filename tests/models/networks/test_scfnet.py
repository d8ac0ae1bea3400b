import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.errors import NetworkError
from models.networks.blocks import ConvBnRelu
from models.networks.build import build
from models.networks.cost import parameters_of
from models.networks.scfnet import SCFM, SCFNet


def cbr(layer: ConvBnRelu, maps: Tensor, dilation: int = 1) -> Tensor:
    conv, norm = layer[0], layer[1]
    maps = functional.conv2d(maps, conv.weight, conv.bias, padding=dilation, dilation=dilation)
    maps = functional.batch_norm(maps, norm.running_mean, norm.running_var, norm.weight, norm.bias)
    return maps.relu()


def enlarged(maps: Tensor, reference: Tensor) -> Tensor:
    return functional.interpolate(maps, reference.shape[2:], mode="bilinear", align_corners=False)


def fused(module: SCFM, shallow: Tensor, deep: Tensor, deepest: Tensor) -> Tensor:
    a = cbr(module.deep, deep + deep * enlarged(deepest, deep))
    b = cbr(module.shallow, shallow + shallow * enlarged(deep, shallow))
    return cbr(module.fuse, b + enlarged(a, b))


@pytest.fixture
def student() -> SCFNet:
    torch.manual_seed(6)
    return SCFNet().eval()


def test_scfm_is_its_formula() -> None:
    torch.manual_seed(1)
    module = SCFM(8).eval()
    shallow, deep, deepest = (torch.randn(2, 8, size, size + 4) for size in (16, 8, 4))
    expected = fused(module, shallow, deep, deepest)
    torch.testing.assert_close(module(shallow, deep, deepest), expected)
    assert not torch.allclose(module(shallow, deep, deepest * 2), expected)


def test_parts_have_the_published_sizes(student: SCFNet) -> None:
    assert parameters_of(student.backbone) == 738_662
    assert [parameters_of(fusion) for fusion in student.fusions] == [7_056] * 3
    statistics = sum(value.numel() for name, value in student.named_buffers() if "running" in name)
    assert parameters_of(student) + statistics == 800_154


def test_the_teacher_has_the_published_size_with_its_statistics() -> None:
    with torch.device("meta"):
        teacher = SCFNet(backbone="resnet50")
    statistics = sum(value.numel() for name, value in teacher.named_buffers() if "running" in name)
    assert parameters_of(teacher) + statistics == 26_148_420


def test_the_maps_are_fused_from_deep_to_shallow(student: SCFNet) -> None:
    images = 0.1 * torch.randn(1, 3, 64, 96)
    with torch.inference_mode():
        outputs = student(images)
        taps = student.backbone(images)
        f2, f3, f4, f5 = (cbr(layer, tap) for layer, tap in zip(student.reduce, taps, strict=True))
        f5 = cbr(student.dilate, f5, dilation=5)
        fuse2, fuse3, fuse4 = student.fusions
        s4 = fused(fuse4, f4, f5, f5)
        s3 = fused(fuse3, f3, s4, f5)
        s2 = fused(fuse2, f2, s3, f5)
        for found, maps, head in zip(outputs.maps, (s2, s3, s4, f5), student.heads, strict=True):
            expected = enlarged(functional.conv2d(maps, head.weight, head.bias, padding=1), images)
            torch.testing.assert_close(found, expected)


def test_convolutions_start_kaiming_normal_with_zero_bias() -> None:
    torch.manual_seed(7)
    network = SCFNet(channels=64)
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and module.bias is not None:
            assert not module.bias.any()
    weight = network.dilate[0].weight
    assert weight.detach().std().item() == pytest.approx((2 / (64 * 9)) ** 0.5, rel=0.05)


@pytest.mark.parametrize(
    ("backbone", "channels"), [("mobilenetv3", 16), ("resnet50", 64), ("efficientnet_lite0", 48)]
)
def test_each_backbone_has_its_fusion_width(backbone: str, channels: int) -> None:
    with torch.device("meta"):
        network = SCFNet(backbone=backbone)  # type: ignore[arg-type]
        wider = SCFNet(backbone=backbone, channels=24)  # type: ignore[arg-type]
    assert network.dilate[0].out_channels == channels
    assert wider.dilate[0].out_channels == 24


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"backbone": "vgg"}, "no backbone vgg: expected one of mobilenetv3, resnet50, efficientnet_lite0"),
        ({"pretrained": True}, "no ImageNet weights for mobilenetv3"),
    ],
)
def test_backbones_that_there_are_not_are_refused(knobs: dict[str, object], message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        build("scfnet", **knobs)  # type: ignore[arg-type]
