"""What travels on the frames topic: frame headers, and the opening and closing of coils and cameras."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from ingest.errors import BadRecordError

MAX_SIDE_PX = 32_768
"""Longest frame side. Line-scan cameras reach 16k columns; beyond twice that a header is wrong or hostile."""

Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
"""Ids of lines, coils and cameras. They become Kafka keys, Redis keys and folder names: no separators."""

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
"""BLAKE2b of 16 bytes in hexadecimal."""
DIGEST_BYTES = 16

MAX_NUMBER = 2**53 - 1
"""Largest run, sequence and count of frames: the last that a float holds exactly. A number of hundreds of
digits fits neither a float nor the name of a folder."""

Number = Annotated[int, Field(ge=0, le=MAX_NUMBER)]
Run = Annotated[int, Field(ge=1, le=MAX_NUMBER)]
Side = Literal["top", "bottom"]
Encoding = Literal["raw", "png", "jpeg", "zstd"]
DropReason = Literal["spool full", "disk full"]
MAX_MM = 3e7
"""Three times the longest coil. Work and memory grow with lengths: one absurd record could end a worker."""
Millimetres = Annotated[float, Field(ge=-MAX_MM, le=MAX_MM, allow_inf_nan=False)]
Scale = Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)]
Pixels = Annotated[int, Field(ge=1, le=MAX_SIDE_PX)]

MOST_CAMERAS = 500
"""Of a line: beyond any strip's, and an opening of as many is a tenth of a megabyte. The frames topic takes
larger records than the inspections topic that control records are passed on to: one that fits the first alone
would stop its partition for ever."""
MOST_DROPS = 1_000
"""Stretches of dropped frames that a camera's closing names, for the same reason. Frames dropped after them
count as not arrived."""


class Record(BaseModel):
    """Base of every record: frozen, closed to unknown fields and to infinite numbers, JSON in and out."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def from_json(cls, data: bytes | str) -> Self:
        """Read the record from JSON.

        Raises:
            BadRecordError: names the first field that does not fit and what came instead.
        """
        try:
            return cls.model_validate_json(data)
        except ValidationError as error:
            raise BadRecordError(f"{cls.__name__}: {first_problem(error)}") from None

    def to_json(self) -> bytes:
        """The record as compact JSON, the same bytes for equal records."""
        return self.model_dump_json().encode()


def first_problem(error: ValidationError) -> str:
    """The first problem of a validation error in one line: field, what was expected, what came."""
    problem = error.errors(include_url=False, include_context=False)[0]
    message = problem["msg"].removeprefix("Value error, ")
    where = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "value_error" and (not where or ", got " in message):
        # The message says what came; a record as a whole would be no help.
        return f"{where}: {message}" if where else message
    return f"{where or 'record'}: {message} (got {_came(problem['input'])})"


def _came(value: object) -> str:
    try:
        came = repr(value)
    # Python writes out no integer of thousands of digits and no thousand tables in tables.
    except (ValueError, RecursionError):
        return f"{type(value).__name__} too large to show"
    return came if len(came) <= 60 else came[:57] + "..."


_IDENTIFIER: TypeAdapter[str] = TypeAdapter(Identifier)


def check_identifier(what: str, value: str) -> str:
    """The id itself, when it may be the id of a line, coil or camera.

    Raises:
        BadRecordError: says what an id may hold, and what came.
    """
    try:
        return _IDENTIFIER.validate_python(value)
    except ValidationError:
        expected = "1 to 64 letters, digits, '.', '_' or '-', the first a letter or digit"
        raise BadRecordError(f"{what} id: expected {expected}, got {value[:80]!r}") from None


def bytes_digest(data: bytes) -> str:
    """The `Digest` of bytes; a frame has that of its encoded pixels where they cannot be read."""
    return hashlib.blake2b(data, digest_size=DIGEST_BYTES).hexdigest()


CoilKey = tuple[str, str, int]
"""(line, coil, run)."""


def coil_key(record: Any) -> CoilKey:  # noqa: ANN401 - any record that names its coil
    """Line, coil and run of a record."""
    return record.line, record.coil, record.run


