"""How a process reaches Kafka, and the names of what it finds there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, SecretStr, field_validator

from ingest.addresses import Address, parse_addresses

FRAMES_TOPIC = "coilwatch.frames"
INSPECTIONS_TOPIC = "coilwatch.inspections"
EVENTS_TOPIC = "coilwatch.events"
DEAD_LETTERS_TOPIC = "coilwatch.dead-letters"

FRAME_HEADER = "frame"
"""Kafka header whose value is the JSON of `FrameHeader`; the record's value is then the encoded pixels."""
CONTROL_HEADER = "control"
"""Kafka header whose value is the kind of a control record; the record's value is then its JSON."""

MAX_FRAME_BYTES = 16 * 1024 * 1024
"""Largest frame that producers and the frames topic take. A raw 16k x 1k line-scan frame just fits."""


LocalFile = Annotated[Path, AfterValidator(Path.absolute)]
"""By its whole path: replicas run in other directories than the command that started them."""


class KafkaConnection(BaseModel):
    """Where Kafka is and how to speak to it: plain, TLS, SASL, or SASL over TLS.

    Attributes:
        bootstrap_servers: `host:port` of one broker at least, separated by commas.
        security_protocol: `SSL` for TLS, `SASL_...` for a user name and password.
        sasl_mechanism: how the password is proved; needed with `SASL_...`.
        sasl_username: needed with `SASL_...`.
        sasl_password: likewise; better by environment variable than by `--set`, which others can read.
        tls_ca_file: certificates that brokers are checked against; None for the system's.
        tls_certificate_file: the client's own certificate, where brokers ask for one.
        tls_key_file: the key of that certificate.
        tls_key_password: of an encrypted key.
        tls_check_hostname: whether a broker's certificate must name the host that was asked.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    bootstrap_servers: str = "localhost:9092"
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None
    tls_ca_file: LocalFile | None = None
    tls_certificate_file: LocalFile | None = None
    tls_key_file: LocalFile | None = None
    tls_key_password: SecretStr | None = None
    tls_check_hostname: bool = True

    @field_validator("bootstrap_servers")
    @classmethod
    def _are_addresses(cls, servers: str) -> str:
        return ",".join(str(server) for server in parse_addresses(servers))

    @property
    def servers(self) -> tuple[Address, ...]:
        """The bootstrap servers, one by one."""
        return parse_addresses(self.bootstrap_servers)

    def client_options(self) -> dict[str, Any]:
        """Keyword arguments that every kafka-python client takes."""
        options: dict[str, Any] = {
            "bootstrap_servers": [str(server) for server in self.servers],
            "security_protocol": self.security_protocol,
        }
        if self.security_protocol.startswith("SASL"):
            options |= {
                "sasl_mechanism": self.sasl_mechanism,
                "sasl_plain_username": self.sasl_username,
                "sasl_plain_password": self.sasl_password.get_secret_value() if self.sasl_password else None,
            }
        if self.security_protocol.endswith("SSL"):
            options |= {
                "ssl_cafile": str(self.tls_ca_file) if self.tls_ca_file else None,
                "ssl_certfile": str(self.tls_certificate_file) if self.tls_certificate_file else None,
                "ssl_keyfile": str(self.tls_key_file) if self.tls_key_file else None,
                "ssl_password": self.tls_key_password.get_secret_value() if self.tls_key_password else None,
                "ssl_check_hostname": self.tls_check_hostname,
            }
        return options
