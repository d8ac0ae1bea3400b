"""A real broker that takes only SCRAM over TLS, with a certificate of its own and one user."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import SecretStr

from ingest.addresses import Address
from ingest.kafka import KafkaConnection
from orchestration.stack import kafka as kafka_server
from orchestration.stack.java import ensure_jars, find_java
from orchestration.stack.ports import free_port, free_ports
from orchestration.stack.processes import Deadline, end, last_lines, start_detached

USER = "strip"
PASSWORD = "right-one"  # noqa: S105 - of a broker that lives as long as a test
STORE_PASSWORD = "keystore"  # noqa: S105
START_TIMEOUT_S = 90.0


@contextmanager
def scram_broker(directory: Path) -> Iterator[KafkaConnection]:
    """Start it; gives the connection of the user whose password is right."""
    certificate = _make_certificate(directory)
    port, properties = free_port(), directory / "server.properties"
    properties.write_text(_properties(directory, port), encoding="utf-8")
    log = directory / "kafka.log"
    command: list[str | Path] = [find_java(), *kafka_server.JAVA_OPTIONS, "-cp", f"{ensure_jars()}/*"]
    user = f"SCRAM-SHA-512=[name={USER},password={PASSWORD}]"
    format_log = [*command, "kafka.tools.StorageTool", "format", "-t", "A" * 21 + "Q", "-c", properties]
    subprocess.run([*format_log, "--add-scram", user], check=True, capture_output=True)
    process = start_detached([*command, "kafka.Kafka", properties], log)
    try:
        deadline = Deadline(START_TIMEOUT_S)
        while not Address("127.0.0.1", port).listens():
            assert not deadline.passed, last_lines(log)
            assert process.find(), last_lines(log)
            deadline.pause()
        yield KafkaConnection(
            bootstrap_servers=f"127.0.0.1:{port}",
            security_protocol="SASL_SSL",
            sasl_mechanism="SCRAM-SHA-512",
            sasl_username=USER,
            sasl_password=SecretStr(PASSWORD),
            tls_ca_file=certificate,
        )
    finally:
        end([process])


def _make_certificate(directory: Path) -> Path:
    keytool = Path(find_java()).resolve().with_name("keytool")
    store: list[str | Path] = [
        "-alias",
        "broker",
        "-keystore",
        directory / "broker.p12",
        "-storepass",
        STORE_PASSWORD,
    ]
    names = ["-dname", "CN=localhost", "-ext", "SAN=ip:127.0.0.1", "-validity", "2", "-keyalg", "EC"]
    certificate = directory / "ca.pem"
    steps: tuple[list[str | Path], ...] = (
        ["-genkeypair", *names],
        ["-exportcert", "-rfc", "-file", certificate],
    )
    for arguments in steps:
        command: list[str | Path] = [keytool, *arguments, *store]
        subprocess.run(command, check=True, capture_output=True)
    return certificate


def _properties(directory: Path, port: int) -> str:
    controller, inside = free_ports(2, other_than=port)
    plain = kafka_server.PROPERTIES.replace(
        "inter.broker.listener.name=PLAINTEXT", "inter.broker.listener.name=INSIDE"
    ).replace("PLAINTEXT:PLAINTEXT,", "INSIDE:PLAINTEXT,OUTSIDE:SASL_SSL,")
    addresses = (("OUTSIDE", port), ("INSIDE", inside), ("CONTROLLER", controller))
    return f"""{plain}
listeners={",".join(f"{name}://127.0.0.1:{number}" for name, number in addresses)}
controller.quorum.voters=1@127.0.0.1:{controller}
log.dirs={directory / "data"}
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.outside.scram-sha-512.sasl.jaas.config=\
org.apache.kafka.common.security.scram.ScramLoginModule required;
ssl.keystore.type=PKCS12
ssl.keystore.location={directory / "broker.p12"}
ssl.keystore.password={STORE_PASSWORD}
"""
