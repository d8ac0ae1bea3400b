"""How a frame worker reaches the inspectors: calls over a Serve handle, tried again when a replica dies."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from ray.exceptions import RayTaskError, TaskCancelledError
from ray.serve.handle import DeploymentHandle

from ingest.records import EncodedFrame
from orchestration.backoff import Backoff
from orchestration.errors import InspectorsAwayError
from orchestration.suspects import DEATHS, PASSING, Suspects
from workers.inspection.records import FrameResult, ModelIdentity

PATIENCE_S = 60.0
"""How long a call is tried again, beside the time of one that hangs. The worker then begins anew: its frames
still wait in Kafka."""
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
        timeout_s: an inspector that has not answered for this long hangs: another one is asked. That says
            nothing about the frames; one that makes its inspectors hang has them replaced, which does.
    """

    def __init__(self, handle: DeploymentHandle[Any], calls: int, timeout_s: float) -> None:
        self._handle = handle
        self._timeout_s = timeout_s
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
                return self._ask(method, *arguments)
            except (RayTaskError, *DEATHS):
                raise
            except PASSING as error:
                log.warning("inspector call '%s' is tried again: %s", method, error)
                if not backoff.pause():
                    raise InspectorsAwayError(f"no inspector has answered for long: {error}") from error

    def _ask(self, method: str, *arguments: object) -> Any:  # noqa: ANN401 - whatever the method returns
        response = getattr(self._handle, method).remote(*arguments)
        try:
            return response.result(timeout_s=self._timeout_s)
        except TimeoutError:
            # Else one that hung and goes on would inspect for nobody.
            response.cancel()
            raise

    def _call_alone(self, header: bytes, data: bytes) -> Iterator[bytes]:
        """What an inspector says, word by word.

        Raises:
            TimeoutError: the next word has not come in time.
        """
        stream: Any = self._handle.options(stream=True).analyse_alone.remote(header, data)
        # Only the asynchronous form of a stream can be left while it says nothing.
        with asyncio.Runner() as runner:
            while True:
                try:
                    yield runner.run(asyncio.wait_for(anext(stream), self._timeout_s))
                except StopAsyncIteration:
                    return
                except TimeoutError:
                    stream.cancel()
                    raise TimeoutError(f"an inspector has said nothing for {self._timeout_s:.0f} s") from None
                except asyncio.CancelledError:
                    raise TaskCancelledError from None

    def _backoff(self) -> Backoff:
        patience_s = PATIENCE_S + self._timeout_s
        return Backoff(FIRST_PAUSE_S, LONGEST_PAUSE_S, patience_s, wait=self._closed.wait)
