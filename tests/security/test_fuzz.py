"""Whatever bytes come in, only errors of our own come out, each in one line."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.codecs import decode, decode_image, encode
from ingest.errors import BadLineError, IngestError
from ingest.line import load_line
from ingest.records import CoilOpened, EncodedFrame, FrameHeader
from ingest.spool_entry import Entry
from ingest.spool_log import RecordLog
from ingest.spool_marks import Marks
from models.errors import ModelsError, RecipeError
from models.training.recipe import load_recipe
from models.weights.files import read_weights
from models.weights.registry import load, locate
from orchestration.errors import SettingsError
from orchestration.settings import Settings
from orchestration.settings_layers import leaves
from orchestration.settings_layers import load as load_settings
from tests.ingest import spooling
from tests.ingest.test_codecs import header, png_of, texture
from tests.security.inspections import inspection
from tests.security.mutations import changed_json, damaged
from tests.workers.report import example
from tests.workers.streams.frames import closed, frame, opened
from workers.coil.grading import GradingRules
from workers.coil.records import CoilReport
from workers.errors import BadSettingsError
from workers.report.csv_report import events_csv
from workers.report.errors import ReportError
from workers.report.html_report import html_report
from workers.report.json_report import read_report, report_json
from workers.streams.messages import read_frame_record, read_inspection_record

fuzzed = settings(
    max_examples=150,
    deadline=None,
    # Files in a test's own folder are written anew by each example.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@dataclass
class Arrived:
    value: bytes | None
    headers: list[tuple[str, bytes]] = field(default_factory=list)


def only(errors: type[Exception], call: Callable[[], object]) -> object | None:
    """What a call gives; None where it raises one of these errors, which must be one line."""
    try:
        return call()
    except errors as error:
        assert "\n" not in str(error)  # noqa: PT017 - that an error comes is not certain
        return None


FRAME_HEADER = frame("C1", 3).header.to_json()
CONTROLS: dict[str, bytes] = {record.kind: record.to_json() for record in (opened("C1"), closed("C1", 4))}


@fuzzed
@given(value=damaged(FRAME_HEADER) | changed_json(FRAME_HEADER))
def test_frame_headers(value: bytes) -> None:
    arrived = Arrived(b"pixels", [("frame", value)])
    read = only(IngestError, lambda: read_frame_record(arrived))
    if isinstance(read, EncodedFrame):
        assert FrameHeader.from_json(read.header.to_json()) == read.header


@fuzzed
@given(data=st.data(), kind=st.sampled_from(sorted(CONTROLS)))
def test_control_records_of_both_topics(data: st.DataObject, kind: str) -> None:
    value = data.draw(damaged(CONTROLS[kind]) | changed_json(CONTROLS[kind]))
    arrived = Arrived(value, [("control", kind.encode())])
    only(IngestError, lambda: read_frame_record(arrived))
    only(IngestError, lambda: read_inspection_record(value))


@fuzzed
@given(value=damaged(inspection()) | changed_json(inspection()))
def test_inspection_records(value: bytes) -> None:
    read = only(IngestError, lambda: read_inspection_record(value))
    if read is not None:
        assert read_inspection_record(read.to_json()) == read  # type: ignore[attr-defined]


@pytest.mark.parametrize("field_name", ["run", "sequence"])
def test_numbers_that_no_folder_can_be_named_after_are_refused(field_name: str) -> None:
    value = inspection().replace(f'"{field_name}":'.encode(), f'"{field_name}":{"9" * 300}'.encode())
    with pytest.raises(IngestError, match=field_name):
        read_inspection_record(value)


@pytest.mark.parametrize("field_name", ["along_mm", "across_mm"])
def test_lengths_that_no_coil_has_are_refused(field_name: str) -> None:
    value = inspection().replace(f'"{field_name}":0.0'.encode(), f'"{field_name}":1.7e308'.encode())
    with pytest.raises(IngestError, match=field_name):
        read_inspection_record(value)


@pytest.mark.parametrize("value", [b"[" * 100_000, b'{"a":' * 100_000], ids=["lists", "objects"])
def test_json_nested_without_end_is_a_bad_record(value: bytes) -> None:
    with pytest.raises(IngestError):
        read_inspection_record(value)
    with pytest.raises(IngestError):
        CoilOpened.from_json(value)


IMAGES = {suffix: png_of(texture, suffix) for suffix in (".png", ".jpg", ".bmp", ".tif")}
SIZES = st.sampled_from((0, 1, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF))


@fuzzed
@given(data=st.data(), suffix=st.sampled_from(sorted(IMAGES)))
def test_image_files(data: st.DataObject, suffix: str) -> None:
    only(IngestError, lambda: decode_image(data.draw(damaged(IMAGES[suffix]))))


@fuzzed
@given(size=SIZES, at=st.integers(0, 64), order=st.sampled_from("<>"), suffix=st.sampled_from(sorted(IMAGES)))
def test_image_files_that_claim_a_huge_size(size: int, at: int, order: str, suffix: str) -> None:
    image = bytearray(IMAGES[suffix])
    image[at : at + 4] = struct.pack(f"{order}I", size)
    only(IngestError, lambda: decode_image(bytes(image)))


@fuzzed
@given(data=st.data(), encoding=st.sampled_from(("raw", "png", "jpeg", "zstd")))
def test_encoded_frames(data: st.DataObject, encoding: str) -> None:
    good = encode(texture, encoding)  # type: ignore[arg-type]
    came = data.draw(damaged(good) | st.binary(max_size=64))
    only(IngestError, lambda: decode(came, header(encoding)))  # type: ignore[arg-type]


def settings_lines() -> st.SearchStrategy[str]:
    keys = [key for key, _ in leaves(Settings())]
    values = (
        '"x"',
        "''",
        "-1",
        "0",
        "1e400",
        "inf",
        "nan",
        "true",
        "[]",
        "{}",
        "9" * 30,
        "1979-05-27",
        '"a\\u0000b"',
        '"9e999GB"',
        '"redis://:p/w@h"',
        '"redis://[::"',
    )
    return st.lists(
        st.builds("{} = {}".format, st.sampled_from(keys), st.sampled_from(values)), max_size=3
    ).map("\n".join)


@fuzzed
@given(text=settings_lines().map(str.encode) | st.binary(max_size=100) | damaged(b"[ray]\ncpus = 2\n"))
def test_settings_files(tmp_path: Path, text: bytes) -> None:
    file = tmp_path / "coilwatch.toml"
    file.write_bytes(text)
    try:
        loaded = load_settings(file, environment={})
    except SettingsError:
        return
    loaded.origins()


@pytest.mark.parametrize("text", ["a = " + "[" * 5_000, "a = " + "9" * 5_000], ids=["nested", "long number"])
def test_toml_that_python_chokes_on_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "some.toml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=str(file)):
        load_settings(file, environment={})
    with pytest.raises(BadSettingsError, match=str(file)):
        GradingRules.load(file)
    with pytest.raises(BadLineError, match=str(file)):
        load_line(file)
    with pytest.raises(RecipeError, match=str(file)):
        load_recipe(file)


TOML_READERS: tuple[tuple[Callable[[Path], object], str, type[Exception]], ...] = (
    (partial(load_settings, environment={}), "ray.address", SettingsError),
    (GradingRules.load, "severity", BadSettingsError),
    (load_line, "name", BadLineError),
    (load_recipe, "name", RecipeError),
)


@pytest.mark.parametrize(
    "value", ["0x" + "f" * 5_000, "{ a" + ".a" * 3_000 + " = 1 }"], ids=["long number", "nested"]
)
@pytest.mark.parametrize(
    ("read", "key", "error"), TOML_READERS, ids=["settings", "grading", "line", "recipe"]
)
def test_a_toml_value_that_python_cannot_write_out_is_a_bad_one(
    tmp_path: Path, read: Callable[[Path], object], key: str, error: type[Exception], value: str
) -> None:
    file = tmp_path / "some.toml"
    file.write_text(f"{key} = {value}")
    with pytest.raises(error, match=key) as caught:
        read(file)
    assert len(str(caught.value)) < 400


RULES = (Path(__file__).parents[2] / "workers/coil/grading.toml").read_bytes()


@fuzzed
@given(text=damaged(RULES))
def test_grading_rules(tmp_path: Path, text: bytes) -> None:
    file = tmp_path / "grading.toml"
    file.write_bytes(text)
    only(BadSettingsError, lambda: GradingRules.load(file))


REPORT = report_json(example.coil())


@settings(fuzzed, max_examples=60)
@given(value=damaged(REPORT) | changed_json(REPORT))
def test_reports_that_are_read_can_be_written_in_every_form(value: bytes) -> None:
    report = only(ReportError, lambda: read_report(value))
    if isinstance(report, CoilReport):
        assert read_report(report_json(report)) == report
        events_csv(report)
        html_report(report)


@cache
def shipped_weights() -> bytes:
    return locate("csnet-x1").read_bytes()


@settings(fuzzed, max_examples=60)
@given(data=st.data())
def test_weights_files(tmp_path: Path, data: st.DataObject) -> None:
    file = tmp_path / "some.safetensors"
    blob = shipped_weights()
    file.write_bytes(data.draw(damaged(blob[:2_000])) + blob[2_000:])
    try:
        read_weights(file)
    except ModelsError as error:
        assert str(file) in str(error)  # noqa: PT017 - damage may be harmless


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (b"1e9", "width: Input should be less than or equal to"),
        (b"0", "width: Input should be greater"),
        (b"[]", "width"),
    ],
)
def test_weights_of_a_width_that_fills_the_memory_are_refused(
    tmp_path: Path, value: bytes, says: str
) -> None:
    file = tmp_path / "some.safetensors"
    blob = shipped_weights()
    length = struct.unpack_from("<Q", blob)[0]
    head, tensors = blob[8 : 8 + length], blob[8 + length :]
    head = head.replace(b'\\"width\\":1.0', b'\\"width\\":' + value)
    file.write_bytes(struct.pack("<Q", len(head)) + head + tensors)
    with pytest.raises(ModelsError, match=says):
        load(file)


def test_a_tensor_without_dimensions_is_no_surprise(tmp_path: Path) -> None:
    file = tmp_path / "some.safetensors"
    blob = shipped_weights()
    length = struct.unpack_from("<Q", blob)[0]
    metadata = blob[8 : 8 + length].partition(b'"__metadata__":')[2].partition(b'}"}')[0] + b'}"}'
    head = b'{"__metadata__":' + metadata + b',"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}'
    file.write_bytes(struct.pack("<Q", len(head)) + head + b"\0\0\0\0")
    with pytest.raises(ModelsError, match="damaged"):
        load(file)


def spool_file(path: Path) -> bytes:
    log = RecordLog(path)
    for number in range(3):
        log.append(number, *spooling.entry(spooling.header(number), size=20).to_parts())
    log.close()
    return path.read_bytes()


@fuzzed
@given(data=st.data())
def test_spool_segments(tmp_path: Path, data: st.DataObject) -> None:
    good, file = tmp_path / "good", tmp_path / "damaged"
    blob = good.read_bytes() if good.exists() else spool_file(good)
    file.write_bytes(data.draw(damaged(blob)))
    log = RecordLog(file)
    try:
        for record in log.records():
            only(IngestError, partial(Entry.from_bytes, record.payload))
        log.find(2)
        assert file.stat().st_size == log.size_bytes
    finally:
        log.close()


@fuzzed
@given(payload=damaged(b"".join(spooling.entry(spooling.header(1), size=20).to_parts())))
def test_spooled_entries(payload: bytes) -> None:
    only(IngestError, lambda: Entry.from_bytes(payload))


@fuzzed
@given(payload=damaged(b'{"kind":"delivered","before":3}'))
def test_journals_of_marks(tmp_path: Path, payload: bytes) -> None:
    file = tmp_path / "marks"
    file.unlink(missing_ok=True)
    log = RecordLog(file)
    log.append(0, payload)
    log.close()
    marks = only(IngestError, lambda: Marks(file))
    if isinstance(marks, Marks):
        marks.close()
