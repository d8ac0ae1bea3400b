"""Splits of training images into those that train and those that choose, by names alone."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

from models.data.folders import class_of

SAME_PICTURES = {"Pa_105": "Pa_101"}
"""Pictures of SD-saliency-900 that are one image with two masks: they must fall on one side of a split."""

_NUMBER = re.compile(r"\d+$")


class Named(Protocol):
    """A sample, or where one comes from."""

    @property
    def name(self) -> str:
        """Its own among all."""


Item = TypeVar("Item", bound=Named)


def split_samples(items: Sequence[Item], held_out_share: float) -> tuple[list[Item], list[Item]]:
    """Hold out the same share of every class (the letters of `In_12`).

    Args:
        items: to be split.
        held_out_share: 0 to 1.

    Returns:
        Those to train on and those to choose by, each in the given order.
    """
    return _split(
        items, {name for ranked in _ranked(items) for name in ranked[: round(len(ranked) * held_out_share)]}
    )


def split_blocks(items: Sequence[Item], held_out_share: float) -> tuple[list[Item], list[Item]]:
    """Hold out the end of every stretch of consecutive numbers behind one text (the 12 of `In_12`).

    Neighbours by number often show one piece of steel, shifted: drawn apart from each other they would
    make whatever has learnt the one look good on the other.

    Args:
        items: to be split.
        held_out_share: of every stretch, 0 to 1.

    Returns:
        Those to train on and those to choose by, each in the given order.
    """
    held_out: set[str] = set()
    for stretch in _stretches({item.name for item in items}):
        end = stretch[len(stretch) - round(len(stretch) * held_out_share) :]
        held_out.update(_identity(name) for name in end)
    return _split(items, held_out)


def split_frames_of_line(items: Sequence[Item], held_out_share: float) -> tuple[list[Item], list[Item]]:
    """Hold out the ends of stretches of consecutive numbers, and as large a share of names that stand alone.

    Successive frames show the same waves, stains and roll marks.

    Args:
        items: to be split.
        held_out_share: 0 to 1.

    Returns:
        Those to train on and those to be scored, each in the given order.
    """
    stretches = _stretches({item.name for item in items if _text_and_number(item.name)[1] >= 0})
    runs = {name for stretch in stretches if len(stretch) > 1 for name in stretch}
    alone = sorted({item.name for item in items} - runs, key=_rank)
    held_out = set(alone[: round(len(alone) * held_out_share)])
    before = 0
    for stretch in (stretch for stretch in stretches if len(stretch) > 1):
        # Many short stretches hold out as much together as one long one.
        after = before + len(stretch)
        count = round(after * held_out_share) - round(before * held_out_share)
        held_out.update(stretch[len(stretch) - count :])
        before = after
    return _split(items, held_out)


def split_fold(items: Sequence[Item], fold: int, folds: int) -> tuple[list[Item], list[Item]]:
    """Hold out one of several parts of every class; each item is in exactly one of them.

    Args:
        items: to be split.
        fold: which part, from 0.
        folds: how many parts.

    Returns:
        Those to train on and those to choose by, each in the given order.
    """
    return _split(items, {name for ranked in _ranked(items) for name in ranked[fold::folds]})


def split_block_fold(items: Sequence[Item], fold: int, folds: int) -> tuple[list[Item], list[Item]]:
    """Hold out one of several parts of every stretch of consecutive numbers, as `split_blocks` does and why.

    Args:
        items: to be split.
        fold: which part, from 0.
        folds: how many parts; each item is in exactly one of them.

    Returns:
        Those to train on and those to choose by, each in the given order.
    """
    names = {item.name for item in items}
    held_out: set[str] = set()
    for stretch in _stretches(names):
        part = stretch[len(stretch) * fold // folds : len(stretch) * (fold + 1) // folds]
        # A second mask of a picture goes where the first one is.
        held_out.update(
            _identity(name) for name in part if name not in SAME_PICTURES or _identity(name) not in names
        )
    return _split(items, held_out)


def _split(items: Sequence[Item], held_out: set[str]) -> tuple[list[Item], list[Item]]:
    kept = [item for item in items if _identity(item.name) not in held_out]
    return kept, [item for item in items if _identity(item.name) in held_out]


def _ranked(items: Iterable[Named]) -> list[list[str]]:
    """The pictures of every class in an order that looks random and follows from their names."""
    classes: dict[str, set[str]] = {}
    for item in items:
        classes.setdefault(class_of(item.name), set()).add(_identity(item.name))
    return [sorted(members, key=_rank) for members in classes.values()]


def _stretches(names: Iterable[str]) -> list[list[str]]:
    """Names alike but for numbers that follow each other, in their order; those without numbers are one."""
    numbered = enumerate(sorted((*_text_and_number(name), name) for name in names))
    runs = itertools.groupby(
        numbered, lambda item: (item[1][0], item[1][1] - item[0] if item[1][1] >= 0 else None)
    )
    return [[name for _, (_, _, name) in run] for _, run in runs]


def _text_and_number(name: str) -> tuple[str, int]:
    """What stands before the number at the end of a name, and that number; nothing and -1 without one."""
    digits = _NUMBER.search(name)
    return (name[: digits.start()], int(digits.group())) if digits else ("", -1)


def _identity(name: str) -> str:
    return SAME_PICTURES.get(name, name)


def _rank(identity: str) -> bytes:
    return hashlib.blake2b(identity.encode(), digest_size=8).digest()
