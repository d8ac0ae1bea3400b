from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from ray.exceptions import ActorUnavailableError, RayTaskError

from ingest.records import EncodedFrame, FrameHeader
from orchestration import inspection_client
from orchestration.inspection_client import InspectorsAwayError, ServeInspectionClient
from tests.workers.streams.frames import InThisProcess, frame

Payload = list[tuple[bytes, bytes]]


class Response:
    def __init__(self, answer: Callable[[], Any]) -> None:
        self._answer = answer

    def result(self, timeout_s: float) -> Any:  # noqa: ARG002 - as Serve calls it
        return self._answer()


class Method:
    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def remote(self, *arguments: Any) -> Response:
        return Response(lambda: self._function(*arguments))


class Inspectors:
    """A handle whose replicas fail as told: first with `deaths`, and always on the sequences in `poison`."""

    def __init__(self, deaths: int = 0, poison: Sequence[int] = ()) -> None:
        self._local = InThisProcess()
        self._deaths = deaths
        self._poison = set(poison)
        self.calls: list[int] = []
        self.analyse = Method(self._analyse)
        self.identity = Method(lambda: self._local.identity().to_json())

    def _analyse(self, payload: Payload) -> list[bytes]:
        frames = [EncodedFrame(FrameHeader.from_json(header), data) for header, data in payload]
        self.calls.append(len(frames))
        if self._deaths:
            self._deaths -= 1
            raise ActorUnavailableError("the replica was killed", None)
        if self._poison & {one.header.sequence for one in frames}:
            raise RayTaskError("analyse", "traceback", ValueError("a frame that breaks the network"))
        return [result.to_json() for result in self._local.inspector.analyse(frames)]


FRAMES = [frame("C1", n) for n in range(5)]


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspection_client, "FIRST_PAUSE_S", 0.001)


def client_of(inspectors: Inspectors) -> ServeInspectionClient:
    return ServeInspectionClient(inspectors, calls=1)  # type: ignore[arg-type]


def test_results_come_in_the_order_of_the_frames() -> None:
    expected = InThisProcess().submit(FRAMES).result()
    assert client_of(Inspectors()).submit(FRAMES).result(20) == expected


def test_a_death_says_nothing_about_the_frames() -> None:
    inspectors = Inspectors(deaths=3)
    results = client_of(inspectors).submit(FRAMES).result(20)
    assert [result.status for result in results] == ["inspected"] * 5
    assert inspectors.calls == [5, 5, 5, 5]


def test_a_frame_that_breaks_inspection_costs_no_other() -> None:
    results = client_of(Inspectors(poison=[2])).submit(FRAMES).result(20)
    assert [result.status for result in results] == ["inspected"] * 2 + ["unreadable"] + ["inspected"] * 2
    assert results[2].reason == "inspection failed: ValueError"


def test_a_call_is_not_tried_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspection_client, "PATIENCE_S", 0.0)
    with pytest.raises(InspectorsAwayError) as caught:
        client_of(Inspectors(deaths=10**6)).submit(FRAMES).result(20)
    assert caught.value.retriable


def test_who_the_inspectors_are_is_asked_without_waiting() -> None:
    client = client_of(Inspectors())
    assert client.identity() is None
    assert client._asked is not None
    client._asked.result(20)
    assert client.identity() == InThisProcess().identity()
