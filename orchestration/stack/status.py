"""What `coilwatch status` says of each part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ingest.kafka import FRAMES_TOPIC, INSPECTIONS_TOPIC, KafkaConnection
from orchestration.errors import UnreachableError
from orchestration.settings import RaySettings, Settings
from orchestration.stack.strip_lag import seconds_behind
from orchestration.stack.topics import lag

Health = Literal["up", "starting", "down"]

APPLICATION_TITLE = "Application"


@dataclass(frozen=True, slots=True)
class PartStatus:
    """One part of the stack.

    Attributes:
        lag: for Kafka the records not yet worked on; else what there is to say, one line.
    """

    part: str
    address: str
    health: Health
    lag: str


def lag_of(connection: KafkaConnection, settings: Settings) -> str:
    """How many records each loop has still to commit, and how old the oldest frame of them is."""
    frames, inspections = settings.frame_worker.group, settings.coil_worker.group
    try:
        behind = lag(connection, {frames: FRAMES_TOPIC, inspections: INSPECTIONS_TOPIC})
        behind_s = seconds_behind(connection, frames) if behind[frames] else 0.0
    except UnreachableError as error:
        return str(error)
    return (
        f"{behind[frames]} frame records, {behind_s:.1f} s behind the strip; "
        f"{behind[inspections]} inspection records"
    )


def application_status(address: str, replicas: Mapping[str, int], wanted: RaySettings) -> PartStatus:
    """The application by its running replicas.

    Args:
        replicas: by deployment.
    """
    expected = {"FrameWorker": wanted.frame_workers, "Inspector": wanted.inspectors, "CoilWorker": 1}
    if not replicas:
        return PartStatus(APPLICATION_TITLE, address, "down", "not deployed")
    counts = ", ".join(f"{name} {replicas.get(name, 0)}/{count}" for name, count in expected.items())
    complete = all(replicas.get(name, 0) >= count for name, count in expected.items())
    return PartStatus(APPLICATION_TITLE, address, "up" if complete else "starting", counts)
