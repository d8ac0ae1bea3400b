"""What is said of a source that nobody has described."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from orchestration.cli.sources import open_source


def cameras(strip: Path, folder: Path, *names: str) -> Path:
    for name in names:
        shutil.copytree(strip / "left", folder / name)
    return folder


def test_assumed_sides_and_places_are_said(
    strip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    open_source(cameras(strip, tmp_path, "bottom", "drive", "work"), "C1", mm_per_px=0.5)
    assert capsys.readouterr().err == (
        "No line.toml: assuming cameras bottom/bottom from 0 to 240 mm, top/drive from 0 to 240 mm, "
        "top/work from 240 to 480 mm.\n"
    )


def test_nothing_is_said_of_one_camera_or_a_described_line(
    strip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    open_source(cameras(strip, tmp_path, "drive"), "C1", mm_per_px=0.5)
    open_source(strip, "C1")
    assert capsys.readouterr().err == ""
