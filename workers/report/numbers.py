"""Numbers as a person reads them on the page: units of the shop floor, no false precision."""

from __future__ import annotations

import math

NARROW_SPACE = "\u202f"
"""Thousands are parted by it: a comma would be a decimal point to half of the readers."""


def metres(value_mm: float, digits: int = 2) -> str:
    """A length in mm as metres."""
    return _grouped(value_mm / 1000, digits)


def millimetres(value_mm: float | None) -> str:
    """A length in whole mm, one digit more below 10; a dash where it is not known."""
    if value_mm is None:
        return "\u2013"
    return _grouped(value_mm, 1 if abs(value_mm) < 9.95 else 0)


def area(value_mm2: float) -> str:
    """An area in mm², in cm² from 10 000 mm² on, with its unit."""
    if value_mm2 >= 10_000:
        return f"{_grouped(value_mm2 / 100, 0)} cm²"
    return f"{_grouped(value_mm2, 1 if 0 < value_mm2 < 9.95 else 0)} mm²"


def percent(share: float) -> str:
    """A share as a percentage, rounded down: what is missing must show, and too little not read as enough."""
    if share >= 1:
        return "100 %"
    digits = 2 if share > 0.99 else 1
    steps = 10**digits
    # A share of six decimals may lie below its own step by the rounding of floats.
    return f"{math.floor(share * 100 * steps + 1e-6) / steps:.{digits}f} %"


def count(value: int) -> str:
    """A count with its thousands parted."""
    # As a float it might be too large: a report that was read may claim any count.
    return f"{value:,}".replace(",", NARROW_SPACE)


def counted(value: int, thing: str) -> str:
    """A count with the name of what is counted: "1 frame", "2 frames"."""
    return f"{count(value)} {thing}" if value == 1 else f"{count(value)} {thing}s"


def _grouped(value: float, digits: int) -> str:
    return f"{round(value, digits) + 0.0:,.{digits}f}".replace(",", NARROW_SPACE)
