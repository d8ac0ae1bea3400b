"""The servers and the data that tests share, and a world without the user's own settings."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from kafka import KafkaAdminClient

from ingest.kafka import KafkaConnection
from orchestration.settings import Settings
from orchestration.settings_layers import PREFIX
from orchestration.stack import Stack

DATA_VARIABLE = "COILWATCH_DATA"

# Ray reads how clusters are entered once, when any test first imports it; `ray_local` says the same.
os.environ["RAY_AUTH_MODE"] = "token"

# A busy machine makes no example fail: how long one takes is the timeout's.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session", autouse=True)
def nothing_of_the_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Neither the user's settings file, variables nor stack reach a test."""
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            if name.startswith(PREFIX) and name != DATA_VARIABLE:
                patch.delenv(name)
        data = os.environ.get(DATA_VARIABLE)
        if data:
            patch.setenv(DATA_VARIABLE, str(Path(data).absolute()))
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        patch.chdir(tmp_path_factory.mktemp("elsewhere"))
        yield


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The data folder that `COILWATCH_DATA` names; tests that need it are skipped without it."""
    folder = os.environ.get(DATA_VARIABLE)
    if not folder:
        pytest.skip(f"{DATA_VARIABLE} names no data folder")
    return Path(folder)


@pytest.fixture
def coil() -> str:
    """The id of a coil that the shared Kafka has not seen."""
    return f"C-{uuid.uuid4().hex[:12]}"


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A real Kafka and a real Valkey with our topics, on ports of their own, shared by the whole session."""
    stack = Stack(Settings(run_directory=tmp_path_factory.mktemp("servers")))
    try:
        stack.up(("kafka", "redis"))
        yield stack
    finally:
        stack.down()


@pytest.fixture(scope="session")
def kafka(servers: Stack) -> KafkaConnection:
    """The connection to a real Kafka."""
    return servers.kafka_connection()


@pytest.fixture(scope="session")
def redis_url(servers: Stack) -> str:
    """The address of a real Valkey."""
    return servers.redis_url()


@pytest.fixture(scope="session")
def new_topic(kafka: KafkaConnection) -> Callable[..., str]:
    """Makes a topic with a name of its own: `new_topic(partitions=1, **configs)` gives the name."""

    def make(partitions: int = 1, **configs: str) -> str:
        name = f"test-{uuid.uuid4().hex}"
        admin = KafkaAdminClient(**kafka.client_options())
        try:
            options = {"num_partitions": partitions, "replication_factor": 1, "configs": configs}
            admin.create_topics({name: options})
            admin.wait_for_topics([name])
        finally:
            admin.close()
        return name

    return make
