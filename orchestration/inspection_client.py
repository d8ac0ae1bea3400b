"""How a frame worker reaches the inspectors: calls over a Serve handle, tried again when a replica dies."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, cast

from ray.exceptions import RayTaskError
from ray.serve.handle import DeploymentHandle

from ingest.records import EncodedFrame
from orchestration.backoff import Backoff
from orchestration.errors import InspectorsAwayError
from orchestration.suspects import DEATHS, PASSING, Suspects
from workers.inspection.records import FrameResult, ModelIdentity

CALL_TIMEOUT_S = 120.0
"""A batch takes seconds; after two minutes the replica hangs and another one is asked."""
PATIENCE_S = 60.0
"""How long a call is tried again. The worker then begins anew: its frames still wait in Kafka."""
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0
IDENTITY_AGE_S = 5.0
"""How long a model swap may go unnoticed by cache look-ups."""

log = logging.getLogger(__name__)


class ServeInspectionClient:
    """Inspects batches by calls to the inspector deployment.

    A batch that fails, by an error or by the death of its inspector, is inspected frame by frame, so that
    what is wrong with one of them costs no other (`orchestration.suspects`).

    Args:
        handle: of the inspector deployment.
        calls: calls under way at once.
    """

    def __init__(self, handle: DeploymentHandle[Any], calls: int) -> None:
        self._handle = handle
        # One more for the question who the inspectors are.
        self._executor = ThreadPoolExecutor(calls + 1, thread_name_prefix="inspection-call")
        self._closed = threading.Event()
        self._suspects = Suspects(self._call_alone, self._backoff)
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

    def close(self) -> None:
        """Let calls under way run out, start none and try none again."""
        self._closed.set()
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _ask_identity(self) -> ModelIdentity:
        return ModelIdentity.from_json(self._call("identity"))

    def _analyse(self, frames: list[EncodedFrame]) -> list[FrameResult]:
        payload = [(frame.header.to_json(), frame.data) for frame in frames]
        try:
            return [FrameResult.from_json(result) for result in self._call("analyse", payload)]
        except (RayTaskError, *DEATHS) as error:
            log.warning("%d frames are inspected one by one: %s", len(frames), error)
        return [self._suspects.inspect(frame) for frame in frames]

    def _call(self, method: str, *arguments: object) -> Any:  # noqa: ANN401 - whatever the method returns
        """Call a method of some inspector, again while none can be asked.

        Raises:
            RayTaskError: the method raised.
            RayError: one of `DEATHS`, with this call in hand.
            InspectorsAwayError: nobody has answered for long.
        """
        backoff = self._backoff()
        while True:
            try:
                return getattr(self._handle, method).remote(*arguments).result(timeout_s=CALL_TIMEOUT_S)
            except (RayTaskError, *DEATHS):
                raise
            except PASSING as error:
                log.warning("inspector call '%s' is tried again: %s", method, error)
                if not backoff.pause():
                    raise InspectorsAwayError(f"no inspector for {PATIENCE_S:.0f} s: {error}") from error

    def _call_alone(self, header: bytes, data: bytes) -> Iterator[bytes]:
        stream = self._handle.options(stream=True).analyse_alone.remote(header, data)
        return cast("Iterator[bytes]", stream)

    def _backoff(self) -> Backoff:
        return Backoff(FIRST_PAUSE_S, LONGEST_PAUSE_S, PATIENCE_S, wait=self._closed.wait)
