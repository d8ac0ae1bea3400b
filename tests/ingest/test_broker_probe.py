from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from ingest.broker_probe import wait_for_broker
from ingest.errors import PublishError
from ingest.kafka import KafkaConnection


@pytest.fixture
def listener() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("servers", ["127.0.0.1:{port}", "127.0.0.1:1,127.0.0.1:{port}", " 127.0.0.1:{port}"])
def test_one_listening_server_is_enough(listener: int, servers: str) -> None:
    wait_for_broker(KafkaConnection(bootstrap_servers=servers.format(port=listener)), 5)


@pytest.mark.parametrize(
    ("servers", "cause"),
    [
        ("127.0.0.1:1", "Connection refused"),
        ("no-such-host.invalid:9092", "."),
    ],
)
def test_the_cause_is_named(servers: str, cause: str) -> None:
    with pytest.raises(PublishError, match=f"^no Kafka broker at {servers} within 0.2 s: .*{cause}"):
        wait_for_broker(KafkaConnection(bootstrap_servers=servers), 0.2)
