"""Dead letters of records with headers that cannot be ours; no Kafka."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kafka.consumer.fetcher import ConsumerRecord
from kafka.record.default_records import DefaultRecordBatchBuilder
from kafka.record.memory_records import MemoryRecords

from ingest.kafka import DEAD_LETTERS_TOPIC, FRAMES_TOPIC
from ingest.records import MAX_NUMBER
from tests.workers.streams.header_names import NameInBytes
from workers.streams.any_header_consumer import MOST_WRITTEN_OUT, _Batches
from workers.streams.dead_letters import (
    ATTEMPT_HEADER,
    LAST_MS,
    ORIGIN_HEADER,
    Attempt,
    DeadLetter,
    LetterBox,
    _put,
    dead_letter,
    replay_headers,
)
from workers.streams.kafka_clients import DEAD_LETTER_BYTES

ABSURD = [-1, 0, 1, MAX_NUMBER, MAX_NUMBER + 1, LAST_MS, LAST_MS + 1, 10**18, 10**400, 10**4299, 10**4300 - 1]
numbers = st.sampled_from(ABSURD) | st.integers()


def record(topic: str, headers: list[tuple[str, bytes]]) -> ConsumerRecord:
    return ConsumerRecord(topic, 0, 0, 7, 0, 0, b"key", b"?", headers, None, 3, 1, 0)


def past(attempts: int, first_failure_ms: int) -> bytes:
    return json.dumps({"letter": "x", "attempts": attempts, "first_failure_ms": first_failure_ms}).encode()


def letter_of(headers: list[tuple[str, bytes]]) -> DeadLetter:
    """What is read of a letter that lies in the topic with these headers."""
    box = LetterBox()
    _put(box, record(DEAD_LETTERS_TOPIC, headers))
    return box.letter("0-7")


def check(letter: DeadLetter) -> None:
    """It can be shown and sent again."""
    assert datetime.fromtimestamp(letter.origin.first_failure_ms / 1000, UTC).year <= 9999
    again = Attempt.from_json(dict(replay_headers(letter))[ATTEMPT_HEADER])
    assert again.attempts == letter.origin.attempts
    assert again.first_failure_ms == letter.origin.first_failure_ms


@given(attempts=numbers, first_failure_ms=numbers)
def test_whatever_a_record_says_of_its_past_makes_a_letter(attempts: int, first_failure_ms: int) -> None:
    before_ms = int(time.time() * 1000)
    header = (ATTEMPT_HEADER, past(attempts, first_failure_ms))
    letter = letter_of(dead_letter(record(FRAMES_TOPIC, [header]), "not ours", attempts=1)["headers"])

    check(letter)
    assert header in letter.headers, "nothing of it is lost"
    if 0 <= attempts <= MAX_NUMBER and 0 <= first_failure_ms <= LAST_MS:
        assert letter.origin.first_failure_ms == first_failure_ms
        assert letter.origin.attempts == min(attempts + 1, MAX_NUMBER)
    else:
        assert letter.origin.first_failure_ms >= before_ms
        assert letter.origin.attempts == 1


@pytest.mark.parametrize("number", [10**18, 10**400, 10**4300 - 1], ids=["1e18", "1e400", "longest"])
def test_a_letter_that_was_written_with_such_a_past_is_read(number: int) -> None:
    origin = {
        "error": "not ours",
        "source_topic": FRAMES_TOPIC,
        "source_partition": 0,
        "source_offset": 7,
        "attempts": number,
        "first_failure_ms": number,
    }
    letter = letter_of([(ORIGIN_HEADER, json.dumps(origin).encode())])

    check(letter)
    assert (letter.origin.attempts, letter.origin.first_failure_ms) == (MAX_NUMBER, 0)


@settings(max_examples=40)
@given(
    name=st.sampled_from([b"\xff", b"a\xff", b"\xc3\xa9\xff"]),
    repeats=st.integers(1, MOST_WRITTEN_OUT) | st.integers(1, 2_000_000),
    headers=st.integers(1, 3),
)
def test_names_that_are_no_text_do_not_make_a_letter_too_large(
    name: bytes, repeats: int, headers: int
) -> None:
    raw = name * repeats
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 10**8)
    builder.append(0, 0, b"key", b"?", [(NameInBytes(raw), b"value")] * headers)
    batch = _Batches(MemoryRecords(bytes(builder.build()))).next_batch()
    assert batch is not None
    (came,) = batch
    letter = dead_letter(record(FRAMES_TOPIC, came.headers), "not ours", attempts=1)

    size = sum(len(header.encode()) + len(value) for header, value in letter["headers"])
    assert size < headers * (len(raw) + len(b"value")) + DEAD_LETTER_BYTES / 2
    assert [header for header, _ in letter["headers"][:-1]] == [came.headers[0][0]] * headers
    if headers * len(raw) <= MOST_WRITTEN_OUT:
        assert came.headers[0][0] == raw.decode("utf-8", "backslashreplace")
