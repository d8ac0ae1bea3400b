"""Which modules make up a block that readers of the paper know: what a figure of a network shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

TIMES = "\N{MULTIPLICATION SIGN}"

Role = Literal[
    "image", "encoder", "context", "attention", "decoder", "refinement", "head", "side", "joint", "final"
]
"""What a block is for; `side` is the head of a supervised map, drawn as a badge of the block it reads."""


@dataclass(frozen=True)
class Part:
    """A block of a network.

    Attributes:
        name: as the paper calls it.
        role: what it is for.
        modules: paths of the modules that it is made of.
        caption: of the row of blocks that it stands in; neighbours with the same caption share it.
        slim: of octave branches: drawn narrow over all rows that it reads, with only its channels in them.
    """

    name: str
    role: Role
    modules: tuple[str, ...] = ()
    caption: str = ""
    slim: bool = False


@dataclass(frozen=True)
class Figure:
    """A network to draw: its name in the registry, a title, its parts."""

    network: str
    title: str
    parts: tuple[Part, ...]
