"""Which image files of a folder belong to which camera."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from ingest.errors import BadRecordError, SourceError
from ingest.line import PATTERN_ERRORS, Line, LineCamera
from ingest.records import Side, check_identifier

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
SINGLE_CAMERA = "camera"
"""Id of the only camera of a flat folder."""
SIDES: dict[str, Side] = {"top": "top", "bottom": "bottom"}
"""By the name of a sub-folder, or what a pattern takes from a file name."""


@dataclass(frozen=True, slots=True)
class CameraFiles:
    """The images of one camera in strip order.

    Attributes:
        described: the camera as `line.toml` has it; None without one.
    """

    side: Side
    camera: str
    files: tuple[Path, ...]
    described: LineCamera | None = None


def natural_key(path: Path) -> tuple[list[tuple[int, int | str]], str]:
    """Sort key under which `frame-10` comes after `frame-9`."""
    parts = re.split(r"(\d+)", path.stem)
    return [(1, int(part)) if part.isdecimal() else (0, part) for part in parts], path.name


def images_in(folder: Path, pattern: str | None = None) -> tuple[Path, ...]:
    """The images right in a folder in natural order, links that lead nowhere among them, hidden files not.

    Raises:
        SourceError: the folder cannot be read.
    """
    try:
        files = [path for path in folder.iterdir() if _is_file(path) and not path.name.startswith(".")]
    except OSError as error:
        raise SourceError(f"expected a folder of images, got {folder}: {error.strerror}") from None
    images = (path for path in files if path.suffix.lower() in IMAGE_SUFFIXES)
    wanted = re.compile(pattern or ".*", re.DOTALL)
    return tuple(sorted((path for path in images if wanted.fullmatch(path.name)), key=natural_key))


def _is_file(path: Path) -> bool:
    """Whether it is a file or was one: a frame whose file is gone is unreadable, not unheard of."""
    return path.is_file() or (path.is_symlink() and not path.exists())


def find_cameras(directory: Path, line: Line | None = None, pattern: str | None = None) -> list[CameraFiles]:
    """Find the cameras of a folder and their images.

    With a line, each of its cameras that is not a video: its `folder`, else the sub-folder of its name, else
    the folder itself. With a pattern, the cameras that its group `camera` tells apart. Else one camera where
    the folder holds images, or one camera a sub-folder: of the side that it is named after, else the top one.

    Raises:
        SourceError: a camera without images, or a name that is no camera id.
    """
    if line:
        return [_described(directory, camera) for camera in line.cameras if not camera.video]
    if pattern:
        return _by_pattern(directory, pattern)
    if images := images_in(directory):
        return [CameraFiles("top", SINGLE_CAMERA, images)]
    folders = sorted((path for path in directory.iterdir() if path.is_dir()), key=natural_key)
    cameras = [(folder, images_in(folder)) for folder in folders if not folder.name.startswith(".")]
    found = [
        CameraFiles(SIDES.get(folder.name, "top"), _camera_id(folder.name), images)
        for folder, images in cameras
        if images
    ]
    return found or _refuse(directory)


def _described(directory: Path, camera: LineCamera) -> CameraFiles:
    folder = directory / (camera.folder or "")
    if camera.folder is None and (directory / camera.camera).is_dir():
        folder = directory / camera.camera
    images = images_in(folder, camera.pattern) or _refuse(folder, camera.pattern)
    return CameraFiles(camera.side, camera.camera, images, camera)


def _by_pattern(directory: Path, pattern: str) -> list[CameraFiles]:
    try:
        compiled = re.compile(pattern)
    except PATTERN_ERRORS as error:
        raise SourceError(f"expected a regular expression, got {pattern[:80]!r}: {error}") from None
    if "camera" not in compiled.groupindex:
        raise SourceError(f"expected a pattern with a group (?P<camera>...), got {pattern!r}")
    cameras: dict[tuple[Side, str], list[Path]] = defaultdict(list)
    for image in images_in(directory):
        if match := compiled.fullmatch(image.name):
            named = match.groupdict()
            cameras[_side(named.get("side")), _camera_id(named["camera"] or "")].append(image)
    found = [CameraFiles(side, camera, tuple(files)) for (side, camera), files in cameras.items()]
    order = sorted(found, key=lambda camera: (camera.side, natural_key(Path(camera.camera))))
    return order or _refuse(directory, pattern)


def _side(name: str | None) -> Side:
    side = SIDES.get("top" if name is None else name)
    if side is None:
        raise SourceError(f"expected the side top or bottom in the file name, got {name!r}")
    return side


def _camera_id(name: str) -> str:
    try:
        return check_identifier("camera", name)
    except BadRecordError as error:
        raise SourceError(str(error)) from None


def _refuse(folder: Path, pattern: str | None = None) -> NoReturn:
    matching = f" that match {pattern!r}" if pattern else ""
    raise SourceError(f"no images in {folder}{matching}, expected files {', '.join(IMAGE_SUFFIXES)}")
