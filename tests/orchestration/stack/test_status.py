from __future__ import annotations

import pytest

from orchestration.settings import RaySettings
from orchestration.stack.status import application_status


@pytest.mark.parametrize(
    ("replicas", "health", "said"),
    [
        ({}, "down", "not deployed"),
        ({"Inspector": 1}, "starting", "FrameWorker 0/3, Inspector 1/2, CoilWorker 0/1"),
        (
            {"FrameWorker": 3, "Inspector": 2, "CoilWorker": 1},
            "up",
            "FrameWorker 3/3, Inspector 2/2, CoilWorker 1/1",
        ),
        (
            {"FrameWorker": 4, "Inspector": 2, "CoilWorker": 1},
            "up",
            "FrameWorker 4/3, Inspector 2/2, CoilWorker 1/1",
        ),
    ],
    ids=["none", "some", "all", "scaled up"],
)
def test_the_application_is_up_when_every_replica_is(
    replicas: dict[str, int], health: str, said: str
) -> None:
    status = application_status("here", replicas, RaySettings(frame_workers=3, inspectors=2))
    assert (status.part, status.address, status.health, status.lag) == ("Application", "here", health, said)
