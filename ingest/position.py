"""Where along the strip a frame lies: from a constant speed, or from the pulses of a length encoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

COUNTER_RANGE = 2**32
"""Encoder inputs count pulses in 32 bits and start again at 0: at 0.01 mm a pulse after 43 km of strip."""


@dataclass(frozen=True, slots=True)
class ConstantSpeed:
    """A strip that runs at one speed.

    Attributes:
        speed_mps: metres per second, above 0.
    """

    speed_mps: float

    def __post_init__(self) -> None:
        if not self.speed_mps > 0:
            raise ValueError(f"expected a speed above 0 m/s, got {self.speed_mps}")

    def along_mm(self, time_s: float) -> float:
        """Strip that has run through since the head of the coil, in mm."""
        return time_s * self.speed_mps * 1000.0


class EncoderPulses:
    """Positions from the readings of a free-running 32-bit pulse counter, one reading a frame.

    The first reading is the head of the coil. Between two readings the strip moves by less than half the
    counter's range, so a smaller reading is a wrap-around, or a strip that was pulled back a little.

    Args:
        mm_per_pulse: strip length of one pulse, above 0.
        counts: counter readings, 0 to 2**32 - 1.
    """

    def __init__(self, mm_per_pulse: float, counts: Sequence[int]) -> None:
        if not mm_per_pulse > 0:
            raise ValueError(f"expected more than 0 mm a pulse, got {mm_per_pulse}")
        if wrong := [count for count in counts if not 0 <= count < COUNTER_RANGE]:
            raise ValueError(f"expected counts of 0 to {COUNTER_RANGE - 1}, got {wrong[0]}")
        self._mm_per_pulse = mm_per_pulse
        self._pulses = [0] if counts else []
        for before, after in pairwise(counts):
            self._pulses.append(self._pulses[-1] + _signed_step(before, after))

    def __len__(self) -> int:
        return len(self._pulses)

    def along_mm(self, frame: int) -> float:
        """Position of a frame from the head of the coil, in mm."""
        return self._pulses[frame] * self._mm_per_pulse


def _signed_step(before: int, after: int) -> int:
    half = COUNTER_RANGE // 2
    return (after - before + half) % COUNTER_RANGE - half
