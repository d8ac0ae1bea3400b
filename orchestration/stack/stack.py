"""The stack as a whole: started, described and ended by its settings and its run directory."""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path
from threading import Lock

from ingest.kafka import KafkaConnection
from orchestration.errors import SettingsError, UnreachableError, UnusableLineError
from orchestration.settings import Settings
from orchestration.settings_layers import shown
from orchestration.stack import kafka, ray_local, serve, topics, valkey
from orchestration.stack.processes import end
from orchestration.stack.state import (
    PARTS,
    DeployedApplication,
    PartName,
    StackState,
    StartedPart,
    locked,
)
from orchestration.stack.status import APPLICATION_TITLE, PartStatus, application_status, lag_of

TITLES: dict[PartName, str] = {"kafka": "Kafka", "redis": "Valkey", "ray": "Ray"}

Progress = Callable[[str], None]


class Stack:
    """Kafka, Redis and Ray as the settings want them: our own where they are embedded, else those named.

    Everything our own servers need and write is in `settings.run_directory`; two `Stack` of one directory
    are the same stack, in whatever process.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._started: list[PartName] = []
        self._deployed = False
        self._recording = Lock()

    def up(self, parts: Collection[PartName] = PARTS, progress: Progress | None = None) -> list[PartName]:
        """Start what is not running, and make the topics.

        Args:
            parts: what is wanted; those that the settings name elsewhere are only asked whether they answer.
            progress: told in one line what is waited for.

        Returns:
            Those that were started now.

        Raises:
            MissingProgramError: a program is not installed.
            StartError: a part did not come up; what was started with it has been ended again.
            UnreachableError: a server that the settings name does not answer.
            StackBusyError: another process is starting or stopping this stack.
        """
        tell = progress or (lambda _line: None)
        with locked(self._directory):
            missing = [name for name in PARTS if name in parts and not self._runs(name)]
            if missing:
                tell(f"Starting {', '.join(TITLES[name] for name in missing)} ...")
            try:
                self._start(missing)
                if "kafka" in parts:
                    tell("Creating topics ...")
                    topics.create_topics(self.kafka_connection(), self.settings.kafka)
            except BaseException:
                self._end(missing)
                raise
        self._started += missing
        return missing

    def deploy(self, deploy: Callable[[Settings], None], *, roll_out: bool = True) -> Settings:
        """Deploy the application with the addresses of what runs; the same one that runs is left alone.

        One that differs only in where it writes reports is the same: it goes on writing there.

        Args:
            deploy: deploys on the Ray cluster that this process is connected to, and waits until it runs.
            roll_out: replace an application of other settings, or one that does not run well.

        Returns:
            The settings with the addresses of what runs and the report store of the application.

        Raises:
            UnreachableError: a part does not run.
            UnusableLineError: an application that is not to be replaced cannot be used as it is.
            StackBusyError: another process is starting or stopping this stack.
        """
        with locked(self._directory):
            self.connect_ray()
            settings = self.connected(PARTS)
            digest = serve.digest(settings)
            running, health = self._state().application, serve.health()
            if health is not None and not roll_out:
                return settings.with_reports(_usable(running, health, settings).report_store)
            if running is not None and running.digest == digest and health == serve.RUNNING:
                return settings.with_reports(running.report_store)
            # What is cut off from here on is withdrawn all the same; no `up` takes it for its own.
            store = running.report_store if running else settings.reports.store
            self._remember(DeployedApplication(digest="", report_store=store))
            self._deployed = health is None
            deploy(settings)
            self._remember(
                DeployedApplication(
                    digest=digest,
                    report_store=settings.reports.store,
                    kafka=settings.kafka.bootstrap_servers,
                )
            )
        return settings

    def runs_by(self, settings: Settings) -> bool:
        """Whether the deployed application has these settings, but for its report store."""
        application = self._state().application
        return application is not None and application.digest == serve.digest(settings)

    def report_store(self) -> str:
        """Where the deployed application writes reports; the store of the settings where none is deployed."""
        application = self._state().application
        return application.report_store if application else self.settings.reports.store

    def down(self, parts: Collection[PartName] = PARTS) -> list[PartName]:
        """End the servers that were started in this run directory, and no others.

        Returns:
            Those that were ended.

        Raises:
            StackBusyError: another process is starting or stopping this stack.
        """
        with locked(self._directory):
            return self._end(parts)

    def down_started(self) -> list[PartName]:
        """End what this object's `up` has started and `deploy` has deployed; what ran before stays."""
        named: list[PartName] = ["ray"] if self._deployed and not self.settings.ray.embedded else []
        ended = self.down([*self._started, *named])
        self._started.clear()
        self._deployed = False
        return ended

    def status(self) -> list[PartStatus]:
        """Each part: its address, whether it serves, and how far it lags behind; then the application."""
        rows = [self._part_status(name) for name in PARTS]
        return [*rows, self._application_status(rows[-1])]

    def started(self) -> dict[PartName, StartedPart]:
        """The servers of ours that run."""
        return {name: part for name, part in self._state().parts.items() if part.alive}

    def kafka_connection(self) -> KafkaConnection:
        """How to reach Kafka.

        Raises:
            SettingsError: a certificate or key that the settings name cannot be read.
            UnreachableError: it is ours to start and does not run.
        """
        if not self.settings.kafka.embedded:
            return self.settings.kafka.connection()
        return KafkaConnection(bootstrap_servers=self._address("kafka", "COILWATCH_KAFKA__BOOTSTRAP_SERVERS"))

    def redis_url(self) -> str:
        """Where Redis is.

        Raises:
            UnreachableError: it is ours to start and does not run.
        """
        if not self.settings.redis.embedded:
            return self.settings.redis.url
        return self._address("redis", "COILWATCH_REDIS__URL")

    def ray_address(self) -> str:
        """`host:port` of Ray's head.

        Raises:
            UnreachableError: it is ours to start and does not run.
        """
        return self.settings.ray.address or self._address("ray", "COILWATCH_RAY__ADDRESS")

    def connect_ray(self) -> None:
        """Connect this process to Ray.

        Raises:
            UnreachableError: it does not run or does not let us in.
        """
        ray_local.connect(self.ray_address(), self._place("ray") if self.settings.ray.embedded else None)

    def disconnect_ray(self) -> None:
        """Leave Ray, so that this process may connect to another cluster."""
        ray_local.disconnect()

    def connected(self, needed: Collection[PartName]) -> Settings:
        """The settings with the addresses of what runs: what a client or a replica needs.

        Args:
            needed: parts that must run.

        Raises:
            UnreachableError: one of those needed is ours to start and does not run.
        """
        settings, running = self.settings, self.started()
        update: dict[str, object] = {}
        if settings.kafka.embedded and ("kafka" in running or "kafka" in needed):
            servers = {"bootstrap_servers": self.kafka_connection().bootstrap_servers}
            # Ours speaks plainly on the loopback interface, whatever the settings say of another.
            update["kafka"] = settings.kafka.model_copy(update=servers | {"security_protocol": "PLAINTEXT"})
        if settings.redis.embedded and ("redis" in running or "redis" in needed):
            update["redis"] = settings.redis.model_copy(update={"url": self.redis_url(), "password": None})
        if settings.ray.embedded and ("ray" in running or "ray" in needed):
            update["ray"] = settings.ray.model_copy(update={"address": self.ray_address()})
        return settings.model_copy(update=update)

    def _part_status(self, name: PartName) -> PartStatus:
        try:
            self.check(name)
        except (SettingsError, UnreachableError) as error:
            return PartStatus(TITLES[name], "-", "down", str(error))
        if name == "kafka":
            connection = self.kafka_connection()
            return PartStatus(
                TITLES[name], connection.bootstrap_servers, "up", lag_of(connection, self.settings)
            )
        address = self.redis_url() if name == "redis" else self.ray_address()
        return PartStatus(TITLES[name], shown(address), "up", "")

    def _application_status(self, cluster: PartStatus) -> PartStatus:
        if cluster.health == "down":
            return PartStatus(APPLICATION_TITLE, "-", "down", "Ray is not running")
        if self.settings.ray.embedded:
            counts = ray_local.replicas(self._place("ray"), serve.NAME)
        else:
            self.connect_ray()
            counts = serve.replicas()
        return application_status(cluster.address, counts, self.settings.ray)

    @property
    def _directory(self) -> Path:
        return self.settings.run_directory.absolute()

    def _place(self, name: PartName) -> Path:
        return self._directory / name

    def _state(self) -> StackState:
        return StackState.read(self._directory)

    def _address(self, name: PartName, variable: str) -> str:
        part = self.started().get(name)
        if part is None:
            raise UnreachableError(
                f"{TITLES[name]} is not running: start it by `coilwatch up`, "
                f"or name an existing one by {variable}"
            )
        return part.address

    def _embedded(self, name: PartName) -> bool:
        return bool(getattr(self.settings, name).embedded)

    def _runs(self, name: PartName) -> bool:
        """Whether a part answers; one of ours that does not is ended, one that is not ours is an error."""
        try:
            self.check(name)
        except UnreachableError:
            if not self._embedded(name):
                raise
            self._end([name])
            return False
        return True

    def check(self, name: PartName) -> None:
        """Ask a part whether it serves.

        Raises:
            SettingsError: a certificate or key that the settings name cannot be read.
            UnreachableError: it does not.
        """
        if name == "kafka":
            kafka.check(self.kafka_connection())
        elif name == "redis":
            valkey.check(self.connected(["redis"]).redis)
        else:
            ray_local.check(self.ray_address())

    def _start(self, names: Collection[PartName]) -> None:
        pool = ThreadPoolExecutor(max_workers=len(PARTS))
        starting = {name: pool.submit(self._start_part, name) for name in names}
        try:
            wait(starting.values())
        finally:
            # A signal ends the waiting, not the threads; all that they start has to be there to be ended.
            pool.shutdown(cancel_futures=True)
        for name, future in starting.items():
            self._record(name, future.result())

    def _start_part(self, name: PartName) -> StartedPart:
        place, record = self._place(name), partial(self._record, name)
        match name:
            case "kafka":
                return kafka.start(self.settings.kafka, place, record)
            case "redis":
                return valkey.start(self.settings.redis, place, record)
            case "ray":
                return ray_local.start(self.settings.ray, place, record)

    def _withdraw(self) -> None:
        """Take the application from a cluster that is not ours, where we have put it."""
        if self._state().application is not None and not self.settings.ray.embedded:
            self.connect_ray()
            serve.withdraw()
        self._remember(None)

    def _end(self, names: Collection[PartName]) -> list[PartName]:
        try:
            if "ray" in names:
                self._withdraw()
        finally:
            # A cluster that is away keeps no server of ours running.
            ended = self._end_servers(names)
        return ended

    def _end_servers(self, names: Collection[PartName]) -> list[PartName]:
        state = self._state()
        ended: list[PartName] = []
        # Ray first: its workers are clients of the others.
        for name in reversed(PARTS):
            part = state.parts.get(name)
            if name in names and part is not None:
                if name == "ray":
                    ray_local.stop(part.directory)
                else:
                    end(part.processes)
                self._record(name, None)
                ended.append(name)
        return ended

    def _remember(self, application: DeployedApplication | None) -> None:
        self._state().with_application(application).write(self._directory)

    def _record(self, name: PartName, part: StartedPart | None) -> None:
        with self._recording:
            self._state().with_part(name, part).write(self._directory)


def _usable(running: DeployedApplication | None, health: str, settings: Settings) -> DeployedApplication:
    """The application that is there, where frames and reports find their way as it is.

    Raises:
        UnusableLineError: says why not.
    """
    here = settings.kafka.bootstrap_servers
    if health != serve.RUNNING:
        why = f"expected its application {serve.RUNNING}, got {health}"
    elif running is None:
        why = f"expected one that was started from {settings.run_directory}, got one from elsewhere"
    elif not running.digest:
        why = "expected one that was started to the end, got one that was cut off"
    elif running.kafka is not None and running.kafka != here:
        why = f"expected one that takes its frames from Kafka at {here}, got {running.kafka}"
    else:
        return running
    raise UnusableLineError(f"the line that runs: {why}; `coilwatch up` rolls out these settings")
