"""What reads bytes from outside, for fuzzing: each target may raise only errors of ours, in one line."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ingest.codecs import decode, decode_image, encode, pixel_digest
from ingest.errors import IngestError
from ingest.records import CameraClosed, CoilOpened, FrameHeader
from ingest.spool_entry import Entry
from models.errors import ModelsError
from models.weights.files import read_weights
from models.weights.registry import locate
from orchestration.errors import SettingsError
from orchestration.settings_layers import load as load_settings
from tests.ingest import spooling
from tests.ingest.test_codecs import header, png_of, texture
from tests.security.inspections import inspection
from tests.workers.report import example
from tests.workers.streams.frames import closed, frame, opened
from workers.coil.grading import GradingRules
from workers.errors import BadSettingsError
from workers.report.errors import ReportError
from workers.report.html_report import html_report
from workers.report.json_report import read_report, report_json
from workers.streams.messages import read_inspection_record

ROOT = Path(__file__).resolve().parents[2]
MOST_BYTES = 64 * 1024
ZSTD = header("zstd").model_copy(update={"digest": pixel_digest(texture)})


@dataclass(frozen=True)
class Target:
    """Something that reads bytes.

    Attributes:
        read: is given any bytes.
        errors: all that it may raise.
        good: bytes to begin from.
    """

    read: Callable[[bytes], object]
    errors: type[Exception]
    good: Callable[[], bytes]


def from_file(read: Callable[[Path], object], data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "some.file"
        file.write_bytes(data)
        read(file)


TARGETS: dict[str, Target] = {
    "frame-header": Target(FrameHeader.from_json, IngestError, frame("C1", 3).header.to_json),
    "coil-opened": Target(CoilOpened.from_json, IngestError, opened("C1").to_json),
    "camera-closed": Target(CameraClosed.from_json, IngestError, closed("C1", 4).to_json),
    "inspection": Target(read_inspection_record, IngestError, inspection),
    "image": Target(decode_image, IngestError, lambda: png_of(texture)),
    "zstd-frame": Target(lambda data: decode(data, ZSTD), IngestError, lambda: encode(texture, "zstd")),
    "spooled-entry": Target(
        Entry.from_bytes, IngestError, lambda: b"".join(spooling.entry(spooling.header(1), 20).to_parts())
    ),
    "report": Target(
        lambda data: html_report(read_report(data)), ReportError, lambda: report_json(example.coil())
    ),
    "weights": Target(
        partial(from_file, read_weights), ModelsError, lambda: locate("csnet-x1").read_bytes()[:MOST_BYTES]
    ),
    "settings": Target(
        partial(from_file, lambda file: load_settings(file, environment={})),
        SettingsError,
        lambda: b'[redis]\nurl = "redis://127.0.0.1"\n',
    ),
    "grading": Target(
        partial(from_file, GradingRules.load),
        BadSettingsError,
        (ROOT / "workers/coil/grading.toml").read_bytes,
    ),
}


def attempt(target: Target, data: bytes) -> None:
    """Read the bytes.

    Raises:
        Exception: an error that is not ours came out, or one of several lines.
    """
    try:
        target.read(data)
    except target.errors as error:
        assert "\n" not in str(error), f"an error of several lines: {error}"  # noqa: PT017
