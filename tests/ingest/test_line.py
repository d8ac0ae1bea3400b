from __future__ import annotations

from pathlib import Path

import pytest

from ingest.errors import BadLineError
from ingest.line import LineCamera, load_line
from ingest.records import CameraBand, CoilOpened

CAMERA = """
[[cameras]]
side = "top"
camera = "drive"
across_mm = 0
columns = 480
mm_per_row = 0.5
mm_per_column = 0.5
"""
SECOND = CAMERA.replace("drive", "work").replace("across_mm = 0", "across_mm = 230.5")


def written(directory: Path, text: str) -> Path:
    file = directory / "line.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_line_is_read_from_its_file_or_its_folder(tmp_path: Path) -> None:
    file = written(tmp_path, 'name = "line-1"\n' + CAMERA + SECOND + 'folder = "cameras/work"\n')
    line = load_line(file)
    assert load_line(tmp_path) == line
    assert [camera.camera for camera in line.cameras] == ["drive", "work"]
    assert line.cameras[0].right_mm == 240.0
    assert line.cameras[1].folder == Path("cameras/work")


def test_bands_travel_without_their_source() -> None:
    camera = LineCamera(
        side="top",
        camera="a",
        across_mm=1,
        columns=4,
        mm_per_row=0.5,
        mm_per_column=0.25,
        folder=Path("x"),
    )
    assert type(camera.band) is CameraBand
    opened = CoilOpened(line="line-1", coil="c", cameras=(camera.band,))
    assert CoilOpened.from_json(opened.to_json()) == opened


BAD_LINES = {
    "no toml": ("name = ", "expected TOML"),
    "no name": (CAMERA, "name: Field required"),
    "bad name": ('name = "a/b"' + CAMERA, "name: .*got 'a/b'"),
    "no cameras": ('name = "line-1"', "cameras: Field required"),
    "unknown key": (
        'name = "line-1"\nspeed = 3' + CAMERA,
        "speed: unknown key, expected one of name, cameras",
    ),
    "unknown camera key": (
        'name = "line-1"' + CAMERA.replace("columns", "colums"),
        r"cameras\.0\.colums: unknown key, expected one of side, camera, across_mm, columns",
    ),
    "wrong side": ('name = "line-1"' + CAMERA.replace("top", "left"), r"cameras\.0\.side: .*got 'left'"),
    "no columns": ('name = "line-1"' + CAMERA.replace("480", "0"), r"cameras\.0\.columns: .*got 0"),
    "twice": ('name = "line-1"' + CAMERA + CAMERA, "each camera once a side, got top/drive twice"),
    "too many cameras": ('name = "line-1"' + CAMERA * 501, "cameras: .* at most 500 items"),
    "bad pattern": ('name = "line-1"' + CAMERA + 'pattern = "("', "expected a regular expression"),
    "bad repetition": (
        'name = "line-1"' + CAMERA + 'pattern = "a{99999999999}"',
        "the repetition number is too",
    ),
    "bad flags": ('name = "line-1"' + CAMERA + 'pattern = "(?a)(?u)"', "expected a regular expression"),
    "nested pattern": (
        'name = "line-1"' + CAMERA + f'pattern = "{"(" * 5_000}"',
        r"cameras\.0\.pattern: expected a regular expression: maximum recursion depth exceeded.*\(got '\(\(",
    ),
    "two sources": ('name = "line-1"' + CAMERA + 'folder = "a"\nvideo = "b.mp4"', "got both"),
    "cameras no tables": ('name = "line-1"\ncameras = 3', "cameras: .*got 3"),
}


@pytest.mark.parametrize(("text", "message"), BAD_LINES.values(), ids=BAD_LINES)
def test_bad_lines_name_file_field_and_value(tmp_path: Path, text: str, message: str) -> None:
    file = written(tmp_path, text)
    with pytest.raises(BadLineError, match=message) as caught:
        load_line(file)
    assert str(caught.value).startswith(str(file))
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadLineError, match=r"line\.toml: expected a line description, got No such file"):
        load_line(tmp_path)


def test_the_documented_example_is_a_line(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "line.md").read_text(encoding="utf-8")
    line = load_line(written(tmp_path, page.split("```toml\n")[1].split("```")[0]))
    assert len(line.cameras) == 3
