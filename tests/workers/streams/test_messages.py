from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.errors import BadRecordError
from ingest.records import (
    MAX_MM,
    MAX_NUMBER,
    MOST_CAMERAS,
    MOST_DROPS,
    CameraBand,
    DroppedFrames,
    coil_key,
    key_bytes,
)
from orchestration.stack.topics import INSPECTION_BYTES
from tests.workers.streams.frames import closed, frame, opened
from workers.streams.messages import Control, read_coil_record, read_frame_record, read_inspection_record


@dataclass
class Arrived:
    value: bytes | None
    headers: list[tuple[str, bytes]] = field(default_factory=list)
    key: bytes | None = None


def test_a_frame_comes_back_with_its_bytes() -> None:
    sent = frame("C1", 3)
    assert read_frame_record(Arrived(sent.data, [("frame", sent.header.to_json())])) == sent


@pytest.mark.parametrize("record", [opened("C1"), closed("C1", 4)], ids=["opened", "closed"])
def test_controls_come_back_from_both_topics(record: object) -> None:
    value = record.to_json()  # type: ignore[attr-defined]
    header = ("control", record.kind.encode())  # type: ignore[attr-defined]
    assert read_frame_record(Arrived(value, [header])) == record
    assert read_inspection_record(value) == record


@pytest.mark.parametrize(
    ("record", "says"),
    [
        (Arrived(b"x"), "expected a 'frame' or 'control' header"),
        (Arrived(b"x", [("frame", b'{"schema_version": 2}')]), "schema_version"),
        (Arrived(b"{}", [("control", b"coil-reversed")]), "coil-reversed"),
        (Arrived(None, [("control", b"coil-opened")]), "CoilOpened"),
    ],
    ids=["not ours", "unknown version", "unknown control", "empty control"],
)
def test_foreign_records_are_named(record: Arrived, says: str) -> None:
    with pytest.raises(BadRecordError, match=says):
        read_frame_record(record)


LONG_ID = "c" * 64
WIDEST = CameraBand(
    side="bottom",
    camera=LONG_ID,
    across_mm=-MAX_MM / 3,
    columns=32_768,
    mm_per_row=1 / 3,
    mm_per_column=1 / 3,
)
DROP = DroppedFrames(first=MAX_NUMBER, last=MAX_NUMBER, reason="spool full")


def controls_of(entries: int) -> list[tuple[str, int, Control]]:
    """Controls of so many entries that nobody has checked: field, how many it takes, record."""
    return [
        ("dropped", MOST_DROPS, closed("C1", 4).model_copy(update={"dropped": (DROP,) * entries})),
        ("cameras", MOST_CAMERAS, opened("C1").model_copy(update={"cameras": (WIDEST,) * entries})),
    ]


@pytest.mark.parametrize("which", [0, 1], ids=["dropped", "cameras"])
@settings(max_examples=20)
@given(data=st.data())
def test_a_control_that_is_passed_on_fits_the_inspections_topic(which: int, data: st.DataObject) -> None:
    most = controls_of(1)[which][1]
    entries = data.draw(st.sampled_from([1, most, most + 1, 20 * most]) | st.integers(1, 20 * most))
    field_name, _, record = controls_of(entries)[which]
    arrived = Arrived(record.to_json(), [("control", record.kind.encode())])
    if entries > most:
        with pytest.raises(BadRecordError, match=rf"{field_name}: .* at most {most} items"):
            read_frame_record(arrived)
    else:
        assert len(read_frame_record(arrived).to_json()) < INSPECTION_BYTES / 4  # type: ignore[union-attr]


@given(
    st.binary(max_size=200) | st.sampled_from([b"[]", b"null", b'{"kind": []}', b'{"kind": "inspection"}'])
)
def test_arbitrary_bytes_only_ever_raise_our_error(value: bytes) -> None:
    with pytest.raises(BadRecordError):
        read_inspection_record(value)


def test_the_key_of_a_coil_names_its_run() -> None:
    assert key_bytes(coil_key(opened("C1", run=2))) == b"line-1/C1/2"


@pytest.mark.parametrize(
    "key", [None, b"", key_bytes(coil_key(opened("C2")))], ids=["none", "empty", "other"]
)
def test_a_record_under_another_key_belongs_to_no_coil(key: bytes | None) -> None:
    record = opened("C1")
    assert read_coil_record(Arrived(record.to_json(), key=key_bytes(coil_key(record)))) == record
    with pytest.raises(BadRecordError, match="expected the key"):
        read_coil_record(Arrived(record.to_json(), key=key))
