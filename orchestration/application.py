"""The Ray Serve application: frame workers, inspectors and coil workers, each a deployment.

Serve starts, watches and restarts them; the two Kafka loops run in threads of their own replicas, and
`check_health` fails when a loop has died or stands still.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ray import serve
from ray.serve.handle import DeploymentHandle

from ingest.records import EncodedFrame, FrameHeader
from orchestration.errors import StartError
from orchestration.inspection_client import ServeInspectionClient
from orchestration.loop_thread import LoopThread
from orchestration.settings import Settings
from orchestration.stack.serve import NAME
from workers.coil.grading import GradingRules
from workers.report.store import ReportStore
from workers.streams.coil_history import CoilHistory
from workers.streams.coil_loop import CoilLoop
from workers.streams.frame_loop import FrameLoop
from workers.streams.kafka_clients import group_consumer, transactional_producer
from workers.streams.live_view import LiveView
from workers.streams.redis_client import redis_client
from workers.streams.redis_rest import RedisRest
from workers.streams.result_cache import ResultCache

REPLICA_CPUS = 0.1
"""What a replica books of Ray's processors. At Ray's default of 1, five replicas never fit two cores."""
QUEUED_CALLS = 2
"""Calls an inspector takes at once: one under inspection, the next already transferred."""


class InspectorReplica:
    """Frames in, results in pixels out; one frame batch at a time, the next one waiting."""

    def __init__(self, settings: Settings) -> None:
        # Torch takes seconds and 300 MB that the workers' replicas, which load this module too, do not need.
        from orchestration.inspector import open_inspector  # noqa: PLC0415

        self._inspector = open_inspector(settings)
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="inspect")

    async def identity(self) -> bytes:
        """JSON of the `ModelIdentity` that this replica inspects with."""
        return self._inspector.identity.to_json()

    async def analyse(self, frames: list[tuple[bytes, bytes]]) -> list[bytes]:
        """JSON of one `FrameResult` per frame.

        Args:
            frames: pairs of `FrameHeader` JSON and encoded pixels.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, self._analyse, frames)

    def _analyse(self, frames: list[tuple[bytes, bytes]]) -> list[bytes]:
        encoded = [EncodedFrame(FrameHeader.from_json(header), data) for header, data in frames]
        return [result.to_json() for result in self._inspector.analyse(encoded)]


class FrameWorkerReplica:
    """Runs a frame loop; a member of the frame workers' consumer group."""

    def __init__(self, settings: Settings, inspectors: DeploymentHandle[Any]) -> None:
        self._settings = settings
        self._inspectors = inspectors
        self._thread = LoopThread("frame worker", self._build)

    def _build(self) -> FrameLoop:
        settings = self._settings
        connection = settings.kafka.connection()
        client = redis_client(settings.redis.url, settings.redis.client_options())
        rest = RedisRest()
        return FrameLoop(
            group_consumer(connection, settings.frame_worker.group, "frames"),
            transactional_producer(connection, "coilwatch-frame-worker"),
            ServeInspectionClient(self._inspectors, settings.frame_worker.batches_in_flight),
            cache=ResultCache(client, rest),
            live_view=LiveView(client, rest),
            settings=settings.frame_worker,
        )

    def check_health(self) -> None:
        """Fail when the loop has died or stands still."""
        self._thread.check()

    def __del__(self) -> None:
        self._thread.stop()


class CoilWorkerReplica:
    """Runs a coil loop; a member of the coil workers' consumer group, and the root of the application."""

    def __init__(self, settings: Settings, frame_workers: DeploymentHandle[Any]) -> None:
        self._settings = settings
        # Held, not called: it makes the frame workers part of the application that this deployment heads.
        self._frame_workers = frame_workers
        # What cannot be read fails the deployment, with its one line, and not a thread.
        self._rules = GradingRules.load(settings.grading.file)
        self._store = ReportStore(settings.reports.store)
        self._thread = LoopThread("coil worker", self._build)

    def _build(self) -> CoilLoop:
        settings = self._settings
        connection = settings.kafka.connection()
        return CoilLoop(
            group_consumer(connection, settings.coil_worker.group, "inspections"),
            transactional_producer(connection, "coilwatch-coil-worker"),
            self._store,
            CoilHistory(connection),
            rules=self._rules,
            joining=settings.joining,
            live_view=LiveView(redis_client(settings.redis.url, settings.redis.client_options())),
            settings=settings.coil_worker,
        )

    def check_health(self) -> None:
        """Fail when the loop has died or stands still."""
        self._thread.check()

    def __del__(self) -> None:
        self._thread.stop()


def build_application(settings: Settings) -> serve.Application:
    """The three deployments, bound together."""
    common: dict[str, Any] = {
        "health_check_period_s": 5,
        "health_check_timeout_s": 30,
        "graceful_shutdown_timeout_s": 10,
        "graceful_shutdown_wait_loop_s": 0.5,
        "ray_actor_options": {"num_cpus": REPLICA_CPUS},
    }
    inspectors = serve.deployment(
        name="Inspector",
        num_replicas=settings.ray.inspectors,
        max_ongoing_requests=QUEUED_CALLS,
        **common,
    )(InspectorReplica).bind(settings)
    frame_workers = serve.deployment(name="FrameWorker", num_replicas=settings.ray.frame_workers, **common)(
        FrameWorkerReplica
    ).bind(settings, inspectors)
    return serve.deployment(name="CoilWorker", num_replicas=1, **common)(CoilWorkerReplica).bind(
        settings, frame_workers
    )


def deploy(settings: Settings) -> None:
    """Deploy the application on the Ray cluster that this process is connected to, and wait until it runs.

    Raises:
        StartError: a replica could not be started; the message says why.
    """
    serve.start(proxy_location="Disabled", logging_config={"enable_access_log": False})
    try:
        serve.run(build_application(settings), name=NAME, route_prefix=None, blocking=False)
    except RuntimeError as error:
        raise StartError(f"the application did not start: {error}") from error
