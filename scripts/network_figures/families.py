"""The parts of every published network, by the names that its paper gives them."""

from __future__ import annotations

from scripts.network_figures.parts import TIMES, Figure, Part


def _heads(path: str, count: int) -> tuple[Part, ...]:
    return tuple(Part("side map", "side", (f"{path}.{place}",)) for place in range(count))


def _edrnet_parts(*, transformer: bool) -> tuple[Part, ...]:
    attention = (Part("CAT", "attention", ("transformer",)),) if transformer else ()
    caption = "CARM" if transformer else "RRS_1D"
    up = "CA, up" if transformer else "up"
    return (
        Part("stem", "encoder", ("encoder.stem",)),
        *(Part(f"layer{n + 1}", "encoder", (f"encoder.layers.{n}",)) for n in range(4)),
        *attention,
        Part("bridge", "context", ("bridge",)),
        *(
            Part("CWB\n2 RDB", "decoder", (f"decoder.weighted.{level}", f"decoder.residual.{level}"))
            for level in range(5)
        ),
        *_heads("decoder.sides", 6),
        *(
            Part(
                f"down {k + 1}",
                "refinement",
                (f"refinement.down_columns.{k}", f"refinement.down_rows.{k}"),
                caption,
            )
            for k in range(4)
        ),
        Part("bridge", "refinement", ("refinement.bridge",), caption),
        *(
            Part(
                f"{up} {k + 1}",
                "refinement",
                (f"refinement.up_columns.{k}", f"refinement.attend.{k}", f"refinement.up_rows.{k}"),
                caption,
            )
            for k in range(4)
        ),
        Part("predict", "refinement", ("refinement.predict",), caption),
    )


def _basnet_parts() -> tuple[Part, ...]:
    return (
        Part("stem", "encoder", ("stem",)),
        *(Part(f"layer{n + 1}", "encoder", (f"encoder.{n}",)) for n in range(4)),
        *(Part(f"stage {n + 1}", "encoder", (f"encoder.{n}",)) for n in (4, 5)),
        Part("bridge", "context", ("bridge",)),
        *(Part(f"decoder {6 - n}", "decoder", (f"decoder.{n}",)) for n in range(6)),
        *_heads("sides", 7),
        Part("entry", "refinement", ("refine.entry",), "RefUnet"),
        *(Part(f"down {n + 1}", "refinement", (f"refine.encoder.{n}",), "RefUnet") for n in range(4)),
        Part("bottom", "refinement", ("refine.bottom",), "RefUnet"),
        *(Part(f"up {4 - n}", "refinement", (f"refine.decoder.{n}",), "RefUnet") for n in range(4)),
        Part("residual", "refinement", ("refine.residual",), "RefUnet"),
    )


def _u2net_parts() -> tuple[Part, ...]:
    names = ("RSU-7", "RSU-6", "RSU-5", "RSU-4", "RSU-4F", "RSU-4F")
    return (
        *(Part(name, "encoder", (f"encoder.{n}",)) for n, name in enumerate(names)),
        *(Part(name, "decoder", (f"decoder.{n}",)) for n, name in enumerate(reversed(names[:5]))),
        *_heads("sides", 6),
        Part("fuse", "head", ("fuse",)),
    )


def _pfanet_parts() -> tuple[Part, ...]:
    # make_layers: a convolution and its ReLU are two entries, a pooling is one.
    convolutions = {1: (0, 2), 2: (5, 7), 3: (10, 12, 14), 4: (17, 19, 21), 5: (24, 26, 28)}
    return (
        *(
            Part(
                f"conv{block}",
                "encoder",
                tuple(f"backbone.features.{place + n}" for place in places for n in (0, 1)),
            )
            for block, places in convolutions.items()
        ),
        *(Part("CPFE", "context", (f"cpfe.{n}",)) for n in range(3)),
        Part("channel\nattention", "attention", ("channel_attention",)),
        Part(f"conv 1{TIMES}1", "decoder", ("fuse_high",)),
        Part("spatial\nattention", "attention", ("spatial_attention",)),
        Part(f"conv 3{TIMES}3", "decoder", ("low1",)),
        Part(f"conv 3{TIMES}3", "decoder", ("low2",)),
        Part(f"conv 3{TIMES}3", "decoder", ("fuse_low",)),
        Part("head", "head", ("head",)),
    )


