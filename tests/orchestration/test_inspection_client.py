from __future__ import annotations

import pytest

from orchestration import inspection_client
from orchestration.errors import InspectorsAwayError
from orchestration.inspection_client import ServeInspectionClient
from orchestration.suspects import KILLER, MOST_TRIES
from tests.orchestration.inspectors import Inspectors
from tests.workers.streams.frames import InThisProcess, frame
from workers.inspection.records import FrameResult

FRAMES = [frame("C1", n) for n in range(5)]
CALM = InThisProcess().submit(FRAMES).result()
WAIT_S = 20


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspection_client, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(inspection_client, "LONGEST_PAUSE_S", 0.002)


def client_of(inspectors: Inspectors, timeout_s: float = WAIT_S) -> ServeInspectionClient:
    return ServeInspectionClient(inspectors, calls=1, timeout_s=timeout_s)  # type: ignore[arg-type]


def results_of(inspectors: Inspectors) -> list[FrameResult]:
    return client_of(inspectors).submit(FRAMES).result(WAIT_S)


def test_results_come_in_the_order_of_the_frames() -> None:
    assert results_of(Inspectors()) == CALM


def test_nobody_there_says_nothing_about_the_frames() -> None:
    inspectors = Inspectors(away=3)
    assert results_of(inspectors) == CALM
    assert inspectors.calls == [5]


@pytest.mark.parametrize(
    "faults",
    [
        {"deaths": 1},
        {"deaths": 1, "deaths_alone": 1},
        {"deaths": 1, "deaths_alone": 7, "control_dies": True},
        {"deaths": 1, "away": 2},
        {"deaths": 1, "broken": 9},
    ],
    ids=[
        "a batch",
        "a batch, then one alone",
        "all that is inspected, for a while",
        "while others are away",
        "others are broken, too",
    ],
)
def test_a_kill_from_outside_condemns_no_frame(faults: dict[str, int]) -> None:
    inspectors = Inspectors(**faults)  # type: ignore[arg-type]
    assert results_of(inspectors) == CALM


def test_a_frame_that_kills_its_inspector_twice_is_unreadable_and_costs_no_other() -> None:
    inspectors = Inspectors(killers=[2])
    results = results_of(inspectors)
    assert results == [*CALM[:2], FrameResult(status="unreadable", reason=KILLER, attempts=3), *CALM[3:]]
    assert (inspectors.killed, inspectors.controls) == (3, 2)
    assert inspectors.alone == [0, 1, 2, 2, 3, 4]


def test_two_frames_that_kill_are_told_apart_from_their_neighbours() -> None:
    results = results_of(Inspectors(killers=[0, 4]))
    assert [result.status for result in results] == ["unreadable", *["inspected"] * 3, "unreadable"]


def test_a_death_before_the_frame_was_under_way_does_not_count() -> None:
    inspectors = Inspectors(killers=[2], lost_words=2)
    result = results_of(inspectors)[2]
    assert (result.reason, result.attempts) == (KILLER, 5)
    assert inspectors.controls == 2


def test_where_every_inspector_dies_no_frame_is_condemned(monkeypatch: pytest.MonkeyPatch) -> None:
    inspectors = Inspectors(killers=range(5), control_dies=True)
    client = client_of(inspectors)
    future = client.submit(FRAMES)
    while inspectors.killed < 6:
        assert not future.done()
    client.close()
    with pytest.raises(InspectorsAwayError):
        future.result(WAIT_S)


def test_a_batch_whose_inspector_hangs_is_inspected_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspection_client, "PATIENCE_S", 0.4)
    inspectors = Inspectors(silent=1)
    assert client_of(inspectors, timeout_s=0.5).submit(FRAMES).result(WAIT_S) == CALM
    assert [call.cancelled for call in inspectors.analyse.calls] == [True, False]
    assert inspectors.alone == []


def test_an_inspector_that_hangs_with_a_frame_is_left_and_condemns_nothing() -> None:
    inspectors = Inspectors(deaths=1, hangs=3)
    assert client_of(inspectors, timeout_s=0.05).submit(FRAMES).result(WAIT_S) == CALM
    assert inspectors.alone == [0, 0, 0, 0, 1, 2, 3, 4]
    assert [call.cancelled for call in inspectors.analyse_alone.calls] == [True] * 3 + [False] * 5


def test_a_frame_that_breaks_inspection_costs_no_other() -> None:
    results = results_of(Inspectors(poison=[2]))
    reason = "inspection failed: ValueError"
    assert results == [*CALM[:2], FrameResult(status="unreadable", reason=reason, attempts=2), *CALM[3:]]


def test_an_error_that_passes_is_waited_for() -> None:
    assert results_of(Inspectors(poison=[2], passing=MOST_TRIES)) == CALM


def test_an_error_that_should_pass_and_does_not_makes_the_frame_unreadable() -> None:
    result = results_of(Inspectors(poison=[2], passing=10**6))[2]
    assert (result.reason, result.attempts) == ("inspection failed: RetriableError", MOST_TRIES + 1)


def test_a_call_is_not_tried_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspection_client, "PATIENCE_S", 0.0)
    with pytest.raises(InspectorsAwayError) as caught:
        client_of(Inspectors(away=10**6), timeout_s=0.0).submit(FRAMES).result(WAIT_S)
    assert caught.value.retriable


def test_a_closed_client_tries_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspection_client, "FIRST_PAUSE_S", 1000.0)
    monkeypatch.setattr(inspection_client, "LONGEST_PAUSE_S", 1000.0)
    inspectors = Inspectors(away=10**6)
    client = client_of(inspectors)
    future = client.submit(FRAMES)
    assert inspectors.asked.wait(WAIT_S)
    client.close()
    with pytest.raises(InspectorsAwayError):
        future.result(WAIT_S)


def test_who_the_inspectors_are_is_asked_without_waiting() -> None:
    client = client_of(Inspectors())
    assert client.identity() is None
    assert client._asked is not None
    client._asked.result(WAIT_S)
    assert client.identity() == InThisProcess().identity()
