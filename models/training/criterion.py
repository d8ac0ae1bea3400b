"""Losses as data of a recipe: one table, or several whose weighted sum is minimised."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import torch
from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag
from torch import Tensor, nn

from models.losses import EdgeHoldLoss, HybridLoss, ScfnetLoss, SsimPadding, StructureLoss, TileLoss
from models.losses.dice import SCFNET_MAP_WEIGHTS
from models.losses.edge_hold import POSITIVE_WEIGHT, SALIENCY_SHARE
from models.losses.structure import GAMMA
from models.networks.outputs import SaliencyOutputs
from models.training.record import Positive, Record, Share

Weight = Annotated[float, Field(ge=0)]


def _any_counts(weights: tuple[float, ...]) -> tuple[float, ...]:
    if weights and not any(weights):
        raise ValueError(f"expected a weight above 0 for one map at least, got {list(weights)}")
    return weights


MapWeights = Annotated[tuple[Weight, ...], AfterValidator(_any_counts)]


class _Term(Record):
    weight: Weight = 1.0

    @property
    def part_weights(self) -> tuple[float, ...]:
        """Of the parts whose weighted sum it is."""
        return (1.0,)


class HybridTerm(_Term):
    """BCE, SSIM and IoU of every map: EDRNet, CAT-EDNet, BASNet; BCE alone: U2-Net, CSNet.

    Attributes:
        bce: weight of binary cross entropy.
        ssim: weight of the structural term.
        iou: weight of the overlap term.
        ssim_padding: what the structural term sees beyond the border.
        map_weights: of every supervised map, the final one first; all 1 without.
    """

    kind: Literal["hybrid"] = "hybrid"
    bce: Weight = 1.0
    ssim: Weight = 0.0
    iou: Weight = 1.0
    ssim_padding: SsimPadding = "zero"
    map_weights: MapWeights = ()

    @property
    def part_weights(self) -> tuple[float, ...]:
        return (self.bce, self.ssim, self.iou)

    def make(self) -> nn.Module:
        return HybridLoss(
            self.bce,
            self.ssim,
            self.iou,
            ssim_padding=self.ssim_padding,
            map_weights=self.map_weights or None,
        )


class DiceTerm(_Term):
    """KD-SCFNet's Dice plus boundary Dice, whose outlines thin from 13 px to 1 px in the course of a phase.

    Attributes:
        boundary_weight: of boundary Dice against Dice; 0 leaves Dice alone.
        boundary_epochs: that a phase is divided into for the outline's thickness: 69 in the paper, and from
            the 60th they are 1 px thin.
        map_weights: of every supervised map, the final one first; KD-SCFNet's four by default, all 1 where it
            is empty.
    """

    kind: Literal["dice"] = "dice"
    boundary_weight: Weight = 1.0
    boundary_epochs: Positive = 69
    map_weights: MapWeights = SCFNET_MAP_WEIGHTS

    def make(self) -> nn.Module:
        return ScfnetLoss(self.boundary_weight, self.map_weights or None)


class EdgeHoldTerm(_Term):
    """PFANet's saliency and edges of saliency.

    Attributes:
        saliency_share: of saliency, edges taking the rest.
        positive_weight: of foreground in the saliency term.
        attention_penalty: adds the mean channel attention, which PFANet alone gives, under the same weight.
    """

    kind: Literal["edge-hold"] = "edge-hold"
    saliency_share: Share = SALIENCY_SHARE
    positive_weight: float = Field(default=POSITIVE_WEIGHT, gt=0)
    attention_penalty: bool = False

    def make(self) -> nn.Module:
        return EdgeHoldLoss(self.saliency_share, self.positive_weight)


class StructureTerm(_Term):
    """F3Net's cross entropy and overlap, in which pixels near an outline count up to six times.

    Attributes:
        bce: weight of cross entropy.
        iou: weight of the overlap term.
        gamma: weight of a pixel that differs wholly from its surroundings, beside the 1 that every pixel has;
            0 leaves plain cross entropy and overlap, which here has a gradient where nothing is marked.
        map_weights: of every supervised map, the final one first; all 1 without.
    """

    kind: Literal["structure"] = "structure"
    bce: Weight = 1.0
    iou: Weight = 1.0
    gamma: Weight = GAMMA
    map_weights: MapWeights = ()

    @property
    def part_weights(self) -> tuple[float, ...]:
        return (self.bce, self.iou)

    def make(self) -> nn.Module:
        return StructureLoss(self.bce, self.iou, gamma=self.gamma, map_weights=self.map_weights or None)


class TileTerm(_Term):
    """Whether a tile shows a defect at all, told by the largest logits of its map: the gate."""

    kind: Literal["tile"] = "tile"

    def make(self) -> nn.Module:
        return TileLoss()


LossTerm = HybridTerm | DiceTerm | EdgeHoldTerm | StructureTerm | TileTerm


def _kind(value: object) -> str:
    if isinstance(value, Mapping):
        return str(value.get("kind", "hybrid"))
    return str(getattr(value, "kind", value))


def _as_terms(value: object) -> object:
    return (value,) if isinstance(value, Mapping) else value


def _any_minimised(terms: tuple[LossTerm, ...]) -> tuple[LossTerm, ...]:
    if terms and not any(term.weight and any(term.part_weights) for term in terms):
        raise ValueError("expected a loss of a weight above 0 with a part above 0, got weights of 0 alone")
    return terms


Losses = Annotated[
    tuple[
        Annotated[
            Annotated[HybridTerm, Tag("hybrid")]
            | Annotated[DiceTerm, Tag("dice")]
            | Annotated[EdgeHoldTerm, Tag("edge-hold")]
            | Annotated[StructureTerm, Tag("structure")]
            | Annotated[TileTerm, Tag("tile")],
            Discriminator(_kind),
        ],
        ...,
    ],
    BeforeValidator(_as_terms),
    AfterValidator(_any_minimised),
]
"""`[loss]` or several `[[loss]]`; a table without a `kind` is the hybrid loss."""


class Criterion(nn.Module):
    """The weighted sum of the losses of a phase.

    Args:
        terms: at least one.

    Attributes:
        wants_penalty: whether a term takes the network's attention penalty.
    """

    def __init__(self, terms: tuple[LossTerm, ...]) -> None:
        super().__init__()
        self.terms = terms
        self.losses = nn.ModuleList(term.make() for term in terms)
        self._penalty_weight = sum(
            term.weight for term in terms if isinstance(term, EdgeHoldTerm) and term.attention_penalty
        )
        self.wants_penalty = self._penalty_weight > 0

    def set_progress(self, step: int, steps: int) -> None:
        """Take note of how far the phase is: `step` of `steps` are done."""
        for term, loss in zip(self.terms, self.losses, strict=True):
            if isinstance(loss, ScfnetLoss) and isinstance(term, DiceTerm):
                loss.set_epoch(step * term.boundary_epochs // steps)

    def forward(self, outputs: SaliencyOutputs, targets: Tensor, penalty: Tensor | None = None) -> Tensor:
        """Return the scalar loss of logits against (N, 1, H, W) float32 targets in [0, 1].

        Raises:
            TrainingError: another number of map weights than of maps.
        """
        parts = [
            term.weight * loss(outputs, targets) for term, loss in zip(self.terms, self.losses, strict=True)
        ]
        if penalty is not None:
            parts.append(self._penalty_weight * penalty)
        return torch.stack(parts).sum()