def _scfnet_parts(backbone: tuple[Part, ...]) -> tuple[Part, ...]:
    return (
        *backbone,
        *(Part("cbr", "context", (f"reduce.{n}",)) for n in range(4)),
        Part("cbr\ndilation 5", "context", ("dilate",)),
        *(Part("SCFM", "decoder", (f"fusions.{n}",)) for n in range(3)),
        *_heads("heads", 4),
    )


def _mobilenet_parts() -> tuple[Part, ...]:
    stages = ((1, 3), (4, 6), (7, 12), (13, 15))
    return (
        Part("stem", "encoder", ("backbone.conv_stem", "backbone.stem")),
        *(
            Part(
                f"blocks {first}-{last}",
                "encoder",
                tuple(f"backbone.blocks.{n}" for n in range(first - 1, last)),
            )
            for first, last in stages
        ),
    )


def _resnet50_parts() -> tuple[Part, ...]:
    return (
        Part("stem", "encoder", ("backbone.conv_stem", "backbone.stem")),
        *(Part(f"layer{n + 1}", "encoder", (f"backbone.layers.{n}",)) for n in range(4)),
    )


def _csnet_parts() -> tuple[Part, ...]:
    blocks = (1, 3, 4, 6, 4)
    return (
        *(
            Part("ILB", "encoder", (f"stages.{stage}.{block}",), caption=f"stage {stage}", slim=True)
            for stage, count in enumerate(blocks)
            for block in range(count)
        ),
        Part(f"gOct\n1{TIMES}1", "decoder", ("head.fuse.0",), caption="CSF head", slim=True),
        Part("dilated\n1…16", "context", ("head.fuse.1",), caption="CSF head", slim=True),
        Part(f"gOct\n1{TIMES}1", "decoder", ("head.fuse.2",), caption="CSF head", slim=True),
        Part(f"1{TIMES}1", "head", ("head.classify",), slim=True),
    )


def _coilnet_parts() -> tuple[Part, ...]:
    stages = ((0,), (1,), (2,), (3, 4), (5, 6))
    stem = ("backbone.conv_stem", "backbone.bn1")
    return (
        *(
            Part(
                f"stage {stage[0] + 1}" if len(stage) == 1 else f"stages {stage[0] + 1}, {stage[1] + 1}",
                "encoder",
                (*(stem if stage == (0,) else ()), *(f"backbone.blocks.{n}" for n in stage)),
                "EfficientNet-Lite0",
            )
            for stage in stages
        ),
        Part("context", "context", ("context",)),
        *(Part("top-down", "decoder", (f"stages.{n}",)) for n in range(4)),
        *_heads("sides", 5),
        Part("residual", "refinement", ("refinement",)),
    )


def _coilgate_parts() -> tuple[Part, ...]:
    stem = ("backbone.conv_stem", "backbone.bn1")
    return (
        *(
            Part(
                f"stage {n + 1}",
                "encoder",
                (*(stem if n == 0 else ()), f"backbone.blocks.{n}"),
                "EfficientNet-Lite0",
            )
            for n in range(3)
        ),
        Part(f"conv 1{TIMES}1", "decoder", ("reduce",)),
        Part("dilated\n2, 4, 8", "context", ("around",)),
        Part("head", "head", ("head",)),
    )


FIGURES = (
    Figure("edrnet", "EDRNet", _edrnet_parts(transformer=False)),
    Figure("cat-ednet", "CAT-EDNet", _edrnet_parts(transformer=True)),
    Figure("basnet", "BASNet", _basnet_parts()),
    Figure("u2net", "U2-Net", _u2net_parts()),
    Figure("u2netp", "U2-NetP", _u2net_parts()),
    Figure("pfanet", "PFANet", _pfanet_parts()),
    Figure("scfnet", "SCFNet, the student on MobileNetV3-Large x0.5", _scfnet_parts(_mobilenet_parts())),
    Figure("scfnet-resnet50", "SCFNet, the teacher on ResNet-50", _scfnet_parts(_resnet50_parts())),
    Figure("coilnet-m", "CoilNet", _coilnet_parts()),
    Figure("coilgate", "CoilGate", _coilgate_parts()),
    Figure("csnet-x1", "CSNet x1", _csnet_parts()),
    Figure("csnet-l-x1", "CSNet-L x1, as its authors pruned it", _csnet_parts()),
)
