from __future__ import annotations

from typing import Literal

from pydantic import Field

from models.training.record import Record, settings_digest


class Wide(Record):
    kind: Literal["wide"] = "wide"
    by: int = 2


class Narrow(Record):
    kind: Literal["narrow"] = "narrow"
    by: int = 2


class Plan(Record):
    name: str
    parts: tuple[Wide | Narrow, ...] = ()
    sizes: dict[str, float] = Field(default_factory=dict)


class LaterPlan(Plan):
    share: float = 0.5


def test_a_digest_knows_every_setting() -> None:
    plans = [
        Plan(name="a"),
        Plan(name="b"),
        Plan(name="a", parts=(Wide(),)),
        Plan(name="a", parts=(Narrow(),)),
        Plan(name="a", parts=(Narrow(by=3),)),
        Plan(name="a", parts=(Narrow(), Wide())),
        Plan(name="a", parts=(Wide(), Narrow())),
        Plan(name="a", sizes={"x": 1.0}),
        Plan(name="a", sizes={"x": 2.0}),
        LaterPlan(name="a", share=0.6),
    ]
    assert len({settings_digest(plan) for plan in plans}) == len(plans)
    assert all(len(settings_digest(plan)) == 16 for plan in plans)


def test_a_setting_more_changes_no_digest_of_what_does_not_use_it() -> None:
    assert settings_digest(LaterPlan(name="a", parts=(Wide(),))) == settings_digest(
        Plan(name="a", parts=(Wide(by=2),))
    )
