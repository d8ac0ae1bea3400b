"""An inspector replica without a network, whose process is killed by some frames."""

from __future__ import annotations

import os
import signal

import orchestration.inspector
from orchestration.application import InspectorReplica
from orchestration.settings import Settings
from tests.workers.streams.frames import InThisProcess

DEADLY = b"whoever decodes this dies"


class DeadlyReplica(InspectorReplica):
    """The inspector of the application, but for its network and the frames it dies of."""

    def __init__(self) -> None:
        orchestration.inspector.open_inspector = lambda _settings: InThisProcess().inspector  # type: ignore[assignment]
        super().__init__(Settings())

    def _analyse(self, frames: list[tuple[bytes, bytes]]) -> list[bytes]:
        for _, data in frames:
            if data == DEADLY:
                os.kill(os.getpid(), signal.SIGKILL)
        return super()._analyse(frames)
