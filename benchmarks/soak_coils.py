"""The coils of a soak: one after the other without end, some with a broken frame or one that never comes."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator

from ingest.errors import IngestError
from ingest.publisher import Publisher
from ingest.records import EncodedFrame
from orchestration.settings import Settings
from orchestration.streaming import stream
from tests.faults.small_coil import Rearranged, SmallCoil

FRAMES_PER_CAMERA = (15, 60)
STRIPS = 4
"""Different strips; a mark in every frame makes each pass of one new to the result cache."""
MARKS = 200
REPLAYED_SHARE = 0.3
"""Coils that come with the pixels of an earlier one: the result cache knows them, where Redis still does."""
BROKEN_SHARE = 0.2
HOLED_SHARE = 0.1
CONNECT_TIMEOUT_S = 120.0
"""A broker that is being killed is no reason to end the soak."""


def coils(random_: random.Random) -> Iterator[Rearranged]:
    """Coils without end, the same ones for the same generator."""
    number = 0
    while True:
        number += 1
        mark = random_.randrange(3) if random_.random() < REPLAYED_SHARE else 3 + number % MARKS
        coil = SmallCoil(
            f"soak-{number:05d}",
            seed=random_.randrange(STRIPS),
            frames_per_camera=random_.choice(FRAMES_PER_CAMERA),
            mark=mark,
        )
        frames = list(coil.frames())
        if random_.random() < BROKEN_SHARE:
            at = random_.randrange(len(frames))
            frames[at] = EncodedFrame(frames[at].header, b"not the pixels that the header promises")
        if random_.random() < HOLED_SHARE:
            frames.pop(random_.randrange(len(frames)))
        yield Rearranged(coil, frames)


class CoilsThread:
    """Publishes coils until it is stopped.

    Args:
        settings: with the addresses of a running line.
        speed_mps: speed of the strip.
    """

    def __init__(self, settings: Settings, random_: random.Random, speed_mps: float) -> None:
        self.sent: list[Rearranged] = []
        self._settings, self._random, self._speed_mps = settings, random_, speed_mps
        self._failure: BaseException | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="coils", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raise what ended the publishing too early, if anything did.

        Raises:
            IngestError: a coil could not be published.
        """
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Let the coil in hand end, and the thread with it.

        Raises:
            IngestError: a coil could not be published.
        """
        self._stop.set()
        self._thread.join()
        self.check()

    def _run(self) -> None:
        try:
            for coil in coils(self._random):
                if self._stop.is_set():
                    return
                with Publisher(
                    self._settings.kafka.connection(), connect_timeout_s=CONNECT_TIMEOUT_S
                ) as publisher:
                    stream(coil, publisher, speed_mps=self._speed_mps)
                self.sent.append(coil)
        except IngestError as failure:
            self._failure = failure
