"""A real line under attack: Kafka, Valkey behind a proxy, Ray Serve, real processes and signals."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import redis

from ingest.publisher import Publisher
from ingest.records import CoilKey
from ingest.sources.source import Source
from orchestration.line import start_line, stop_line, wait_for_report
from orchestration.settings import RedisSettings, Settings
from orchestration.stack import Stack, ray_local, serve, valkey
from orchestration.stack.ports import free_port
from orchestration.stack.processes import ProcessId, end
from orchestration.stack.state import PartName, StartedPart
from orchestration.streaming import stream
from tests.faults.outside import Outside
from tests.faults.proxy import SlowProxy
from tests.orchestration.line_logs import line_logs
from tests.replicas import replicas
from workers.report.json_report import report_json
from workers.report.store import ReportStore

PATIENCE_S = 180.0
"""The longest recovery, a broker's restart on its data, takes some 20 s on free cores; cores are not always
free."""
GRACE_S = 30.0
"""A killed worker's frames come back after its session, 10 s, and a worker's start; they are not missing."""
SESSION_S = 10.0
"""After this a silent worker's partitions move to another."""
LOOK_S = 0.05
WORKERS = {"FrameWorker": 2, "Inspector": 2, "CoilWorker": 1}
BROKER: tuple[PartName, ...] = ("kafka",)
SPEED_MPS = 1.0
"""Some 17 small frames a second: half of what two busy cores inspect, so that a line can catch up."""


class FaultLine:
    """A running line, and everything that can be done to it.

    Args:
        folder: for its data, logs and reports.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._redis_address = f"redis://127.0.0.1:{free_port()}/0"
        self.redis_part = self._start_redis()
        self.redis_proxy = SlowProxy(self._redis_address.removeprefix("redis://").removesuffix("/0"))
        self.redis_proxy.__enter__()
        self._stack = Stack(_settings(folder, f"redis://{self.redis_proxy.address}/0"))
        self._outside: Outside | None = None

    def start(self) -> None:
        """Start the line and begin to watch it."""
        self.settings = start_line(self._stack)
        self._outside = Outside(self.settings.kafka.connection())

    def stop(self) -> None:
        """End everything that was started."""
        if self._outside is not None:
            self._outside.close()
        for process in self.processes():
            process.resume()
        for part in self._stack.started().values():
            for member in part.processes:
                if server := member.find():
                    server.resume()
        stop_line(self._stack)
        self.redis_proxy.__exit__(None, None, None)
        end(self.redis_part.processes, at_once=True)

    @property
    def outside(self) -> Outside:
        """Its topics, seen from outside."""
        assert self._outside is not None, "the line has not been started"
        return self._outside

    def processes(self) -> list[psutil.Process]:
        """Every process of its Ray cluster."""
        members = ray_local.processes(self.folder / "run" / "ray")
        return [process for member in members if (process := member.find())]

    def replicas(self, deployment: str) -> list[psutil.Process]:
        """The running replicas of a deployment, oldest first."""
        return replicas(self.folder / "run", deployment)

    def whole(self) -> bool:
        """Whether every replica is there and the application healthy."""
        counts = {name: len(self.replicas(name)) for name in WORKERS}
        return counts == WORKERS and serve.health() == serve.RUNNING and serve.replicas() == WORKERS

    def broker(self) -> psutil.Process:
        """The broker's process."""
        return _running(self._stack.started()["kafka"].processes[0])

    def restart_broker(self) -> None:
        """Start the broker again, at its address and on its data, and wait until it answers."""
        self._stack.up(BROKER)

    def deploy(self, **counts: int) -> None:
        """Deploy the application anew with other numbers of replicas (`frame_workers`, `inspectors`)."""
        settings = self._stack.settings
        other = settings.model_copy(update={"ray": settings.ray.model_copy(update=counts)})
        # Ray reads how to get into a cluster when it is imported: not before the stack has said so.
        from orchestration.application import deploy  # noqa: PLC0415

        Stack(other).deploy(deploy)

    def redis(self) -> redis.Redis:
        """A client that talks to Valkey itself, past the proxy."""
        return redis.Redis.from_url(self._redis_address, socket_timeout=10)

    def restart_redis(self) -> None:
        """Start Valkey again at its address, empty."""
        self.redis_part = self._start_redis()

    @contextmanager
    def full_redis(self) -> Iterator[None]:
        """Valkey without room for anything new, and told to refuse it."""
        server = self.redis()
        before = server.config_get("maxmemory", "maxmemory-policy")
        server.config_resetstat()
        server.config_set("maxmemory-policy", "noeviction")
        server.config_set("maxmemory", 1)
        try:
            yield
        finally:
            for name, value in before.items():
                server.config_set(str(name), str(value))

    def _start_redis(self) -> StartedPart:
        settings = RedisSettings(url=self._redis_address, embedded=True)
        return valkey.start(settings, self.folder / "valkey", lambda _part: None)

    @contextmanager
    def streaming(self, source: Source, speed_mps: float | None = SPEED_MPS) -> Iterator[Streaming]:
        """Stream a coil from a thread of its own; the block's end waits until all of it is published."""
        streaming = Streaming(self.settings, source, speed_mps)
        yield streaming
        streaming.wait()

    def report(self, key: CoilKey, timeout_s: float = PATIENCE_S) -> bytes:
        """`report.json` of a coil, once it is there.

        Raises:
            CoilNotReportedError: it is not in time.
        """
        wait_for_report(self.settings, key, timeout_s=timeout_s)
        return report_json(ReportStore(self.settings.reports.store).read(*key))

    def store(self) -> Path:
        """Where its reports go."""
        return Path(self.settings.reports.store)

    def reported(self, key: CoilKey) -> bool:
        """Whether a coil's report is written, and maybe not announced yet."""
        return (self.store() / key[0] / key[1] / f"run-{key[2]}" / "report.json").exists()

    def logs(self) -> str:
        """What its processes said last."""
        return line_logs(self.folder / "run")

    def until(
        self,
        what: str,
        condition: Callable[[], Any],
        timeout_s: float = PATIENCE_S,
        look_s: float = LOOK_S,
    ) -> float:
        """Wait for a condition, looking every `look_s`; the seconds that it took.

        Raises:
            AssertionError: it did not come in time; with the processes' last lines.
        """
        started = time.monotonic()
        while not condition():
            if time.monotonic() - started > timeout_s:
                raise AssertionError(f"not in {timeout_s:.0f} s: {what}\n{self.logs()}")
            threading.Event().wait(look_s)
        return time.monotonic() - started

    def until_inspected(self, key: CoilKey, frames: int) -> None:
        """Wait until so many frames of a coil have a durable inspection."""
        self.until(f"{frames} frames of {key[1]} inspected", lambda: self.outside.inspected(key) >= frames)

    def until_recovered(self) -> float:
        """Wait until what is waiting for its inspection now has it; the seconds that it took."""
        waiting = self.outside.waiting()
        return self.until(
            f"{len(waiting)} waiting frames inspected", lambda: not waiting & self.outside.waiting()
        )