def key_bytes(key: CoilKey) -> bytes:
    """The Kafka key of everything that belongs to one run of a coil."""
    return "/".join(map(str, key)).encode()


class CameraBand(Record):
    """One camera of a line: which side it looks at, and which band across the strip.

    Attributes:
        across_mm: left border of the band, from the drive-side reference.
        columns: pixels across the strip in a frame.
        mm_per_row: length of strip that one row covers.
        mm_per_column: width of strip that one column covers.
    """

    side: Side
    camera: Identifier
    across_mm: Millimetres
    columns: Pixels
    mm_per_row: Scale
    mm_per_column: Scale

    @property
    def right_mm(self) -> float:
        """Right border of the band, in mm from the drive-side reference."""
        return self.across_mm + self.columns * self.mm_per_column


def check_ends(along_mm: float, across_mm: float) -> None:
    """Refuse a frame that ends beyond bounds: what is derived from its end has the same.

    Args:
        along_mm: end of the frame along the strip.
        across_mm: its right border.

    Raises:
        ValueError: beyond `MAX_MM`.
    """
    for where, end_mm in (("along", along_mm), ("across", across_mm)):
        if end_mm > MAX_MM:
            raise ValueError(
                f"expected a frame that ends at {MAX_MM:.0f} mm {where} at most, got {end_mm:.0f}"
            )


class FrameHeader(Record):
    """Identity, place and encoding of one frame. The pixels travel beside it, encoded.

    Attributes:
        run: 1 for the first time a coil id is used on a line, counted up when it comes again.
        sequence: number of the frame within its camera and run, from 0 without gaps.
        along_mm: position of row 0 from the head of the coil.
        across_mm: position of column 0 from the drive-side reference.
        height: rows of the frame (along the strip).
        width: columns of the frame (across the strip).
        digest: of the decoded pixels (`ingest.codecs.pixel_digest`); of the bytes where the source could
            not read them.
    """

    schema_version: Literal[1] = 1
    line: Identifier
    coil: Identifier
    run: Run = 1
    side: Side
    camera: Identifier
    sequence: Number
    along_mm: Millimetres
    across_mm: Millimetres
    mm_per_row: Scale
    mm_per_column: Scale
    height: Pixels
    width: Pixels
    encoding: Encoding
    digest: Digest
    captured_at: AwareDatetime | None = None

    @model_validator(mode="after")
    def _ends_within_bounds(self) -> Self:
        check_ends(
            self.along_mm + self.height * self.mm_per_row, self.across_mm + self.width * self.mm_per_column
        )
        return self


class CoilOpened(Record):
    """A coil begins; these cameras will speak."""

    schema_version: Literal[1] = 1
    kind: Literal["coil-opened"] = "coil-opened"
    line: Identifier
    coil: Identifier
    run: Run = 1
    cameras: Annotated[tuple[CameraBand, ...], Field(min_length=1, max_length=MOST_CAMERAS)]


class DroppedFrames(Record):
    """Frames that the edge gave up, sequences first to last, both included, because its disk had no room."""

    first: Number
    last: Number
    reason: DropReason


class CameraClosed(Record):
    """A camera has sent its last frame of a coil.

    Attributes:
        frames: how many frames the camera handed over; sequences 0 to `frames - 1` are expected.
        end_mm: position of the end of its last frame.
        dropped: frames among them that were given up before they reached Kafka.
    """

    schema_version: Literal[1] = 1
    kind: Literal["camera-closed"] = "camera-closed"
    line: Identifier
    coil: Identifier
    run: Run = 1
    side: Side
    camera: Identifier
    frames: Number
    end_mm: Millimetres
    dropped: Annotated[tuple[DroppedFrames, ...], Field(max_length=MOST_DROPS)] = ()


def name_of(record: FrameHeader | CoilOpened | CameraClosed) -> str:
    """What a message calls a record."""
    if isinstance(record, FrameHeader):
        return f"frame {record.sequence} of {record.coil} {record.side}/{record.camera}"
    return f"{record.kind} of {record.coil}"


@dataclass(frozen=True, slots=True)
class EncodedFrame:
    """A frame as it travels: its header and its encoded pixels."""

    header: FrameHeader
    data: bytes
