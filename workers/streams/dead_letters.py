"""Dead letters: records that cannot be inspected, kept with their bytes, their headers and the reason.

The topic holds letters and, after a replay, a marker that names the letters replayed. A marker travels in the
transaction of its replay, so that the log itself says what has been replayed.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Self

from kafka import TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import KafkaTimeoutError
from pydantic import AfterValidator, Field

from ingest.errors import BadRecordError
from ingest.kafka import DEAD_LETTERS_TOPIC, FRAME_HEADER, KafkaConnection
from ingest.records import MAX_NUMBER, CoilKey, FrameHeader, Number, Record, coil_key
from workers.errors import DeadLetterNotFoundError
from workers.streams.any_header_consumer import AnyHeaderConsumer
from workers.streams.reading import read_topic

ORIGIN_HEADER = "dead-letter"
"""Kafka header whose value is the JSON of `Origin`."""
ATTEMPT_HEADER = "attempt"
"""Kafka header of a replayed record: the JSON of `Attempt`."""
MARKER_HEADER = "replayed"
"""Kafka header whose value is the JSON of `Replayed`."""

MAX_ERROR_CHARACTERS = 500
POLL_MS = 500
PAYLOAD_TIMEOUT_S = 30.0
"""For the bytes of one record, of a broker that may just be starting."""

LAST_MS = 253_402_300_799_999
"""The last ms of the year 9999, since 1970: no calendar here reaches further."""

Count = Annotated[int, Field(ge=0)]
Attempts = Annotated[int, Field(ge=1), AfterValidator(lambda attempts: min(attempts, MAX_NUMBER))]
FailedAt = Annotated[Count, AfterValidator(lambda ms: ms if ms <= LAST_MS else 0)]
"""Letters were written before the headers of their records had bounds: 1970 stands for what is no time."""
Headers = tuple[tuple[str, bytes], ...]


class Origin(Record):
    """Where a dead letter came from and why it is one.

    Attributes:
        attempts: how often its inspection was tried, replays included.
        first_failure_ms: when it failed first, in ms since 1970.
    """

    error: str
    source_topic: str
    source_partition: Count
    source_offset: Count
    attempts: Attempts
    first_failure_ms: FailedAt


class Attempt(Record):
    """What a replayed record says of its past.

    Attributes:
        letter: id of the letter that it was.
        attempts: tried so far.
        first_failure_ms: when it failed first.
    """

    letter: str
    attempts: Number
    first_failure_ms: Annotated[int, Field(ge=0, le=LAST_MS)]


class Replayed(Record):
    """These letters have been sent to the frames topic again."""

    letters: tuple[str, ...]


@dataclass(frozen=True)
class DeadLetter:
    """One dead letter.

    Attributes:
        id: partition and offset of the dead-letters topic.
        headers: of the record, as they came.
        size: bytes of its value; `DeadLetters.payload` reads them.
        frame: the frame's header; None where the record holds no frame that we can name.
    """

    id: str
    origin: Origin
    key: bytes | None
    headers: Headers
    size: int
    frame: FrameHeader | None

    @property
    def place(self) -> tuple[TopicPartition, int]:
        """Partition and offset of the dead-letters topic."""
        partition, _, offset = self.id.partition("-")
        return TopicPartition(DEAD_LETTERS_TOPIC, int(partition)), int(offset)

    @property
    def coil(self) -> CoilKey | None:
        """Line, coil and run, None where the record names none."""
        return coil_key(self.frame) if self.frame else None


@dataclass
class LetterBox:
    """All that the dead-letters topic holds.

    Attributes:
        letters: by id, oldest first.
        replayed: ids of those that have been replayed.
    """

    letters: dict[str, DeadLetter] = field(default_factory=dict)
    replayed: set[str] = field(default_factory=set)

    @property
    def waiting(self) -> list[DeadLetter]:
        """Letters that have not been replayed, oldest first."""
        return [letter for name, letter in self.letters.items() if name not in self.replayed]

    def letter(self, name: str) -> DeadLetter:
        """The letter of an id.

        Raises:
            DeadLetterNotFoundError: there is none.
        """
        if name not in self.letters:
            raise DeadLetterNotFoundError(
                f"no dead letter '{name[:40]}'; `coilwatch dead-letters list` shows their ids"
            )
        return self.letters[name]


def dead_letter(record: ConsumerRecord, error: str, attempts: int) -> dict[str, Any]:
    """Arguments of `producer.send` that keep a record's bytes and headers, and say where and why.

    Args:
        attempts: how often it was tried this time; a replayed record adds those before.
    """
    past = _past(record.headers)
    origin = Origin(
        error=error[:MAX_ERROR_CHARACTERS],
        source_topic=record.topic,
        source_partition=record.partition,
        source_offset=record.offset,
        attempts=attempts + (past.attempts if past else 0),
        first_failure_ms=past.first_failure_ms if past else int(time.time() * 1000),
    )
    # A client cannot send back every record that it can receive: no value and no key, headers without value.
    headers = [(name, value or b"") for name, value in record.headers if name != ORIGIN_HEADER]
    return {
        "key": record.key,
        "value": record.value or b"",
        "headers": [*headers, (ORIGIN_HEADER, origin.to_json())],
    }


class DeadLetters:
    """Reads the dead-letters topic; for one thread, to be closed.

    Args:
        connection: to the broker.

    Raises:
        KafkaError: Kafka cannot be reached; from every method.
    """

    def __init__(self, connection: KafkaConnection) -> None:
        self._consumer = AnyHeaderConsumer(
            **connection.client_options(),
            enable_auto_commit=False,
            allow_auto_create_topics=False,
            isolation_level="read_committed",
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._consumer.close()

    def box(self) -> LetterBox:
        """Every letter up to now, without its bytes: there may be more of them than memory."""
        box = LetterBox()
        for record in read_topic(self._consumer, DEAD_LETTERS_TOPIC):
            _put(box, record)
        return box

    def payload(self, letter: DeadLetter) -> bytes:
        """The bytes of a letter's record.

        Raises:
            DeadLetterNotFoundError: it was dropped by the topic's retention meanwhile.
        """
        partition, offset = letter.place
        self._consumer.assign([partition])
        self._consumer.seek(partition, offset)
        deadline = time.monotonic() + PAYLOAD_TIMEOUT_S
        while time.monotonic() < deadline:
            for record in self._consumer.poll(POLL_MS, max_records=1).get(partition, ()):
                if record.offset == offset:
                    return record.value or b""
                raise DeadLetterNotFoundError(f"dead letter {letter.id} is not retained any more")
        raise KafkaTimeoutError(f"dead letter {letter.id} was not read within {PAYLOAD_TIMEOUT_S:.0f} s")


def replay_headers(letter: DeadLetter) -> list[tuple[str, bytes]]:
    """Headers of a letter's record when it is sent again."""
    origin = letter.origin
    attempt = Attempt(
        letter=letter.id, attempts=origin.attempts, first_failure_ms=origin.first_failure_ms
    ).to_json()
    return [*(pair for pair in letter.headers if pair[0] != ATTEMPT_HEADER), (ATTEMPT_HEADER, attempt)]


