"""Inspectors that die of certain frames, as of a driver's fault or of memory that runs out."""

from __future__ import annotations

import os
import signal

from orchestration.application import InspectorReplica

DEADLY = b"whoever decodes this dies"


class DeadlyInspectorReplica(InspectorReplica):
    """The inspector of the application, but for the frames it dies of."""

    def _analyse(self, frames: list[tuple[bytes, bytes]]) -> list[bytes]:
        if any(data.startswith(DEADLY) for _, data in frames):
            os.kill(os.getpid(), signal.SIGKILL)
        return super()._analyse(frames)
