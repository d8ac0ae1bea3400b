"""`coilwatch dead-letters` against a real broker."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kafka.consumer.fetcher import ConsumerRecord

from ingest.kafka import DEAD_LETTERS_TOPIC, FRAME_HEADER, FRAMES_TOPIC, KafkaConnection
from tests.orchestration.cli.conftest import Coilwatch, Ran
from tests.workers.streams.frames import SIZE, frame
from tests.workers.streams.topics import records_of
from workers.streams.dead_letters import ATTEMPT_HEADER, dead_letter
from workers.streams.kafka_clients import transactional_producer

pytestmark = pytest.mark.stack

ERROR = "expected [64 x 64] pixels, got [red]rubbish[/red]"
DeadLettersCommand = Callable[..., Ran]


@pytest.fixture
def dead_letters(coilwatch: Coilwatch, kafka: KafkaConnection) -> DeadLettersCommand:
    server = f"kafka.bootstrap_servers={kafka.bootstrap_servers}"
    return lambda *arguments: coilwatch("--set", server, "dead-letters", *arguments)


@pytest.fixture
def ids(kafka: KafkaConnection, coil: str, dead_letters: DeadLettersCommand) -> list[str]:
    """Two letters of a coil, and one that is no frame."""
    producer = transactional_producer(kafka, "test-cli-letters")
    producer.begin_transaction()
    for sequence in (3, 8):
        one = frame(coil, sequence)
        headers = [(FRAME_HEADER, one.header.to_json()), ("traceparent", b"00-01")]
        producer.send(DEAD_LETTERS_TOPIC, **dead_letter(_record(one.data, headers), ERROR, attempts=2))
    producer.send(DEAD_LETTERS_TOPIC, **dead_letter(_record(b"?", []), "not ours", attempts=1))
    producer.commit_transaction()
    producer.close()
    return [row["id"] for row in rows(dead_letters, "--coil", coil)]


def _record(value: bytes, headers: list[tuple[str, bytes]]) -> ConsumerRecord:
    return ConsumerRecord(FRAMES_TOPIC, 5, 0, 42, 0, 0, b"key", value, headers, None, 3, len(value), 0)


def rows(dead_letters: DeadLettersCommand, *arguments: str) -> list[dict[str, Any]]:
    ran = dead_letters("list", "--json", *arguments)
    assert ran.code == 0
    found: list[dict[str, Any]] = json.loads(ran.out)
    return found


def replays(kafka: KafkaConnection, coil: str) -> int:
    frames = [dict(record.headers) for record in records_of(kafka, FRAMES_TOPIC)]
    return sum(ATTEMPT_HEADER in headers and coil.encode() in headers[FRAME_HEADER] for headers in frames)


def test_the_list_names_frame_error_and_attempts(
    dead_letters: DeadLettersCommand, ids: list[str], coil: str
) -> None:
    found = rows(dead_letters, "--coil", coil)
    assert [
        (row["camera"], row["sequence"], row["error"], row["attempts"], row["state"]) for row in found
    ] == [
        ("cam1", 3, ERROR, 2, "waiting"),
        ("cam1", 8, ERROR, 2, "waiting"),
    ]
    assert {row["coil"] for row in rows(dead_letters)} >= {coil, None}
    table = dead_letters("list", "--coil", coil)
    assert all(name in table.out for name in ids)
    assert "[red]rubbish" in "".join(table.out.split())
    assert "No dead letters." in dead_letters("list", "--coil", "nobody").err


def test_show_tells_headers_source_and_picture(dead_letters: DeadLettersCommand, ids: list[str]) -> None:
    shown = json.loads(dead_letters("show", ids[0]).out)
    assert shown["picture"] == {"encoding": "zstd", "height_px": SIZE, "width_px": SIZE}
    assert shown["source"] == {"topic": FRAMES_TOPIC, "partition": 5, "offset": 42}
    assert [name for name, _ in shown["headers"]] == [FRAME_HEADER, "traceparent"]
    assert "no dead letter 'x'" in dead_letters("show", "x").error


def test_export_writes_the_bytes_and_what_is_known(
    dead_letters: DeadLettersCommand, ids: list[str], coil: str, tmp_path: Path
) -> None:
    folder = tmp_path / "letters"
    ran = dead_letters("export", "--coil", coil, "-o", folder)
    assert ran.code == 0
    assert "2/2" in ran.err
    assert (folder / f"{ids[1]}.bin").read_bytes() == frame(coil, 8).data
    assert json.loads((folder / f"{ids[1]}.json").read_text())["sequence"] == 8
    assert len(list(folder.iterdir())) == 4


def test_replay_sends_what_is_selected_once(
    dead_letters: DeadLettersCommand, ids: list[str], coil: str, kafka: KafkaConnection
) -> None:
    ran = dead_letters("replay", "--yes", ids[0])
    assert (ran.code, replays(kafka, coil)) == (0, 1)
    assert f"line-1 coil {coil} run 1: 1" in ran.err
    assert "Replayed 1 dead letter." in dead_letters("replay", "--yes", "--coil", coil).err
    assert [row["state"] for row in rows(dead_letters, "--coil", coil)] == ["replayed", "replayed"]
    assert "Nothing to replay" in dead_letters("replay", "--yes", "--coil", coil).err
    assert replays(kafka, coil) == 2
    assert "Replayed 2 dead letters." in dead_letters("replay", "--yes", "--again", *ids).err
    assert replays(kafka, coil) == 4


def test_replay_asks_and_a_no_sends_nothing(
    dead_letters: DeadLettersCommand, ids: list[str], coil: str, kafka: KafkaConnection
) -> None:
    # Nobody is there to answer: standard input is closed.
    assert dead_letters("replay", "--coil", coil).code == 1
    assert replays(kafka, coil) == 0


@pytest.mark.parametrize("selection", [(), ("--all", "--coil", "C1"), ("0-1", "--all")])
def test_a_selection_is_asked_for(dead_letters: DeadLettersCommand, selection: tuple[str, ...]) -> None:
    ran = dead_letters("replay", *selection)
    assert ran.code == 2
    assert "exactly one of them" in " ".join(ran.err.split())


def test_without_kafka_there_is_one_line(coilwatch: Coilwatch, tmp_path: Path) -> None:
    assert "Kafka" in coilwatch("--set", f"run_directory={tmp_path}", "dead-letters", "list").error
