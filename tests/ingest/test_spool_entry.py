from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.errors import BadRecordError, SpoolError
from ingest.records import DroppedFrames, name_of
from ingest.spool_entry import Entry, Handed
from tests.ingest.spooling import closed, entry, header, opened


@pytest.mark.parametrize(
    "record", [header(7), opened("a", "b"), closed(9)], ids=["frame", "opening", "closing"]
)
def test_an_entry_comes_back_as_it_was(record: Handed) -> None:
    written = entry(record, 1000, handed_at_ms=1_700_000_000_123)
    parts = written.to_parts()
    assert Entry.from_bytes(b"".join(parts)) == written
    assert written.spooled_bytes == len(b"".join(parts))


def test_what_it_is_called() -> None:
    assert name_of(header(7)) == "frame 7 of C1 top/a"
    assert name_of(opened()) == "coil-opened of C1"


def test_a_closing_may_be_exchanged_for_one_that_names_drops() -> None:
    record = closed(9).model_copy(update={"dropped": (DroppedFrames(first=1, last=2, reason="spool full"),)})
    exchanged = entry(closed(9)).with_record(record)
    assert exchanged.record == record
    assert exchanged.trace == entry(closed(9)).trace


@given(payload=st.binary(max_size=200))
def test_only_errors_of_ours_come_out_of_foreign_bytes(payload: bytes) -> None:
    with pytest.raises((SpoolError, BadRecordError)):
        Entry.from_bytes(payload)
