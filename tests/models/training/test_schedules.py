from __future__ import annotations

from typing import Any

import pytest

from tests.models.training.runs import phase_of

FALLING: list[dict[str, Any]] = [
    {"kind": "cosine"},
    {"kind": "polynomial"},
    {"kind": "linear"},
    {"kind": "step", "at_steps": [30, 50], "factor": 0.1},
    {"kind": "constant"},
]


def rates(**settings: object) -> list[float]:
    phase = phase_of(**{"steps": 100, "peak_rate": 1.0, "warmup_steps": 10, **settings})
    return [phase.rate(step) for step in range(100)]


@pytest.mark.parametrize("schedule", FALLING, ids=lambda schedule: schedule["kind"])
def test_the_rate_rises_to_its_peak_and_never_again(schedule: dict[str, Any]) -> None:
    found = rates(schedule=schedule)
    assert found[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert found[10] == 1.0
    assert found[10:] == sorted(found[10:], reverse=True)


@pytest.mark.parametrize(
    ("schedule", "halfway", "last"),
    [
        ({"kind": "cosine"}, 0.5, 0.00030),
        ({"kind": "cosine", "final_share": 0.01}, 0.505, 0.01030),
        ({"kind": "polynomial"}, 0.53589, 0.01743),
        ({"kind": "polynomial", "power": 2, "final_share": 0.5}, 0.625, 0.50006),
        ({"kind": "linear", "final_share": 0.1}, 0.55, 0.11),
        ({"kind": "step", "at_steps": [30, 50]}, 0.1, 0.01),
        ({"kind": "constant"}, 1.0, 1.0),
    ],
)
def test_schedules_fall_as_their_formulas_say(schedule: dict[str, Any], halfway: float, last: float) -> None:
    found = rates(schedule=schedule)
    assert found[55] == pytest.approx(halfway, abs=1e-5)
    assert found[99] == pytest.approx(last, abs=1e-5)


def test_a_step_falls_exactly_where_it_is_named() -> None:
    found = rates(warmup_steps=0, schedule={"kind": "step", "at_steps": [30, 50], "factor": 0.5})
    assert [found[step] for step in (29, 30, 49, 50)] == [1.0, 0.5, 0.5, 0.25]


def test_a_warm_up_may_start_above_nothing() -> None:
    found = rates(warmup_first_share=0.01)
    assert found[0] == pytest.approx(0.109)
    assert found[9] == pytest.approx(1.0)
