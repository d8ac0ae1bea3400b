"""How a frame worker reaches the inspectors: calls over a Serve handle, tried again when a replica dies."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from ray.exceptions import GetTimeoutError, ObjectLostError, RayActorError, WorkerCrashedError
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError
from ray.serve.handle import DeploymentHandle

from ingest.records import EncodedFrame
from workers.inspection.records import FrameResult, ModelIdentity

CALL_TIMEOUT_S = 120.0
"""A batch takes seconds; after two minutes the replica hangs and another one is asked."""
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0
"""Pauses between attempts double from the first to the longest, with jitter, so that workers do not call in
step. There is no last attempt: frames wait in Kafka for as long as there is no inspector."""
IDENTITY_AGE_S = 5.0
"""How long a model swap may go unnoticed by cache look-ups."""

PASSING = (
    RayActorError,
    WorkerCrashedError,
    ObjectLostError,
    GetTimeoutError,
    TimeoutError,
    BackPressureError,
    DeploymentUnavailableError,
)
"""Ray's errors that say nothing about the frames: a replica died, or there is none for the moment."""

log = logging.getLogger(__name__)


class ServeInspectionClient:
    """Inspects batches by calls to the inspector deployment.

    Args:
        handle: of the inspector deployment.
        calls: calls under way at once.
    """

    def __init__(self, handle: DeploymentHandle[Any], calls: int) -> None:
        self._handle = handle
        self._executor = ThreadPoolExecutor(calls, thread_name_prefix="inspection-call")
        self._identity: ModelIdentity | None = None
        self._identity_at = float("-inf")
        self.retries = 0

    def identity(self) -> ModelIdentity:
        """The model of the inspectors, at most a few seconds old."""
        if self._identity is None or time.monotonic() - self._identity_at > IDENTITY_AGE_S:
            self._identity = ModelIdentity.from_json(self._call("identity"))
            self._identity_at = time.monotonic()
        return self._identity

    def submit(self, frames: Sequence[EncodedFrame]) -> Future[list[FrameResult]]:
        """Start a call; the future holds one result per frame, in order."""
        return self._executor.submit(self._analyse, list(frames))

    def _analyse(self, frames: list[EncodedFrame]) -> list[FrameResult]:
        payload = [(frame.header.to_json(), frame.data) for frame in frames]
        return [FrameResult.from_json(result) for result in self._call("analyse", payload)]

    def _call(self, method: str, *arguments: object) -> Any:  # noqa: ANN401 - whatever the method returns
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                response = getattr(self._handle, method).remote(*arguments)
                return response.result(timeout_s=CALL_TIMEOUT_S)
            except PASSING as error:
                self.retries += 1
                log.warning("inspector call '%s' is tried again: %s", method, error)
                time.sleep(pause_s * random.uniform(0.5, 1.5))
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
