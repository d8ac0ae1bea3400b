from __future__ import annotations

from ingest.records import CameraClosed, CoilOpened, EncodedFrame, FrameHeader
from orchestration.streaming import Streamed, stream
from tests.faults.publisher_process import MM_PER_FRAME, PlainCoil

FRAMES = 10
SPEED_MPS = 0.01
FRAME_S = MM_PER_FRAME / 1000 / SPEED_MPS


class Strip:
    """A clock that only sleeping moves, and a publisher that some frames were given to before."""

    def __init__(self, known: int = 0) -> None:
        self.known = known
        self.time_s = 100.0
        self.came: list[CoilOpened | CameraClosed | tuple[str, int, float]] = []
        self.flushed = False

    def clock(self) -> float:
        return self.time_s

    def sleep(self, seconds: float) -> None:
        self.time_s += seconds

    def open_coil(self, opened: CoilOpened) -> None:
        self.came.append(opened)

    def has(self, header: FrameHeader) -> bool:
        return header.sequence < self.known

    def send(self, frame: EncodedFrame) -> None:
        header = frame.header
        self.came.append((header.camera, header.sequence, round((self.time_s - 100) / FRAME_S, 6)))

    def close_camera(self, closed: CameraClosed) -> None:
        self.came.append(closed)

    def flush(self) -> None:
        self.flushed = True


def test_a_coil_is_published_when_the_strip_has_reached_it() -> None:
    strip, told, source = Strip(), list[Streamed](), PlainCoil("C1", FRAMES)
    frames = stream(
        source, strip, speed_mps=SPEED_MPS, progress=told.append, clock=strip.clock, sleep=strip.sleep
    )
    assert frames == 2 * FRAMES
    assert strip.came == [
        source.opened(),
        *((camera, at, at) for at in range(FRAMES) for camera in ("left", "right")),
        *source.closed(),
    ]
    assert strip.flushed
    assert told[-1].frames == 2 * FRAMES
    assert told[-1].behind_s < 1e-6


def test_a_strip_that_goes_on_does_not_wait_for_what_was_published_before() -> None:
    strip, source = Strip(known=7), PlainCoil("C1", FRAMES)
    assert stream(source, strip, speed_mps=SPEED_MPS, clock=strip.clock, sleep=strip.sleep) == 2 * FRAMES
    assert strip.came[1:-2] == [(camera, at, at - 7) for at in (7, 8, 9) for camera in ("left", "right")]


def test_without_a_speed_nothing_waits() -> None:
    strip = Strip()
    stream(PlainCoil("C1", FRAMES), strip, clock=strip.clock, sleep=strip.sleep)
    assert strip.time_s == 100
