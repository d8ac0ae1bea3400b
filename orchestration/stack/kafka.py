"""One Apache Kafka broker of our own: KRaft, a single node, listening on the loopback interface."""

from __future__ import annotations

import base64
import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path

from ingest.kafka import KafkaConnection
from orchestration.errors import StartError, UnreachableError
from orchestration.settings import KafkaSettings
from orchestration.stack.java import ensure_jars, find_java
from orchestration.stack.kafka_admin import kafka_admin
from orchestration.stack.ports import come_up, free_ports, start_on_free_port
from orchestration.stack.processes import last_lines, start_detached
from orchestration.stack.state import StartedPart
from orchestration.stack.topics import MAX_RECORD_BYTES

START_TIMEOUT_S = 60.0
"""A broker listens 2-3 s after its start; a loaded machine with a log to recover takes longer."""

REACH_TIMEOUT_MS = 3000
"""For one metadata answer of a server that ought to be there."""

JAVA_OPTIONS = (
    "-Xms128m",
    "-Xmx512m",
    # One coil's worth of connections: fewer collector threads and less memory than the default G1.
    "-XX:+UseSerialGC",
    "-XX:+ExitOnOutOfMemoryError",
    "-Djava.awt.headless=true",
    # log4j's built-in configuration writes to the console, which is our log file.
    "-Dorg.apache.logging.log4j.level=WARN",
)

META = "meta.properties"
"""Where a formatted log keeps the id of its cluster."""

PROPERTIES = f"""\
process.roles=broker,controller
node.id=1
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT

# Topics are made by us, with their retention and sizes; a misspelt one must fail.
auto.create.topics.enable=false
message.max.bytes={MAX_RECORD_BYTES}

# A lone member would wait three seconds for others to join.
group.initial.rebalance.delay.ms=0
# Workers that want to be missed early may ask for less than six seconds.
group.min.session.timeout.ms=1000

# A killed worker's open transaction holds readers back until it is found; the default is ten seconds.
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000

# One node: one copy, and few partitions of the internal topics to open at start.
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=2
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=2
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1

# The default keeps 128 MB of a heap of 512 for compaction.
log.cleaner.dedupe.buffer.size=16777216
num.network.threads=2
num.io.threads=4
"""


def start(settings: KafkaSettings, directory: Path, record: Callable[[StartedPart], None]) -> StartedPart:
    """Start a broker whose log lives in `directory`, and wait until it answers a metadata request.

    Args:
        record: called as soon as there is a process, so that it can be ended whatever happens to us.

    Raises:
        MissingProgramError: Java or the jars are not there.
        StartError: the broker ended or did not answer in time, with its last log lines.
    """
    java, jars = find_java(), ensure_jars()
    directory.mkdir(parents=True, exist_ok=True)
    command: list[str | Path] = [java, *JAVA_OPTIONS, "-cp", f"{jars}/*"]
    preferred = settings.servers[0].port
    return start_on_free_port(preferred, lambda port: _start_at(port, command, directory, record))


def _start_at(
    port: int, command: list[str | Path], directory: Path, record: Callable[[StartedPart], None]
) -> StartedPart:
    log = directory / "kafka.log"
    log.unlink(missing_ok=True)
    properties = _write_properties(directory, port, *free_ports(1, other_than=port))
    if not (directory / "data" / META).exists():
        _format(command, properties, log)
    process = start_detached([*command, "kafka.Kafka", properties], log)
    part = StartedPart(address=f"127.0.0.1:{port}", processes=(process,), directory=directory)
    connection = KafkaConnection(bootstrap_servers=part.address)
    return come_up(
        "Kafka",
        part,
        log,
        record=record,
        is_ours=lambda: check(connection) in (directory / "data" / META).read_text("utf-8"),
        timeout_s=START_TIMEOUT_S,
    )


def check(connection: KafkaConnection) -> str:
    """Ask for the brokers of a cluster.

    Returns:
        The cluster's id.

    Raises:
        UnreachableError: no answer, or none that we understand.
    """
    with kafka_admin(connection, REACH_TIMEOUT_MS) as admin:
        cluster = admin.describe_cluster()
    if not cluster["brokers"]:
        raise UnreachableError(f"Kafka at {connection.bootstrap_servers} has no broker")
    return str(cluster["cluster_id"])


def _format(java: list[str | Path], properties: Path, log: Path) -> None:
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    # An id that begins with a dash would be read as an option.
    cluster = cluster.replace("-", "A", 1) if cluster.startswith("-") else cluster
    log.touch(mode=0o600)
    with log.open("ab") as output:
        command = [*java, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", properties]
        status = subprocess.run(command, stdout=output, stderr=output, check=False).returncode
    if status != 0:
        raise StartError(f"Kafka could not format {properties.parent / 'data'}:\n{last_lines(log)}")


def _write_properties(directory: Path, port: int, controller_port: int) -> Path:
    path = directory / "server.properties"
    # The quorum is static: a dynamic one writes the controller's port into the log, and ours may change.
    path.write_text(
        f"{PROPERTIES}\n"
        f"listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}\n"
        f"controller.quorum.voters=1@127.0.0.1:{controller_port}\n"
        f"log.dirs={directory / 'data'}\n",
        encoding="utf-8",
    )
    return path
