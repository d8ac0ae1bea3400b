"""Frames under suspicion: their batch has failed, and each is inspected alone until it is known why.

A process that inspects one frame alone says so before it begins (`BEGUN`). If it dies then, the frame may
have killed it, or somebody else. So a frame is condemned only when that happened twice, and each time a
control frame of ours was inspected soon after without harm. Where the control dies too, inspectors die of
something else, and the frame goes free: a kill from outside condemns a frame only if it hits that frame's own
milliseconds twice and the control's never. An error that a frame raises alone condemns it at once, if the
control raises none and the inspector does not say that it is broken itself.

A frame is tried alone right after its batch has failed, and not after halves of it: a death costs the start
of a process, ten seconds, and a call alone milliseconds.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
from ray.exceptions import (
    NodeDiedError,
    OutOfMemoryError,
    RayActorError,
    RayError,
    RayTaskError,
    WorkerCrashedError,
)
from ray.serve.exceptions import RayServeException

from ingest.codecs import encode_frame
from ingest.records import EncodedFrame, FrameHeader
from orchestration.backoff import Backoff
from orchestration.errors import BrokenInspectorError, InspectorsAwayError
from workers.inspection.records import FrameResult

BEGUN = b"begun"
"""What an inspector says before it inspects a frame alone."""
FATAL_DEATHS = 2
"""Deaths with a frame alone under way that condemn it: one may be chance, three cost another process."""
MOST_TRIES = 5
"""Of a frame whose inspection fails with an error that says it is retriable."""
CONTROL_PX = 256
KILLER = "its inspection killed an inspector process twice"

DEATHS = (RayActorError, WorkerCrashedError, OutOfMemoryError, NodeDiedError)
"""An inspector's process ended with a call in hand. A task's own error (`RayTaskError`) is none of them."""
PASSING = (RayError, RayServeException, TimeoutError)
"""Nobody is there to ask for the moment; asked after the others, whose base some of them are."""

log = logging.getLogger(__name__)

CallAlone = Callable[[bytes, bytes], Iterator[bytes]]
"""Inspects header JSON and encoded pixels alone: `BEGUN`, then the JSON of a `FrameResult`."""


class InspectorDiedError(Exception):
    """An inspector died while it had one frame alone in hand."""

    def __init__(self, *, begun: bool) -> None:
        super().__init__("an inspector died " + ("with it alone under way" if begun else "before it began"))
        self.begun = begun


class Suspects:
    """Inspects frames one by one, and finds out which of them cannot be inspected.

    Args:
        call: reaches an inspector, whichever is free.
        backoff: makes the pauses between the attempts of one frame.
    """

    def __init__(self, call: CallAlone, backoff: Callable[[], Backoff]) -> None:
        self._call = call
        self._backoff = backoff

    def inspect(self, frame: EncodedFrame) -> FrameResult:
        """The result of a frame whose batch has failed; `unreadable` where the frame is to blame.

        Raises:
            InspectorsAwayError: nobody has answered for long: that says nothing about the frame.
        """
        backoff = self._backoff()
        deaths = failures = tries = 0
        while True:
            # The batch was the first.
            tries += 1
            try:
                return self._alone(frame)
            except RayTaskError as error:
                failures += not _is_inspectors_fault(error)
                if _is_final(error, failures) and self._control_survives():
                    log.exception("frame %d cannot be inspected", frame.header.sequence)
                    return _unreadable(f"inspection failed: {type(error.cause).__name__}", tries + 1)
            except InspectorDiedError as death:
                if death.begun:
                    deaths = deaths + 1 if self._control_survives() else 0
                    backoff.progress()
                log.warning("frame %d: %s, %d counted", frame.header.sequence, death, deaths)
                if deaths == FATAL_DEATHS:
                    return _unreadable(KILLER, tries + 1)
            except PASSING as error:
                log.warning("frame %d is tried again: %s", frame.header.sequence, error)
            _pause(backoff)

    def _alone(self, frame: EncodedFrame) -> FrameResult:
        begun = False
        try:
            for said in self._call(frame.header.to_json(), frame.data):
                if said != BEGUN:
                    return FrameResult.from_json(said)
                begun = True
        except DEATHS as error:
            raise InspectorDiedError(begun=begun) from error
        raise InspectorDiedError(begun=False)

    def _control_survives(self) -> bool:
        backoff = self._backoff()
        while True:
            try:
                self._alone(control_frame())
            except RayTaskError:
                return False
            except InspectorDiedError as death:
                if death.begun:
                    return False
            except PASSING as error:
                log.warning("the control frame is tried again: %s", error)
            else:
                return True
            _pause(backoff)


@cache
def control_frame() -> EncodedFrame:
    """A small frame of grey noise without edges: it goes through the network like any other."""
    pixels = np.random.default_rng(0).integers(100, 160, (CONTROL_PX, CONTROL_PX), np.uint8)
    data, digest = encode_frame(pixels, "raw")
    header = FrameHeader(
        line="control",
        coil="control",
        side="top",
        camera="control",
        sequence=0,
        along_mm=0,
        across_mm=0,
        mm_per_row=1,
        mm_per_column=1,
        height=CONTROL_PX,
        width=CONTROL_PX,
        encoding="raw",
        digest=digest,
    )
    return EncodedFrame(header, data)


def _is_inspectors_fault(error: RayTaskError) -> bool:
    """Whether an inspector says that the error is its own, or Serve that it did not even get the call."""
    return isinstance(error.cause, BrokenInspectorError | RayServeException)


def _is_final(error: RayTaskError, failures: int) -> bool:
    if _is_inspectors_fault(error):
        return False
    return not getattr(error.cause, "retriable", False) or failures >= MOST_TRIES


def _unreadable(reason: str, attempts: int) -> FrameResult:
    return FrameResult(status="unreadable", reason=reason, attempts=attempts)


def _pause(backoff: Backoff) -> None:
    if not backoff.pause():
        raise InspectorsAwayError("no inspector has answered for long")
