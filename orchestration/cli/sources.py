"""Turns what a user names on the command line into a source of frames."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from ingest.errors import SourceError
from ingest.line import LINE_FILE, Line, load_line
from ingest.records import CameraBand, Encoding, check_identifier
from ingest.sources.folder import FolderSource
from ingest.sources.source import DEFAULT_ENCODING, Source
from ingest.sources.video import VideoSource, video_columns
from orchestration.cli.console import say

VIDEO_SUFFIXES = {".mp4", ".avi", ".mkv", ".mov"}
DEFAULT_LINE = "line-1"
DEFAULT_MM_PER_PX = 1.0

SourceArgument = Annotated[
    Path, typer.Argument(help="Folder of images (one camera, or one sub-folder a camera), or a video file.")
]
CoilOption = Annotated[str, typer.Option("--coil", help="Id of the coil: letters, digits, '.', '_' and '-'.")]
LineOption = Annotated[
    Path | None,
    typer.Option("--line", help="Description of the line.", show_default="line.toml in the source folder"),
]
MmPerPxOption = Annotated[
    float | None,
    typer.Option(
        "--mm-per-px", min=0.0001, max=1000, help="Pixel size where no line.toml says it.", show_default="1"
    ),
]
PatternOption = Annotated[
    str | None,
    typer.Option(
        "--pattern",
        help="Where no line.toml says it: regular expression with a group 'camera' that tells cameras by "
        "file name, as in '(?P<camera>c1|c2)-.*'.",
    ),
]
EncodingOption = Annotated[
    Encoding | None,
    typer.Option("--encoding", help="Encode readable frames anew; images travel as they are without it."),
]


def open_source(
    path: Path,
    coil: str,
    *,
    run: int = 1,
    line_file: Path | None = None,
    mm_per_px: float | None = None,
    pattern: str | None = None,
    encoding: Encoding | None = None,
    speed_mps: float | None = None,
) -> Source:
    """The source of one coil.

    Raises:
        IngestError: the id, the line description or the source does not fit; one line says why.
    """
    check_identifier("coil", coil)
    if not path.exists():
        raise SourceError(f"source {path}: expected a folder of images or a video, found nothing")
    line = _line(path, line_file)
    if line is not None and (mm_per_px is not None or pattern is not None):
        raise SourceError(f"expected line {line.name} described once, got --mm-per-px or --pattern as well")
    if line is None and mm_per_px is None:
        say(f"No {LINE_FILE} and no --mm-per-px: taking {path} at {DEFAULT_MM_PER_PX:g} mm per pixel.")
    if _is_video(path):
        return _video(path, coil, run, line, mm_per_px, encoding, speed_mps)
    source = FolderSource(
        path,
        line=line.name if line else DEFAULT_LINE,
        coil=coil,
        run=run,
        line_description=line,
        mm_per_px=mm_per_px or DEFAULT_MM_PER_PX,
        pattern=pattern,
        encoding=encoding,
        speed_mps=speed_mps,
    )
    if line is None:
        _tell_assumed(source.opened().cameras)
    return source


def line_name(path: Path, line_file: Path | None = None) -> str:
    """The id of the line that a source is of.

    Raises:
        BadLineError: its description cannot be read.
    """
    line = _line(path, line_file)
    return line.name if line else DEFAULT_LINE


def _line(path: Path, line_file: Path | None) -> Line | None:
    if line_file is not None:
        return load_line(line_file)
    return load_line(path / LINE_FILE) if (path / LINE_FILE).is_file() else None


def _tell_assumed(cameras: Sequence[CameraBand]) -> None:
    """Name cameras whose side and place nobody has described; a single one can only be where it is taken."""
    if len(cameras) > 1:
        places = (f"{one.side}/{one.camera} from {one.across_mm:g} to {one.right_mm:g} mm" for one in cameras)
        say(f"No {LINE_FILE}: assuming cameras {', '.join(places)}.")


def _is_video(path: Path) -> bool:
    return path.suffix.lower() in VIDEO_SUFFIXES and path.is_file()


def _video(
    path: Path,
    coil: str,
    run: int,
    line: Line | None,
    mm_per_px: float | None,
    encoding: Encoding | None,
    speed_mps: float | None,
) -> Source:
    """A video is the frames of one camera: the line's only one, or one that begins at the drive side."""
    if line is not None and len(line.cameras) != 1:
        raise SourceError(f"video {path}: expected a line with one camera, got {len(line.cameras)}")
    scale = mm_per_px or DEFAULT_MM_PER_PX
    band = line.bands[0] if line else _band_of(path, scale)
    return VideoSource(
        path,
        band,
        line=line.name if line else DEFAULT_LINE,
        coil=coil,
        run=run,
        speed_mps=speed_mps,
        encoding=encoding or DEFAULT_ENCODING,
    )


def _band_of(path: Path, mm_per_px: float) -> CameraBand:
    return CameraBand(
        side="top",
        camera="camera",
        across_mm=0.0,
        columns=video_columns(path),
        mm_per_row=mm_per_px,
        mm_per_column=mm_per_px,
    )
