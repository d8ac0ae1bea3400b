"""All settings of Coilwatch: what they are, and the values that hold when nobody says otherwise.

`orchestration.settings_layers.load` reads them from file, environment and options; `Settings()` reads
nothing, so that a value never depends on where a test or a replica happens to run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from platformdirs import user_state_path
from pydantic import (
    BaseModel,
    ByteSize,
    ConfigDict,
    Field,
    SecretStr,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from ingest.addresses import Address
from ingest.kafka import MAX_FRAME_BYTES, KafkaConnection, LocalFile
from ingest.spool_outbox import WhenFull
from orchestration.errors import SettingsError
from workers.coil.joining import JoiningSettings
from workers.inspection.settings import InspectionSettings
from workers.streams.settings import CoilLoopSettings, FrameLoopSettings

Count = Annotated[int, Field(ge=1)]

DEFAULT_REDIS_PORT = 6379
WEIGHTS_SUFFIX = ".safetensors"
NO_CLASSIFIER = "none"


class Section(BaseModel):
    """Base of every section: frozen, closed to unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _embedded_unless_named(data: object, address: str) -> object:
    """Whoever names a server means that server, not one of ours."""
    if isinstance(data, dict) and data.get(address) is not None:
        return {"embedded": False} | data
    return data


def _check_file(key: str, file: Path | None) -> None:
    """Find out here what clients would tell as a server that does not answer, and try for ever."""
    try:
        if file is not None:
            file.open("rb").close()
    except OSError as error:
        raise SettingsError(f"{key} {file}: expected a file, got {error.strerror}") from None


class KafkaSettings(KafkaConnection):
    """The connection to Kafka, and the topics made there.

    Attributes:
        embedded: start a broker of our own; naming `bootstrap_servers` turns this off.
        frames_partitions: upper bound of frame workers that share the work.
        inspections_partitions: upper bound of coils joined at once by different coil workers.
        frames_retention_hours: for as long a coil can be inspected again (`coilwatch reinspect`). 0.1 at
            least, or a frame is gone before a worker that was replaced reads it; ten years at most.
        frames_retention_bytes: of the whole frames topic; None leaves only the time.
        inspections_retention_days: for as long a reported coil can be revised. 0.1 at least, or the log of a
            coil is gone before the coil closes; ten years at most.
        replication: copies of each partition; 1 for the embedded broker, 3 on a cluster.
    """

    embedded: bool = True
    frames_partitions: Count = 8
    inspections_partitions: Count = 4
    frames_retention_hours: Annotated[float, Field(ge=0.1, le=87_600)] = 24.0
    frames_retention_bytes: Annotated[int, Field(ge=1)] | None = None
    inspections_retention_days: Annotated[float, Field(ge=0.1, le=3_650)] = 30.0
    replication: Annotated[int, Field(ge=1, le=32767)] = 1

    @model_validator(mode="before")
    @classmethod
    def _named_means_existing(cls, data: object) -> object:
        return _embedded_unless_named(data, "bootstrap_servers")

    def connection(self) -> KafkaConnection:
        """What a client needs to reach Kafka.

        Raises:
            SettingsError: a certificate or key that it needs cannot be read.
        """
        if self.security_protocol.endswith("SSL"):
            for name in ("tls_ca_file", "tls_certificate_file", "tls_key_file"):
                _check_file(f"kafka.{name}", getattr(self, name))
        return KafkaConnection.model_construct(
            **{name: getattr(self, name) for name in KafkaConnection.model_fields}
        )


class RedisSettings(Section):
    """The connection to Redis or Valkey.

    Attributes:
        url: `redis://` or, over TLS, `rediss://`.
        password: kept out of the URL, so that the URL can be shown.
        tls_ca_file: certificates that a `rediss://` server is checked against; None for the system's.
        embedded: start a Valkey of our own; naming `url` turns this off.
        maxmemory_mb: bound of the embedded server; the cache gives way, nothing else does.
    """

    url: str = f"redis://127.0.0.1:{DEFAULT_REDIS_PORT}/0"
    password: SecretStr | None = None
    tls_ca_file: LocalFile | None = None
    embedded: bool = True
    maxmemory_mb: Count = 256

    @model_validator(mode="before")
    @classmethod
    def _named_means_existing(cls, data: object) -> object:
        return _embedded_unless_named(data, "url")

    @field_validator("url")
    @classmethod
    def _is_redis(cls, url: str) -> str:
        if not url.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("expected redis://, rediss:// or unix://")
        try:
            parts = urlsplit(url)
            _ = parts.hostname, parts.port
        except ValueError:
            # The parser's own message would show what it took for the port: part of a password with a slash.
            raise ValueError(
                "expected HOST:PORT, and reserved characters of the password percent-encoded"
            ) from None
        return url

    def client_options(self) -> dict[str, Any]:
        """Keyword arguments for `redis.Redis.from_url(url, ...)`.

        Raises:
            SettingsError: the certificates that it needs cannot be read.
        """
        options: dict[str, Any] = {}
        if self.password is not None:
            options["password"] = self.password.get_secret_value()
        if self.tls_ca_file is not None and self.url.startswith("rediss://"):
            _check_file("redis.tls_ca_file", self.tls_ca_file)
            options["ssl_ca_certs"] = str(self.tls_ca_file)
        return options


