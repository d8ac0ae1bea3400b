"""How a coil's frames travelled: all that may differ between two runs with the same report."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from ingest.records import Record

Count = Annotated[int, Field(ge=0)]


class Delivery(Record):
    """The account of transport of one coil. What nobody counted is None.

    Attributes:
        path: in one process, or through Kafka and Ray Serve.
        started_at: when the first frame was taken up.
        closed_at: when the coil was closed.
        revision: of the report that it stands beside.
        frames_sent: frames that the sources handed over.
        duplicates: frames that came again and were equal, and were ignored.
        conflicts: records that came again with other content; the first one counts.
        late_frames: frames that came after the coil had closed, and revised its report.
        dead_letters: frames laid aside as unreadable.
        retries: inspections that were tried again, of frames that stayed unreadable.
        cache_hits: frames answered from the result cache.
        cache_skipped: frames that the result cache was not asked about, because Redis was away.
        network_runs: frames that the networks were run on.
    """

    schema_version: Literal[1] = 1
    path: Literal["in-process", "distributed"] = "in-process"
    started_at: AwareDatetime | None = None
    closed_at: AwareDatetime | None = None
    revision: Annotated[int, Field(ge=1)] = 1
    frames_sent: Count | None = None
    duplicates: Count | None = None
    conflicts: Count | None = None
    late_frames: Count | None = None
    dead_letters: Count | None = None
    retries: Count | None = None
    cache_hits: Count | None = None
    cache_skipped: Count | None = None
    network_runs: Count | None = None

    @property
    def elapsed_s(self) -> float | None:
        """Seconds from the first frame to the closing of the coil, None where either is unknown."""
        if self.started_at is None or self.closed_at is None:
            return None
        return (self.closed_at - self.started_at).total_seconds()


def delivery_json(delivery: Delivery) -> bytes:
    """The account as JSON in declared order, indented for reading, with one newline at the end."""
    return delivery.model_dump_json(indent=2).encode() + b"\n"
