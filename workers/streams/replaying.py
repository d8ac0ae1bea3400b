"""Dead letters sent to the frames topic again, so that their coils are inspected anew and revised."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from kafka import KafkaProducer
from kafka.errors import KafkaError

from ingest.kafka import DEAD_LETTERS_TOPIC, FRAMES_TOPIC, INSPECTIONS_TOPIC, KafkaConnection
from ingest.records import CoilKey, coil_key, key_bytes
from workers.coil.records import CoilReopened
from workers.streams.dead_letters import (
    MARKER_HEADER,
    DeadLetter,
    DeadLetters,
    LetterBox,
    Replayed,
    replay_headers,
)
from workers.streams.kafka_clients import fencing_producer

TRANSACTIONAL_ID = "coilwatch-dead-letters-replay"
"""One for all: of two replays at once the second ends the first, and no letter is sent twice."""
MOST_BYTES = 32 * 1024 * 1024
"""Of one transaction, one larger frame excepted: it stays open for well under a second."""
SEND_TIMEOUT_S = 30.0

MOST_LETTERS = 1_000
"""Letters of a transaction: those of broken frames may have no bytes to be bounded by."""
GROUP_TIMEOUT_MS = 10_000
"""Of a transaction: the bytes of a group need as long on a slow line."""

Choice = Callable[[LetterBox], Sequence[DeadLetter]]


def replay(connection: KafkaConnection, choose: Choice) -> list[DeadLetter]:
    """Send letters again, each in one transaction with the marker that says so.

    Their coils are reopened before; a coil that has its report gets another revision once these frames have
    been inspected.

    Args:
        choose: which letters, of those there are at this moment; nobody else can replay meanwhile.

    Returns:
        The letters sent, in their order.

    Raises:
        KafkaError: Kafka did not take all of them; those of the transactions before are sent and marked.
    """
    producer = fencing_producer(connection, TRANSACTIONAL_ID, transaction_timeout_ms=GROUP_TIMEOUT_MS)
    try:
        with DeadLetters(connection) as topic:
            chosen = list(choose(topic.box()))
            for coil, letters in _by_coil(chosen).items():
                reopening = _reopening(coil, letters) if coil else None
                for group in _groups(letters):
                    _send(producer, topic, group, reopening)
                    reopening = None
    finally:
        producer.close()
    return chosen


def _send(
    producer: KafkaProducer, topic: DeadLetters, letters: list[DeadLetter], reopening: CoilReopened | None
) -> None:
    payloads = [topic.payload(letter) for letter in letters]
    producer.begin_transaction()
    try:
        _send_all(producer, letters, payloads, reopening)
        producer.commit_transaction()
    except BaseException:
        # Else it would hold readers back until Kafka gives it up.
        with suppress(KafkaError):
            producer.abort_transaction()
        raise


def _send_all(
    producer: KafkaProducer, letters: list[DeadLetter], payloads: list[bytes], reopening: CoilReopened | None
) -> None:
    if reopening is not None:
        # What counts is its place in the log, before any inspection of these frames.
        key = key_bytes(coil_key(reopening))
        producer.send(INSPECTIONS_TOPIC, key=key, value=reopening.to_json()).get(SEND_TIMEOUT_S)
    for letter, payload in zip(letters, payloads, strict=True):
        producer.send(FRAMES_TOPIC, key=letter.key, value=payload, headers=replay_headers(letter))
    marker = Replayed(letters=tuple(letter.id for letter in letters)).to_json()
    producer.send(DEAD_LETTERS_TOPIC, value=b"", headers=[(MARKER_HEADER, marker)])


def _by_coil(letters: Sequence[DeadLetter]) -> dict[CoilKey | None, list[DeadLetter]]:
    coils: dict[CoilKey | None, list[DeadLetter]] = defaultdict(list)
    for letter in letters:
        coils[letter.coil].append(letter)
    return coils


def _reopening(coil: CoilKey, letters: Sequence[DeadLetter]) -> CoilReopened:
    line, name, run = coil
    frames = {
        (letter.frame.side, letter.frame.camera, letter.frame.sequence) for letter in letters if letter.frame
    }
    reason = f"replay of {len(frames)} dead-lettered frame{'s' * (len(frames) > 1)}"
    return CoilReopened(line=line, coil=name, run=run, reason=reason, frames=len(frames))


def _groups(letters: Sequence[DeadLetter]) -> Iterator[list[DeadLetter]]:
    group: list[DeadLetter] = []
    size = 0
    for letter in letters:
        if group and (size + letter.size > MOST_BYTES or len(group) == MOST_LETTERS):
            yield group
            group, size = [], 0
        group.append(letter)
        size += letter.size
    if group:
        yield group