class RaySettings(Section):
    """The Ray cluster, and how many replicas run there.

    Attributes:
        address: `host:port` of an existing cluster's head; None starts a cluster here.
        frame_workers: replicas that read frames from Kafka; `kafka.frames_partitions` at most have work.
        inspectors: replicas that run the network. More where they are behind the strip (`coilwatch status`)
            and there are processors or GPUs for them.
        cpus: logical processors of the local cluster. Replicas book a tenth each, and every one more is a
            worker process that Ray may start ahead of time.
        object_store_mb: shared memory of the local cluster; a few batches of frames on their way.
    """

    address: str | None = None
    frame_workers: Count = 2
    inspectors: Count = 2
    cpus: Count = 2
    object_store_mb: Annotated[int, Field(ge=80)] = 256

    @field_validator("address")
    @classmethod
    def _is_address(cls, address: str | None) -> str | None:
        return None if address is None else str(Address.parse(address))

    @property
    def embedded(self) -> bool:
        """Whether a local cluster is started."""
        return self.address is None


class ModelSettings(Section):
    """Which network looks at the tiles, and on what.

    Attributes:
        name: weights of the network: shipped ones (`coilwatch models` lists them), or the path of a weights
            file, with a slash or its suffix in it.
        classifier: weights of the classifier of findings, named likewise; `none` leaves every finding of
            unknown class.
        gate: weights of a gate, named likewise, that lets the network see only tiles that may show a defect:
            faster on clean strip, and what it overlooks is missed. None for none.
        backend: `auto` takes CUDA through torch where there is a GPU, else OpenVINO.
        device: `cpu`, `cuda`, `cuda:N`, or `auto`: a GPU where there is one and the back end can use it, each
            inspector of a machine the next one.
        precision: `auto` takes bf16 where the device gains by it, else fp32. Maps differ by a few grey levels
            of 255.
    """

    name: str = "coilnet-m"
    classifier: str = "steel-classes"
    gate: str | None = None
    backend: Literal["auto", "torch", "openvino"] = "auto"
    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d{1,3})?)$")] = "auto"
    precision: Literal["auto", "fp32", "bf16"] = "auto"

    @field_validator("name", "classifier", "gate")
    @classmethod
    def _absolute(cls, name: str | None) -> str | None:
        """Replicas run in other directories than the command that started them."""
        is_path = name is not None and ("/" in name or name.endswith(WEIGHTS_SUFFIX))
        return str(Path(name).absolute()) if name is not None and is_path else name


class GradingSettings(Section):
    """Where the grading rules stand.

    Attributes:
        file: TOML of severities and counts that hold or block a coil; None for the built-in rules.
    """

    file: LocalFile | None = None


class ReportSettings(Section):
    """Where coil reports are written.

    Attributes:
        store: a directory or any fsspec URL, such as `s3://bucket/reports`.
    """

    store: str = Field(default="coil-reports", validate_default=True)

    @field_validator("store")
    @classmethod
    def _absolute(cls, store: str) -> str:
        """Replicas run in other directories than the command that started them."""
        return store if "://" in store else str(Path(store).absolute())


LEAST_SPOOL_BYTES = 2 * MAX_FRAME_BYTES
_BYTES = WithJsonSchema({"type": "integer", "minimum": LEAST_SPOOL_BYTES})
"""Pydantic's own schema of a size in bytes leaves the bound out."""


class SpoolSettings(Section):
    """Where `coilwatch ingest` puts frames while Kafka does not take them.

    Attributes:
        directory: a folder that one publisher has alone; None to make the source wait for Kafka.
        limit_bytes: what may lie there; a number, or one with a unit such as 20GB. Two of the largest frames
            at least.
        when_full: `block` makes the source wait, `drop-oldest` drops frames: holes in the report.
    """

    directory: Path | None = None
    limit_bytes: Annotated[ByteSize, Field(ge=LEAST_SPOOL_BYTES), _BYTES] = ByteSize(10_000_000_000)
    when_full: WhenFull = "block"


class Settings(BaseSettings):
    """Every setting, frozen. Constructed directly it holds the defaults and what is passed, nothing else.

    Attributes:
        run_directory: data, logs and state of the local stack; `coilwatch/run` in the user's folder for
            state (`~/.local/state`) unless named.
    """

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix="COILWATCH_",
        env_nested_delimiter="__",
        env_ignore_empty=True,
    )

    kafka: KafkaSettings = KafkaSettings()
    redis: RedisSettings = RedisSettings()
    ray: RaySettings = RaySettings()
    model: ModelSettings = ModelSettings()
    frame_worker: FrameLoopSettings = FrameLoopSettings()
    coil_worker: CoilLoopSettings = CoilLoopSettings()
    inspection: InspectionSettings = InspectionSettings()
    joining: JoiningSettings = JoiningSettings()
    grading: GradingSettings = GradingSettings()
    reports: ReportSettings = Field(default_factory=ReportSettings)
    spool: SpoolSettings = SpoolSettings()
    run_directory: Path = Field(default_factory=lambda: user_state_path("coilwatch") / "run")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is passed: reading file and environment is `settings_layers.load`'s work."""
        return (init_settings,)

    def check_files(self) -> None:
        """Find the certificates and keys of the servers that are named; ours have none.

        Raises:
            SettingsError: one cannot be read; names its setting.
        """
        if not self.kafka.embedded:
            self.kafka.connection()
        if not self.redis.embedded:
            self.redis.client_options()

    def with_reports(self, store: Path | str) -> Settings:
        """These settings with another report store."""
        return self.model_copy(update={"reports": ReportSettings(store=str(store))})
