"""How many channels every layer of a CSNet has: as published, as pruned by its authors, or as we prune it.

Source: Gao et al., "Highly Efficient Salient Object Detection with 100K Parameters" (ECCV 2020), sections 3
and 4: channels of each branch of each block are what training with dynamic weight decay decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from models.errors import NetworkError
from models.networks.octave import DILATIONS, Split

BLOCKS = (1, 3, 4, 6, 4)
"""Of each stage, in-layer blocks."""

MULTIPLES = (1, 1, 2, 4, 4)
"""Of each stage, channels as a multiple of the base width."""

HEAD_STAGES = (2, 3, 4)
"""Stages whose last block gives one fine branch to the head."""

BASE_WIDTH = 20
"""Channels of the full-resolution stages of CSNet x1."""

EVEN_SHARE = 0.5
"""Of a block's channels, in the fine branch as published."""

MAX_CHANNELS = 1_024
"""Of a branch, read from text: a weights file that asks for any number would take any memory."""

HEAD_REDUCTION = 3
"""The published head works with a third of the channels that it is given."""


@dataclass(frozen=True)
class CSNetChannels:
    """Channels of every layer that the others follow from; a branch may have none.

    Attributes:
        stages: of each block of each stage, channels of its fine and coarse branch; of the last block of
            stages 2, 3 and 4, of its one branch.
        head: of the head's first layer, of each scale.
        dilated: of the head's pyramid, of each scale and dilation.
        fused: of the head's last layer.

    Raises:
        NetworkError: another number of stages, blocks, branches or dilations, or a layer without channels.
    """

    stages: tuple[tuple[Split, ...], ...]
    head: Split
    dilated: tuple[Split, ...]
    fused: int

    def __post_init__(self) -> None:
        if tuple(len(stage) for stage in self.stages) != BLOCKS:
            found = [len(stage) for stage in self.stages]
            raise NetworkError(f"expected stages of {list(BLOCKS)} blocks, got {found}")
        for index, stage in enumerate(self.stages):
            for number, split in enumerate(stage):
                single = index in HEAD_STAGES and number == BLOCKS[index] - 1
                _check(f"block {number} of stage {index}", split, branches=1 if single else 2)
        _check("the head", self.head, branches=len(HEAD_STAGES))
        if [len(shares) for shares in self.dilated] != [len(DILATIONS)] * len(HEAD_STAGES):
            raise NetworkError(
                f"expected {len(HEAD_STAGES)} x {len(DILATIONS)} dilated channels, got {self.dilated}"
            )
        for scale, shares in enumerate(self.dilated):
            if sum(shares) and not self.head[scale]:
                raise NetworkError(
                    f"scale {scale} of the head has dilated channels, but none to compute them from"
                )
        _check("the pyramid", tuple(sum(shares) for shares in self.dilated), branches=len(HEAD_STAGES))
        _check("the fusion", (self.fused,), branches=1)

    @classmethod
    def published(cls, base_width: int = BASE_WIDTH, *, fine_share: float = EVEN_SHARE) -> CSNetChannels:
        """The unpruned network: one share of fine and coarse channels in all blocks.

        Args:
            base_width: channels of the first two stages; published are 20, 24, 30, 36 and 40.
            fine_share: of a block's channels, in its fine branch; the rest are coarse. Published is a half.
        """
        widths = [base_width * multiple for multiple in MULTIPLES]
        head = tuple(widths[index] // HEAD_REDUCTION for index in HEAD_STAGES)
        return cls(
            stages=tuple(
                _stage(width, blocks, fine_share, last_is_single=index in HEAD_STAGES)
                for index, (width, blocks) in enumerate(zip(widths, BLOCKS, strict=True))
            ),
            head=head,
            dilated=tuple(_fifths(channels) for channels in head),
            fused=sum(head),
        )

    @classmethod
    def pruned(cls, preset: str) -> CSNetChannels:
        """What the paper's authors were left with after pruning CSNet x1 or x2.

        Args:
            preset: `l-x1` or `l-x2`.

        Raises:
            NetworkError: no such preset.
        """
        if preset not in PRUNED:
            raise NetworkError(f"no preset {preset}: expected one of {', '.join(PRUNED)}")
        return PRUNED[preset]

    @classmethod
    def parse(cls, text: str) -> CSNetChannels:
        """Read what `str` writes.

        Raises:
            NetworkError: it is not that, makes no network, or one of more than `MAX_CHANNELS` in a branch.
        """
        try:
            stages, head, dilated, fused = text.split(";")
            return cls(
                stages=tuple(tuple(map(_split, blocks.split())) for blocks in stages.split("/")),
                head=_split(head),
                dilated=tuple(map(_split, dilated.split())),
                fused=_split(fused)[0],
            )
        except ValueError as error:
            raise NetworkError(f"expected channels as stages;head;dilated;fused, got {text!r}") from error

    def __str__(self) -> str:
        """Channels as one line: stages parted by `/`, blocks by a blank, branches by a comma."""
        stages = "/".join(_text(stage) for stage in self.stages)
        return ";".join((stages, _text((self.head,)), _text(self.dilated), str(self.fused)))

    def scaled(self, width: float) -> CSNetChannels:
        """The same network at another width: a layer with channels keeps at least one."""

        def scale(split: Split) -> Split:
            return tuple(max(1, round(channels * width)) if channels else 0 for channels in split)

        return CSNetChannels(
            stages=tuple(tuple(scale(split) for split in stage) for stage in self.stages),
            head=scale(self.head),
            dilated=tuple(scale(shares) for shares in self.dilated),
            fused=max(1, round(self.fused * width)),
        )


def _split(text: str) -> Split:
    split = tuple(int(channels) for channels in text.split(","))
    if max(split) > MAX_CHANNELS:
        raise ValueError(f"more than {MAX_CHANNELS} channels")
    return split


def _text(splits: tuple[Split, ...]) -> str:
    return " ".join(",".join(map(str, split)) for split in splits)


def _check(what: str, split: Split, *, branches: int) -> None:
    if len(split) != branches or min(split) < 0 or not sum(split):
        raise NetworkError(f"expected channels in {branches} branches of {what}, got {split}")


def _stage(width: int, blocks: int, fine_share: float, *, last_is_single: bool) -> tuple[Split, ...]:
    fine = round(width * fine_share)
    two: Split = (fine, width - fine)
    return (*(two,) * (blocks - 1), (width,) if last_is_single else two)


def _fifths(channels: int) -> Split:
    each = channels // len(DILATIONS)
    rest = channels - each * (len(DILATIONS) - 1)
    return (*(each,) * (len(DILATIONS) - 1), rest)


PRUNED: Mapping[str, CSNetChannels] = MappingProxyType(
    {
        "l-x1": CSNetChannels(
            stages=(
                ((8, 10),),
                ((9, 10), (10, 10), (10, 10)),
                ((19, 13), (19, 17), (20, 12), (34,)),
                ((24, 21), (26, 27), (22, 18), (19, 18), (23, 18), (38,)),
                ((18, 29), (25, 24), (26, 20), (50,)),
            ),
            head=(12, 24, 24),
            dilated=((1, 2, 2, 2, 4), (1, 4, 4, 4, 5), (2, 2, 4, 5, 4)),
            fused=60,
        ),
        "l-x2": CSNetChannels(
            stages=(
                ((13, 10),),
                ((13, 12), (18, 11), (18, 12)),
                ((28, 21), (34, 22), (31, 29), (51,)),
                ((23, 26), (27, 26), (25, 20), (17, 21), (19, 25), (38,)),
                ((18, 31), (31, 27), (26, 44), (64,)),
            ),
            head=(17, 38, 32),
            dilated=((2, 1, 2, 2, 1), (0, 6, 6, 7, 5), (0, 1, 3, 7, 7)),
            fused=79,
        ),
    }
)
