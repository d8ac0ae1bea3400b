"""How the two Kafka loops batch, wait and close."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

HANGING_S = 90.0
"""An inspection that does not end has its inspector replaced after up to 80 s. Whoever asks another one
before that never learns which frame it was, and asks with it for ever."""
MOST_POLL_S = 2.0
"""Longest wait for records in one step. A coil worker takes a step of more than 5 s for a pause of its own
and never closes a silent coil; one of more than 60 s counts as stuck, and its replica is replaced."""
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
PollTime = Annotated[float, Field(gt=0, le=MOST_POLL_S)]


class FrameLoopSettings(BaseModel):
    """Batches of the frame worker.

    Attributes:
        group: Kafka consumer group of the frame workers; another one reads all retained frames again.
        batch_frames: most frames in one inspector call. Fewer cost calls (2-6 ms each), more cost latency
            and make the work that a killed worker repeats longer.
        batch_bytes: most encoded bytes in one inspector call; one larger frame travels alone.
        batch_wait_s: how long a batch that is not full waits for more while others are under inspection.
        batches_in_flight: inspector calls under way at once. Two keep an inspector busy while the last
            batch is committed.
        inspection_timeout_s: how long an inspector may take over one call before another one is asked.
        poll_s: longest wait for frames while nothing is under inspection; what is there is taken at once.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    group: str = "coilwatch-frame-workers"
    batch_frames: Annotated[int, Field(ge=1, le=256)] = 8
    batch_bytes: Annotated[int, Field(ge=1024)] = 8 * 1024 * 1024
    batch_wait_s: Positive = 0.05
    batches_in_flight: Annotated[int, Field(ge=1, le=8)] = 2
    inspection_timeout_s: Annotated[float, Field(ge=HANGING_S, allow_inf_nan=False)] = 120.0
    poll_s: PollTime = 0.2


class CoilLoopSettings(BaseModel):
    """When a coil ends.

    Attributes:
        group: Kafka consumer group of the coil workers; another one reads all retained inspections again.
        grace_s: how long missing frames are waited for in silence, once every camera has ended. More where
            inspectors may be away for longer, less to have the report of a coil with holes sooner.
        idle_s: after how long without any record an open coil is closed. More than the longest stop of the
            line, or a strip that stands still is reported as an unfinished coil, and revised as it runs on.
        live_view_s: how often the live view of a coil is refreshed at most.
        poll_s: longest wait for inspections in one step; what is there is taken at once.
        poll_records: most inspections in one step. More make reading back faster, and each step longer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    group: str = "coilwatch-coil-workers"
    grace_s: Positive = 120.0
    idle_s: Positive = 3600.0
    live_view_s: Positive = 0.5
    poll_s: PollTime = 0.2
    poll_records: Annotated[int, Field(ge=1)] = 200
