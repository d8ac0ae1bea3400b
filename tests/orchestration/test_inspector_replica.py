"""The inspector of a replica, in this process: its turns, its health, what it says when it is broken."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from types import SimpleNamespace

import pytest
import torch
from ray import serve

import orchestration.inspector
from ingest.records import EncodedFrame
from orchestration import application
from orchestration.application import InspectorReplica
from orchestration.errors import BrokenInspectorError
from orchestration.settings import Settings
from orchestration.suspects import BEGUN
from tests.workers.streams.frames import InThisProcess, frame
from workers.inspection.records import FrameResult

FRAME = frame("C1", 3)
PAIR = (FRAME.header.to_json(), FRAME.data)


class Fragile:
    """Fails at sequence 3, or once it is broken at everything."""

    def __init__(self) -> None:
        self._whole = InThisProcess().inspector
        self.identity = self._whole.identity
        self.broken = False

    def analyse(self, frames: Sequence[EncodedFrame]) -> list[FrameResult]:
        if self.broken or any(one.header.sequence == 3 for one in frames):
            raise ValueError("for the test")
        return self._whole.analyse(frames)


@pytest.fixture
def inspector(monkeypatch: pytest.MonkeyPatch) -> Fragile:
    fragile = Fragile()
    monkeypatch.setattr(orchestration.inspector, "open_inspector", lambda _settings: fragile)
    monkeypatch.setattr(application, "BEGUN_LEAD_S", 0.0)
    return fragile


async def _alone(replica: InspectorReplica, pair: tuple[bytes, bytes]) -> list[bytes]:
    return [said async for said in replica.analyse_alone(*pair)]


def test_a_frame_alone_is_announced_before_its_result(inspector: Fragile) -> None:
    other = frame("C1", 4)
    begun, result = asyncio.run(_alone(InspectorReplica(Settings()), (other.header.to_json(), other.data)))
    assert begun == BEGUN
    assert FrameResult.from_json(result) == InThisProcess().inspector.analyse([other])[0]


def test_a_frame_that_fails_says_nothing_against_the_process(inspector: Fragile) -> None:
    replica = InspectorReplica(Settings())
    with pytest.raises(ValueError, match="for the test"):
        asyncio.run(replica.analyse([PAIR]))
    replica.check_health()


def test_a_process_that_fails_at_every_frame_says_so_and_is_replaced(inspector: Fragile) -> None:
    inspector.broken = True
    replica = InspectorReplica(Settings())
    with pytest.raises(BrokenInspectorError) as caught:
        asyncio.run(replica.analyse([PAIR]))
    assert caught.value.retriable
    with pytest.raises(RuntimeError, match="fails at every frame"):
        replica.check_health()


def test_an_inspection_that_does_not_end_fails_the_health_check(inspector: Fragile) -> None:
    replica = InspectorReplica(Settings())
    replica._busy_since = time.monotonic() - 2 * application.STUCK_AFTER_S
    with pytest.raises(RuntimeError, match="has not ended for"):
        replica.check_health()


def test_each_replica_of_a_machine_takes_its_next_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(
        orchestration.inspector, "open_inspector", lambda settings: opened.append(settings.model.device)
    )
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    for rank in range(3):
        context = SimpleNamespace(rank=SimpleNamespace(local_rank=rank))
        monkeypatch.setattr(serve, "get_replica_context", lambda context=context: context)
        InspectorReplica(Settings())
    InspectorReplica(Settings.model_validate({"model": {"device": "cpu"}}))
    assert opened == ["cuda:0", "cuda:1", "cuda:0", "cpu"]