class Streaming:
    """A coil that is being published."""

    def __init__(self, settings: Settings, source: Source, speed_mps: float | None) -> None:
        self._settings, self._source, self._speed_mps = settings, source, speed_mps
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="streaming", daemon=True)
        self._thread.start()

    @property
    def done(self) -> bool:
        """Whether all of it has been published, or publishing has failed."""
        return not self._thread.is_alive()

    def wait(self) -> None:
        """Wait for the end.

        Raises:
            PublishError: what went wrong.
        """
        self._thread.join(PATIENCE_S * 2)
        assert not self._thread.is_alive(), "the coil is still being published"
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            with Publisher(self._settings.kafka.connection()) as publisher:
                stream(self._source, publisher, speed_mps=self._speed_mps)
        except Exception as failure:  # noqa: BLE001 - told to whoever waits
            self._failure = failure


def moment(random_: random.Random, frames: int) -> int:
    """How many frames are inspected when a fault comes: somewhere in the first half of a coil."""
    return random_.randint(frames // 10, frames // 2)


def kill(process: psutil.Process) -> None:
    """`kill -9`, and wait until it is gone."""
    process.send_signal(signal.SIGKILL)
    psutil.wait_procs([process], timeout=10)


def _settings(folder: Path, redis_url: str) -> Settings:
    settings = Settings.model_validate(
        {
            "run_directory": folder / "run",
            # A port that is ours: the broker must come back where its clients look for it.
            "kafka": {
                "embedded": True,
                "bootstrap_servers": f"127.0.0.1:{free_port()}",
                "frames_partitions": 4,
                "inspections_partitions": 2,
            },
            "redis": {"url": redis_url},
            "frame_worker": {"batch_frames": 4},
            "coil_worker": {"grace_s": GRACE_S},
            "ray": {"frame_workers": WORKERS["FrameWorker"], "inspectors": WORKERS["Inspector"]},
        }
    )
    return settings.with_reports(folder / "reports")


def _running(process: ProcessId) -> psutil.Process:
    found = process.find()
    assert found is not None, "the process has ended"
    return found
