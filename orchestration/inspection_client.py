"""How a frame worker reaches the inspectors: calls over a Serve handle, tried again when a replica dies."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from ray.exceptions import RayError, RayTaskError
from ray.serve.exceptions import RayServeException
from ray.serve.handle import DeploymentHandle

from ingest.records import EncodedFrame
from orchestration.errors import OrchestrationError
from workers.inspection.records import FrameResult, ModelIdentity

CALL_TIMEOUT_S = 120.0
"""A batch takes seconds; after two minutes the replica hangs and another one is asked."""
PATIENCE_S = 60.0
"""How long a call is tried again. The worker then begins anew: its frames still wait in Kafka."""
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0
"""Pauses between attempts double from the first to the longest, with jitter, so that workers do not call in
step."""
IDENTITY_AGE_S = 5.0
"""How long a model swap may go unnoticed by cache look-ups."""

log = logging.getLogger(__name__)


class InspectorsAwayError(OrchestrationError):
    """No inspector has answered for as long as a call is tried."""

    retriable = True


class ServeInspectionClient:
    """Inspects batches by calls to the inspector deployment.

    Args:
        handle: of the inspector deployment.
        calls: calls under way at once.
    """

    def __init__(self, handle: DeploymentHandle[Any], calls: int) -> None:
        self._handle = handle
        # One more for the question who the inspectors are.
        self._executor = ThreadPoolExecutor(calls + 1, thread_name_prefix="inspection-call")
        self._identity: ModelIdentity | None = None
        self._asked: Future[ModelIdentity] | None = None
        self._asked_at = float("-inf")

    def identity(self) -> ModelIdentity | None:
        """The model of the inspectors, at most a few seconds old; None until they have answered."""
        if self._asked is not None and self._asked.done():
            if self._asked.exception() is None:
                self._identity = self._asked.result()
            self._asked = None
        if self._asked is None and time.monotonic() - self._asked_at > IDENTITY_AGE_S:
            self._asked = self._executor.submit(self._ask_identity)
            self._asked_at = time.monotonic()
        return self._identity

    def submit(self, frames: Sequence[EncodedFrame]) -> Future[list[FrameResult]]:
        """Start a call; the future holds one result per frame, in order.

        The future raises `InspectorsAwayError` when no inspector has answered for long.
        """
        return self._executor.submit(self._analyse, list(frames))

    def _ask_identity(self) -> ModelIdentity:
        return ModelIdentity.from_json(self._call("identity"))

    def _analyse(self, frames: list[EncodedFrame]) -> list[FrameResult]:
        """Results of a batch. Where inspection itself fails, each frame is tried alone."""
        payload = [(frame.header.to_json(), frame.data) for frame in frames]
        try:
            return [FrameResult.from_json(result) for result in self._call("analyse", payload)]
        except RayTaskError as error:
            if len(frames) == 1:
                reason = f"inspection failed: {type(error.cause).__name__}"
                log.exception("frame %d cannot be inspected", frames[0].header.sequence)
                return [FrameResult(status="unreadable", reason=reason)]
        return [result for frame in frames for result in self._analyse([frame])]

    def _call(self, method: str, *arguments: object) -> Any:  # noqa: ANN401 - whatever the method returns
        pause_s = FIRST_PAUSE_S
        give_up_at = time.monotonic() + PATIENCE_S
        while True:
            try:
                response = getattr(self._handle, method).remote(*arguments)
                return response.result(timeout_s=CALL_TIMEOUT_S)
            except RayTaskError:
                raise
            except (RayError, RayServeException, TimeoutError) as error:
                # A replica died, or there is none for the moment: that says nothing about the frames.
                if time.monotonic() > give_up_at:
                    raise InspectorsAwayError(f"no inspector for {PATIENCE_S:.0f} s: {error}") from error
                log.warning("inspector call '%s' is tried again: %s", method, error)
                time.sleep(pause_s * random.uniform(0.5, 1.5))
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
