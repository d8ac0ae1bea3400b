from __future__ import annotations

import pytest

from orchestration.backoff import JITTER, Backoff


class Time:
    def __init__(self, *, stopped: bool = False) -> None:
        self.now = 0.0
        self.waits: list[float] = []
        self._stopped = stopped

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        self.now += seconds
        return self._stopped

    def clock(self) -> float:
        return self.now


def test_pauses_double_with_jitter_up_to_the_longest() -> None:
    time = Time()
    backoff = Backoff(0.1, 1.0, wait=time.wait, clock=time.clock)
    assert all(backoff.pause() for _ in range(200))
    for wanted, waited in zip([0.1, 0.2, 0.4, 0.8, *[1.0] * 196], time.waits, strict=True):
        assert JITTER[0] * wanted <= waited <= JITTER[1] * wanted
    assert len(set(time.waits[4:])) > 100


def test_patience_ends_and_begins_anew_with_progress() -> None:
    time = Time()
    backoff = Backoff(1.0, 1.0, 5.0, wait=time.wait, clock=time.clock)
    while backoff.pause():
        assert time.now < 5.0 + JITTER[1]
    backoff.progress()
    assert backoff.pause()


@pytest.mark.parametrize("patience_s", [0.0, 60.0])
def test_a_stop_ends_the_attempts(patience_s: float) -> None:
    time = Time(stopped=True)
    assert not Backoff(1.0, 1.0, patience_s, wait=time.wait, clock=time.clock).pause()
