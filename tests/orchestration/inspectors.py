"""A Serve handle whose replicas fail as told."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ray.exceptions import ActorDiedError, ActorUnavailableError, RayTaskError
from ray.serve.exceptions import DeploymentUnavailableError

from ingest.records import EncodedFrame, FrameHeader
from orchestration.errors import BrokenInspectorError
from orchestration.suspects import BEGUN
from tests.workers.streams.frames import InThisProcess

Payload = list[tuple[bytes, bytes]]


class RetriableError(Exception):
    """A fault of the inspector that passes."""

    retriable = True


class SilentError(Exception):
    """Stands for an answer that does not come."""


class Response:
    def __init__(self, answer: Callable[[], Any]) -> None:
        self._answer = answer
        self.cancelled = False

    def result(self, timeout_s: float) -> Any:
        try:
            return self._answer()
        except SilentError:
            threading.Event().wait(timeout_s)
            raise TimeoutError from None

    def cancel(self) -> None:
        self.cancelled = True


class Method:
    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self.calls: list[Response] = []

    def remote(self, *arguments: Any) -> Response:
        self.calls.append(Response(lambda: self._function(*arguments)))
        return self.calls[-1]


class Words:
    """What an inspector says of a frame alone; None where it says nothing any more."""

    def __init__(self, words: Iterator[bytes | None]) -> None:
        self._words = words
        self.cancelled = False

    async def __anext__(self) -> bytes:
        for word in self._words:
            if word is None:
                await asyncio.Event().wait()
            else:
                return word
        raise StopAsyncIteration

    def cancel(self) -> None:
        self.cancelled = True


class Stream:
    def __init__(self, function: Callable[..., Iterator[bytes | None]]) -> None:
        self._function = function
        self.calls: list[Words] = []

    def remote(self, *arguments: Any) -> Words:
        self.calls.append(Words(self._function(*arguments)))
        return self.calls[-1]


class Inspectors:
    """Inspectors that fail.

    Args:
        away: calls that find nobody, first of all.
        deaths: batches whose inspector is killed from outside, after those.
        deaths_alone: the same of frames inspected alone, with the frame under way.
        control_dies: whether the control frame kills as well.
        poison: sequences whose inspection raises.
        killers: sequences whose inspection ends its process.
        broken: failures of inspectors that are broken themselves, one for each frame alone.
        passing: how often a poisoned inspection raises a retriable error before it passes; None for one that
            is not retriable.
        lost_words: how often the word that a frame is under way gets lost.
        hangs: how often an inspector hangs with a frame alone under way.
        silent: the same with a batch.
    """

    def __init__(
        self,
        *,
        away: int = 0,
        deaths: int = 0,
        deaths_alone: int = 0,
        control_dies: bool = False,
        poison: Sequence[int] = (),
        killers: Sequence[int] = (),
        broken: int = 0,
        passing: int | None = None,
        lost_words: int = 0,
        hangs: int = 0,
        silent: int = 0,
    ) -> None:
        self._local = InThisProcess()
        self._away = away
        self._deaths = deaths
        self._deaths_alone = deaths_alone
        self._control_dies = control_dies
        self._poison = set(poison)
        self._killers = set(killers)
        self._passing = passing
        self._broken = broken
        self._lost_words = lost_words
        self._hangs = hangs
        self._silent = silent
        self.asked = threading.Event()
        self.calls: list[int] = []
        self.alone: list[int] = []
        self.controls = 0
        self.killed = 0
        self.analyse = Method(self._analyse)
        self.identity = Method(lambda: self._local.identity().to_json())
        self.analyse_alone = Stream(self._analyse_alone)

    def options(self, *, stream: bool) -> Inspectors:
        assert stream
        return self

    def _analyse(self, payload: Payload) -> list[bytes]:
        self._nobody()
        self.calls.append(len(payload))
        if self._silent:
            self._silent -= 1
            raise SilentError
        if self._deaths:
            self._deaths -= 1
            raise ActorUnavailableError("the replica was killed", None)
        return self._results(payload)

    def _analyse_alone(self, header: bytes, data: bytes) -> Iterator[bytes | None]:
        self._nobody()
        sequence, control = self._note(header)
        if self._lost_words and sequence in self._killers and not control:
            self._lost_words -= 1
            raise ActorDiedError
        yield BEGUN
        if self._hangs:
            self._hangs -= 1
            yield None
        if self._broken:
            self._broken -= 1
            raise RayTaskError("analyse_alone", "traceback", BrokenInspectorError("the GPU is gone"))
        if control and self._control_dies:
            raise ActorDiedError
        if self._deaths_alone and not control:
            self._deaths_alone -= 1
            raise ActorDiedError
        yield from self._results([(header, data)])

    def _note(self, header: bytes) -> tuple[int, bool]:
        read = FrameHeader.from_json(header)
        control = read.camera == "control"
        if control:
            self.controls += 1
        else:
            self.alone.append(read.sequence)
        return read.sequence, control

    def _nobody(self) -> None:
        if self._away:
            self._away -= 1
            self.asked.set()
            raise DeploymentUnavailableError("no replica")

    def _results(self, payload: Payload) -> list[bytes]:
        frames = [EncodedFrame(FrameHeader.from_json(header), data) for header, data in payload]
        sequences = {one.header.sequence for one in frames if one.header.camera != "control"}
        if self._killers & sequences:
            self.killed += 1
            raise ActorDiedError
        if self._poison & sequences:
            if self._passing is None:
                raise RayTaskError("analyse", "traceback", ValueError("a frame that breaks the network"))
            if self._passing:
                self._passing -= 1
                raise RayTaskError("analyse", "traceback", RetriableError())
        return [result.to_json() for result in self._local.inspector.analyse(frames)]
