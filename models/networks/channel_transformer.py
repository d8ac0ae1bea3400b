"""CAT: a transformer that lets the channels of every encoder level attend to those of all levels.

Sources: Luo et al., "CAT-EDNet: Cross-Attention Transformer-Based Encoder-Decoder Network for Salient Defect
Detection of Strip Steel Surface" (IEEE TIM 2022), section III; what its text leaves out (order of the norms,
output projection, outer residual, normalisation of the reconstruction) is as in Wang et al., "UCTransNet"
(AAAI 2022).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from models.networks.blocks import resize_like

GRID = 7
"""Side of the learnt position grid: the tokens of the 224 px crops that the paper trains on."""

DROPOUT = 0.1
MLP_EXPANSION = 4
NORM_EPSILON = 1e-6


class CrossAttentionTransformer(nn.Module):
    """CAT: embeds each level as tokens of one grid, attends across channels, and adds the result back.

    Args:
        channels: of the levels, finest first.
        patches: side in px of a level's patches; all levels must give the same grid of tokens.
        heads: of full width each, not shares of it.
        layers: of the transformer.
        position_embedding: add learnt positions; channel attention works without.
    """

    def __init__(
        self,
        channels: Sequence[int],
        patches: Sequence[int],
        *,
        heads: int,
        layers: int,
        position_embedding: bool = True,
    ) -> None:
        super().__init__()
        self.embed = nn.ModuleList(
            PatchEmbedding(count, patch, position_embedding=position_embedding)
            for count, patch in zip(channels, patches, strict=True)
        )
        self.layers = nn.ModuleList(TransformerLayer(channels, heads) for _ in range(layers))
        self.norms = _layer_norms(channels)
        self.reconstruct = nn.ModuleList(
            Reconstruct(count, patch) for count, patch in zip(channels, patches, strict=True)
        )

    def forward(self, skips: Sequence[Tensor]) -> list[Tensor]:
        """Return one (N, C_i, H_i, W_i) map for each skip of that shape."""
        embedded = [embed(skip) for embed, skip in zip(self.embed, skips, strict=True)]
        grid = embedded[0].shape[-2:]
        tokens = [maps.flatten(2).transpose(1, 2) for maps in embedded]
        for layer in self.layers:
            tokens = layer(tokens)
        return [
            skip + reconstruct(norm(scale).transpose(1, 2).unflatten(2, grid))
            for skip, reconstruct, norm, scale in zip(
                skips, self.reconstruct, self.norms, tokens, strict=True
            )
        ]


class PatchEmbedding(nn.Module):
    """One token for each patch of a level, plus its position.

    The published position embedding has one length and so fits one image size; here it is a grid, resized
    bilinearly when the tokens form another.
    """

    position: nn.Parameter | None

    def __init__(self, channels: int, patch: int, *, position_embedding: bool) -> None:
        super().__init__()
        self.project = nn.Conv2d(channels, channels, patch, stride=patch)
        position = nn.Parameter(torch.zeros(1, channels, GRID, GRID)) if position_embedding else None
        self.register_parameter("position", position)
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, maps: Tensor) -> Tensor:
        """Return (N, C, H / patch, W / patch)."""
        tokens: Tensor = self.project(maps)
        if self.position is not None:
            tokens = tokens + resize_like(self.position, tokens)
        dropped: Tensor = self.dropout(tokens)
        return dropped


class TransformerLayer(nn.Module):
    """Attention, then a perceptron, each on normalised tokens and each added to them."""

    def __init__(self, channels: Sequence[int], heads: int) -> None:
        super().__init__()
        self.query_norms = _layer_norms(channels)
        self.all_norm = nn.LayerNorm(sum(channels), eps=NORM_EPSILON)
        self.attention = MultiHeadChannelAttention(channels, heads)
        self.mlp_norms = _layer_norms(channels)
        self.mlps = nn.ModuleList(Mlp(count) for count in channels)

    def forward(self, tokens: Sequence[Tensor]) -> list[Tensor]:
        """Return tokens (N, n, C_i) for tokens of the same shapes."""
        normed = [norm(scale) for norm, scale in zip(self.query_norms, tokens, strict=True)]
        attended = self.attention(normed, self.all_norm(torch.cat(list(tokens), dim=2)))
        summed = [scale + change for scale, change in zip(tokens, attended, strict=True)]
        return [
            scale + mlp(norm(scale))
            for scale, mlp, norm in zip(summed, self.mlps, self.mlp_norms, strict=True)
        ]


class MultiHeadChannelAttention(nn.Module):
    """MHCA: each channel of one level looks at the channels of all levels, through their tokens.

    Every head has the full width, and their results are averaged. The scores are divided by the square root
    of all channels (the paper's equation 2 divides by their number, UCTransNet's code by the root) and
    normalised over each head, so that the factor hardly matters.
    """

    def __init__(self, channels: Sequence[int], heads: int) -> None:
        super().__init__()
        self.heads = heads
        total = sum(channels)
        self.scale = total**-0.5
        self.queries = nn.ModuleList(nn.Linear(count, heads * count, bias=False) for count in channels)
        self.keys = nn.Linear(total, heads * total, bias=False)
        self.values = nn.Linear(total, heads * total, bias=False)
        self.score_norm = nn.InstanceNorm2d(heads)
        self.score_dropout = nn.Dropout(DROPOUT)
        self.projections = nn.ModuleList(nn.Linear(count, count, bias=False) for count in channels)
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, levels: Sequence[Tensor], everything: Tensor) -> list[Tensor]:
        """Return (N, n, C_i) for each level.

        Args:
            levels: normalised tokens (N, n, C_i).
            everything: normalised tokens of all levels together, (N, n, sum of C_i).
        """
        keys = self._split(self.keys(everything))
        values = self._split(self.values(everything)).transpose(2, 3)
        attended: list[Tensor] = []
        for query, projection, level in zip(self.queries, self.projections, levels, strict=True):
            scores = self._split(query(level)).transpose(2, 3) @ keys * self.scale
            weights = self.score_dropout(self.score_norm(scores).softmax(dim=3))
            mean_of_heads = (weights @ values).mean(dim=1)
            attended.append(self.dropout(projection(mean_of_heads.transpose(1, 2))))
        return attended

    def _split(self, tokens: Tensor) -> Tensor:
        """From (N, n, heads * C) to (N, heads, n, C)."""
        return torch.unflatten(tokens, 2, (self.heads, -1)).transpose(1, 2)


class Mlp(nn.Sequential):
    """The perceptron of a transformer layer, on tokens (N, n, C)."""

    def __init__(self, channels: int) -> None:
        enlarge = nn.Linear(channels, MLP_EXPANSION * channels)
        reduce = nn.Linear(MLP_EXPANSION * channels, channels)
        super().__init__(enlarge, nn.GELU(), reduce)
        for linear in (enlarge, reduce):
            nn.init.xavier_uniform_(linear.weight)
            nn.init.normal_(linear.bias, std=1e-6)


class Reconstruct(nn.Sequential):
    """From (N, C, h, w) tokens back to a level: nearest enlargement, 1x1 convolution, normalisation, ReLU."""

    def __init__(self, channels: int, patch: int) -> None:
        super().__init__(
            nn.Upsample(scale_factor=float(patch), mode="nearest"),
            nn.Conv2d(channels, channels, 1),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
        )


def _layer_norms(channels: Sequence[int]) -> nn.ModuleList:
    return nn.ModuleList(nn.LayerNorm(count, eps=NORM_EPSILON) for count in channels)
