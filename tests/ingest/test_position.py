from __future__ import annotations

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.position import COUNTER_RANGE, ConstantSpeed, EncoderPulses


def test_constant_speed_in_millimetres() -> None:
    assert ConstantSpeed(2.5).along_mm(0.4) == 1000.0


@pytest.mark.parametrize("speed_mps", [0.0, -1.0, float("nan")])
def test_a_strip_that_stands_has_no_position(speed_mps: float) -> None:
    with pytest.raises(ValueError, match="expected a speed above 0"):
        ConstantSpeed(speed_mps)


@given(
    first=st.integers(0, COUNTER_RANGE - 1),
    steps=st.lists(st.integers(-(2**31), 2**31 - 1), max_size=20),
)
def test_positions_do_not_see_the_counter_wrap(first: int, steps: list[int]) -> None:
    true_pulses = list(accumulate(steps, initial=0))
    pulses = EncoderPulses(0.5, [(first + pulse) % COUNTER_RANGE for pulse in true_pulses])
    assert len(pulses) == len(true_pulses)
    assert [pulses.along_mm(at) for at in range(len(pulses))] == [pulse * 0.5 for pulse in true_pulses]


def test_a_wrap_in_plain_numbers() -> None:
    pulses = EncoderPulses(0.1, [COUNTER_RANGE - 10, COUNTER_RANGE - 1, 9, 5])
    assert [round(pulses.along_mm(at), 6) for at in range(4)] == [0.0, 0.9, 1.9, 1.5]


@pytest.mark.parametrize(("mm_per_pulse", "counts"), [(0.0, [1]), (0.1, [-1]), (0.1, [COUNTER_RANGE])])
def test_impossible_encoders_are_refused(mm_per_pulse: float, counts: list[int]) -> None:
    with pytest.raises(ValueError, match="expected "):
        EncoderPulses(mm_per_pulse, counts)