def _put(box: LetterBox, record: ConsumerRecord) -> None:
    headers = dict(record.headers)
    try:
        if MARKER_HEADER in headers:
            box.replayed |= set(Replayed.from_json(headers[MARKER_HEADER] or b"").letters)
        elif ORIGIN_HEADER in headers:
            letter = _letter(record, Origin.from_json(headers[ORIGIN_HEADER] or b""))
            box.letters[letter.id] = letter
    except BadRecordError:
        # Somebody else's record, or one of a later version: nothing that we could show or replay.
        return


def _letter(record: ConsumerRecord, origin: Origin) -> DeadLetter:
    headers = tuple((name, value or b"") for name, value in record.headers if name != ORIGIN_HEADER)
    return DeadLetter(
        id=f"{record.partition}-{record.offset}",
        origin=origin,
        key=record.key,
        headers=headers,
        size=len(record.value or b""),
        frame=_frame(headers),
    )


def _frame(headers: Headers) -> FrameHeader | None:
    try:
        return FrameHeader.from_json(dict(headers).get(FRAME_HEADER, b""))
    except BadRecordError:
        return None


def _past(headers: Sequence[tuple[str, bytes | None]]) -> Attempt | None:
    try:
        return Attempt.from_json(dict(headers).get(ATTEMPT_HEADER) or b"")
    except BadRecordError:
        return None
