"""The line, described once: its cameras and where their frames come from (`line.toml`, see docs/line.md)."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from ingest.errors import BadLineError
from ingest.records import MOST_CAMERAS, CameraBand, Identifier, Record, first_problem

LINE_FILE = "line.toml"
PATTERN_ERRORS = (re.error, ValueError, OverflowError, RecursionError)
"""Of `re.compile`: beside broken syntax, flags that exclude each other, huge numbers, groups in groups."""


class LineCamera(CameraBand):
    """One camera of a line and where its frames come from.

    Attributes:
        folder: folder of its images, relative to the source's folder.
        pattern: regular expression that its file names match in full.
        video: video file of its frames, relative to the source's folder.
    """

    folder: Path | None = None
    pattern: str | None = None
    video: Path | None = None

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, pattern: str | None) -> str | None:
        try:
            re.compile(pattern or "")
        except PATTERN_ERRORS as error:
            raise ValueError(f"expected a regular expression: {error}") from None
        return pattern

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        if self.video and (self.folder or self.pattern):
            raise ValueError("expected images (folder, pattern) or a video, got both")
        return self

    @property
    def band(self) -> CameraBand:
        """The band alone, as it travels in `CoilOpened`."""
        return CameraBand(**{name: getattr(self, name) for name in CameraBand.model_fields})


class Line(Record):
    """A production line and its cameras. Bands may overlap or leave gaps."""

    name: Identifier
    cameras: Annotated[tuple[LineCamera, ...], Field(min_length=1, max_length=MOST_CAMERAS)]

    @model_validator(mode="after")
    def _cameras_differ(self) -> Self:
        seen: set[tuple[str, str]] = set()
        for camera in self.cameras:
            key = (camera.side, camera.camera)
            if key in seen:
                raise ValueError(f"expected each camera once a side, got {camera.side}/{camera.camera} twice")
            seen.add(key)
        return self

    @property
    def bands(self) -> tuple[CameraBand, ...]:
        """The cameras' bands, as `CoilOpened` lists them."""
        return tuple(camera.band for camera in self.cameras)


def load_line(path: Path) -> Line:
    """Read a line description.

    Args:
        path: the file, or the folder that holds `line.toml`.

    Raises:
        BadLineError: names the file, the field, what was expected and what came.
    """
    file = path / LINE_FILE if path.is_dir() else path
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    # Beside broken TOML: no UTF-8, a number of thousands of digits, or a thousand brackets in brackets.
    except (ValueError, RecursionError) as error:
        raise BadLineError(f"{file}: expected TOML, got {error}") from None
    except OSError as error:
        raise BadLineError(f"{file}: expected a line description, got {error.strerror}") from None
    try:
        return Line.model_validate(content)
    except ValidationError as error:
        raise BadLineError(f"{file}: {_unknown_key(content) or first_problem(error)}") from None


def _unknown_key(content: Mapping[str, Any]) -> str | None:
    """The first key that no field has, with those that there are: most often a slip of the pen."""
    tables: list[tuple[str, Mapping[str, Any], type[Record]]] = [("", content, Line)]
    cameras = content.get("cameras")
    if isinstance(cameras, list):
        tables += [
            (f"cameras.{at}.", table, LineCamera)
            for at, table in enumerate(cameras)
            if isinstance(table, dict)
        ]
    for where, table, model in tables:
        for key in table:
            if key not in model.model_fields:
                return f"{where}{key}: unknown key, expected one of {', '.join(model.model_fields)}"
    return None
