from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from ingest.codecs import decode
from ingest.errors import SourceError
from ingest.line import Line, LineCamera
from ingest.records import CameraBand, bytes_digest
from ingest.sources.folder import FolderSource
from ingest.sources.video import VideoSource, video_columns

ROWS, COLUMNS, FRAMES, FRAMES_PER_S = 48, 64, 5, 25.0


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("video") / "strip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), FRAMES_PER_S, (COLUMNS, ROWS))
    for number in range(FRAMES):
        writer.write(np.full((ROWS, COLUMNS, 3), 40 * number + 20, np.uint8))
    writer.release()
    return path


def band(columns: int = COLUMNS) -> CameraBand:
    return CameraBand(
        side="bottom", camera="film", across_mm=0, columns=columns, mm_per_row=0.5, mm_per_column=0.5
    )


def test_frames_adjoin_where_no_speed_is_known(video: Path) -> None:
    coil = VideoSource(video, band(), line="line-1", coil="coil-1")
    frames = list(coil.frames())
    assert coil.total_frames == FRAMES
    assert [frame.header.along_mm for frame in frames] == [0, 24, 48, 72, 96]
    grey = [float(decode(frame.data, frame.header).mean()) for frame in frames]
    assert grey == pytest.approx([20, 60, 100, 140, 180], abs=3)
    assert (coil.closed()[0].frames, coil.closed()[0].end_mm) == (FRAMES, 120.0)


def test_speed_places_the_frames(video: Path) -> None:
    coil = VideoSource(video, band(), line="line-1", coil="coil-1", speed_mps=2.0)
    along_mm = [frame.header.along_mm for frame in coil.frames()]
    assert along_mm == pytest.approx([0, 80, 160, 240, 320])


def test_what_is_missing_of_a_video_is_unreadable(video: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.avi"
    content = video.read_bytes()
    chunks = [at for at in range(len(content)) if content.startswith(b"00dc", at)]
    cut.write_bytes(content[: chunks[3] + 20])
    coil = VideoSource(cut, band(), line="line-1", coil="coil-1")
    frames = list(coil.frames())
    read = sum(bool(frame.data) for frame in frames)
    assert 0 < read < FRAMES
    assert [frame.header.along_mm for frame in frames] == [0, 24, 48, 72, 96]
    assert {frame.header.digest for frame in frames[read:]} == {bytes_digest(b"")}
    assert (coil.closed()[0].frames, coil.closed()[0].end_mm) == (FRAMES, 120.0)


def test_a_frame_too_large_to_travel_becomes_unreadable(
    video: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("ingest.sources.source.MAX_FRAME_BYTES", ROWS * COLUMNS - 1)
    coil = VideoSource(video, band(), line="line-1", coil="coil-1", encoding="raw")
    frames = list(coil.frames())
    assert [(frame.header.along_mm, frame.header.height) for frame in frames] == [
        (along_mm, ROWS) for along_mm in (0, 24, 48, 72, 96)
    ]
    assert {(frame.data, frame.header.digest) for frame in frames} == {(b"", bytes_digest(b""))}
    assert (
        f"{video}: frame 4 is passed on as unreadable: expected at most 3071 bytes, got 3072" in caplog.text
    )
    assert (coil.closed()[0].frames, coil.closed()[0].end_mm) == (FRAMES, 120.0)


def test_a_frame_that_ends_beyond_any_strip_is_refused(video: Path) -> None:
    far = band().model_copy(update={"mm_per_row": 1_000.0})
    coil = VideoSource(video, far, line="line-1", coil="coil-1", speed_mps=7.49e5)
    with pytest.raises(
        SourceError, match="frame 1 of bottom/film: expected a frame that ends at 30000000 mm"
    ):
        list(coil.frames())


def test_a_line_may_name_a_video(video: Path) -> None:
    described = LineCamera(**band().model_dump(), video=Path(video.name))
    line = Line(name="line-1", cameras=(described,))
    coil = FolderSource(video.parent, line="line-1", coil="coil-1", line_description=line)
    assert coil.opened().cameras == (band(),)
    assert len(list(coil.frames())) == FRAMES


def test_another_width_is_refused(video: Path) -> None:
    assert video_columns(video) == COLUMNS
    with pytest.raises(SourceError, match="expected a video of 65 columns, got 64"):
        VideoSource(video, band(65), line="line-1", coil="coil-1")


def test_what_is_no_video_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "strip.avi"
    with pytest.raises(SourceError, match="no such file"):
        VideoSource(file, band(), line="line-1", coil="coil-1")
    file.write_bytes(b"no video")
    with pytest.raises(SourceError, match="expected a video that OpenCV can read"):
        VideoSource(file, band(), line="line-1", coil="coil-1")
