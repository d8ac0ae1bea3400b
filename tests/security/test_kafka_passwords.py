"""SCRAM over TLS against a real broker: who may come in, and what everybody else is told."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka import KafkaConsumer
from pydantic import SecretStr

from ingest.errors import PublishError
from ingest.kafka import FRAMES_TOPIC, KafkaConnection
from ingest.publisher import Publisher
from orchestration.errors import UnreachableError
from orchestration.settings import KafkaSettings
from orchestration.stack import kafka as kafka_server
from orchestration.stack.topics import create_topics
from tests.security.secure_kafka import PASSWORD, scram_broker
from tests.workers.streams.frames import opened
from workers.streams.messages import read_frame_record

pytestmark = [
    pytest.mark.slow,
    pytest.mark.stack,
    pytest.mark.timeout(240),
    # A client that is refused leaves its sockets open.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]


@pytest.fixture(scope="module")
def let_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaConnection]:
    """The connection of somebody with the right password, who has made the topics."""
    with scram_broker(tmp_path_factory.mktemp("secure")) as connection:
        create_topics(connection, KafkaSettings(frames_partitions=1))
        yield connection


@pytest.fixture(autouse=True)
def collected(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Sockets of refused clients are collected while their warnings are expected, held by no log line."""
    yield
    caplog.clear()
    gc.collect()


def test_the_right_password_publishes_and_consumes(let_in: KafkaConnection) -> None:
    with Publisher(let_in, connect_timeout_s=30) as publisher:
        publisher.open_coil(opened("C1"))
    consumer = KafkaConsumer(
        FRAMES_TOPIC, **let_in.client_options(), auto_offset_reset="earliest", consumer_timeout_ms=30_000
    )
    try:
        assert read_frame_record(next(consumer)) == opened("C1")
    finally:
        consumer.close()


def wrong(connection: KafkaConnection, what: str) -> KafkaConnection:
    changes: dict[str, object] = {
        "password": {"sasl_password": SecretStr("wrong-one")},
        "user": {"sasl_username": "nobody"},
        "certificate": {"tls_ca_file": None},
    }[what]  # type: ignore[assignment]
    return connection.model_copy(update=changes)


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("password", "(?i)authentication failed"),
        ("user", "(?i)authentication failed"),
        ("certificate", "(?i)certificate verify failed"),
    ],
)
def test_everybody_else_gets_one_clear_line(let_in: KafkaConnection, what: str, says: str) -> None:
    refused = wrong(let_in, what)
    with pytest.raises(UnreachableError, match=says) as asked:
        kafka_server.check(refused)
    with pytest.raises(PublishError, match=says) as published:
        Publisher(refused, connect_timeout_s=5)
    for caught in (asked, published):
        assert "\n" not in str(caught.value)
        assert let_in.bootstrap_servers in str(caught.value)
        assert PASSWORD not in str(caught.value)
        assert "wrong-one" not in str(caught.value)


def test_no_password_is_in_the_broker_log(let_in: KafkaConnection) -> None:
    directory: Path = let_in.tls_ca_file.parent  # type: ignore[union-attr]
    assert PASSWORD not in (directory / "kafka.log").read_text("utf-8", "replace")
