"""The Ray Serve application: frame workers, inspectors and coil workers, each a deployment.

Serve starts, watches and restarts them; the two Kafka loops run in threads of their own replicas, and
`check_health` fails when a loop has died or stands still.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

from ray import serve
from ray.serve.exceptions import RayServeException
from ray.serve.handle import DeploymentHandle

from ingest.broker_probe import wait_for_broker
from ingest.kafka import KafkaConnection
from ingest.records import EncodedFrame, FrameHeader
from orchestration.errors import BrokenInspectorError, StartError
from orchestration.inspection_client import ServeInspectionClient
from orchestration.loop_thread import LoopThread, Pulse
from orchestration.settings import Settings
from orchestration.stack.serve import NAME, failures
from orchestration.suspects import BEGUN, control_frame
from orchestration.termination import end_on_sigterm
from workers.coil.grading import GradingRules
from workers.report.store import ReportStore
from workers.streams.coil_history import CoilHistory
from workers.streams.coil_loop import CoilLoop
from workers.streams.frame_loop import FrameLoop
from workers.streams.kafka_clients import group_consumer, transactional_producer
from workers.streams.live_view import LiveView
from workers.streams.redis_client import redis_client
from workers.streams.redis_rest import RedisRest
from workers.streams.report_writers import ReportWriters
from workers.streams.result_cache import ResultCache

REPLICA_CPUS = 0.1
"""What a replica books of Ray's processors. At Ray's default of 1, five replicas never fit two cores."""
QUEUED_CALLS = 2
"""Calls an inspector takes at once: one under inspection, the next already transferred."""
BEGUN_LEAD_S = 0.05
"""How long the word that a suspect is under way may take to leave this process, before the suspect kills it.
A word that is lost only costs another trial."""
KNOCK_S = 2.0
"""How long a loop that begins looks for a broker before it says that there is none. Kafka's clients would
look for longer than a stop may take, leave their sockets open, and not say why."""
SURGE_PERCENT = 50
"""Inspectors that an upgrade may start beside the old ones: loading a network takes seconds, and where there
is one inspector nobody would inspect meanwhile. Where the new ones cannot start, the old ones go on."""
STUCK_AFTER_S = 60.0
"""A batch takes seconds, a first one with a network to compile some more: longer, and inspection hangs."""


def _listening_kafka(settings: Settings) -> KafkaConnection:
    """How to reach Kafka, once somebody listens there.

    Raises:
        PublishError: nobody does yet; the loop's thread says so and tries again.
    """
    connection = settings.kafka.connection()
    wait_for_broker(connection, KNOCK_S)
    return connection


def _on_next_device(settings: Settings) -> Settings:
    """The settings with the device of this replica: those on one machine take its GPUs in turn."""
    # Torch, as in the replica.
    from models.inference.opening import suiting_device  # noqa: PLC0415

    if settings.model.device != "auto":
        return settings
    try:
        # Ranks on a node are dense, so its GPUs get equally many inspectors.
        turn = serve.get_replica_context().rank.local_rank
    except RayServeException:
        turn = 0
    device = suiting_device(settings.model.backend, turn)
    return settings.model_copy(update={"model": settings.model.model_copy(update={"device": device})})


class InspectorReplica:
    """Frames in, results in pixels out; one frame batch at a time, the next one waiting."""

    def __init__(self, settings: Settings) -> None:
        # Torch takes seconds and 300 MB that the workers' replicas, which load this module too, do not need.
        from orchestration.inspector import open_inspector  # noqa: PLC0415

        self._inspector = open_inspector(_on_next_device(settings))
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="inspect")
        self._turn = asyncio.Lock()
        self._busy_since: float | None = None
        self._broken = False

    async def identity(self) -> bytes:
        """JSON of the `ModelIdentity` that this replica inspects with."""
        return self._inspector.identity.to_json()

    async def analyse(self, frames: list[tuple[bytes, bytes]]) -> list[bytes]:
        """JSON of one `FrameResult` per frame.

        Args:
            frames: pairs of `FrameHeader` JSON and encoded pixels.
        """
        async with self._turn:
            return await self._in_thread(frames)

    async def analyse_alone(self, header: bytes, data: bytes) -> AsyncIterator[bytes]:
        """`BEGUN`, and then the JSON of the `FrameResult` of a frame that may kill this process."""
        async with self._turn:
            yield BEGUN
            await asyncio.sleep(BEGUN_LEAD_S)
            (result,) = await self._in_thread([(header, data)])
        yield result

    def check_health(self) -> None:
        """Fail when an inspection does not end, or every one fails: Serve replaces this replica.

        Raises:
            RuntimeError: says which.
        """
        if self._broken:
            raise RuntimeError("inspection fails at every frame")
        lasted_s = time.monotonic() - self._busy_since if self._busy_since is not None else 0.0
        if lasted_s > STUCK_AFTER_S:
            raise RuntimeError(f"an inspection has not ended for {lasted_s:.0f} s")

    async def _in_thread(self, frames: list[tuple[bytes, bytes]]) -> list[bytes]:
        self._busy_since = time.monotonic()
        inspection = asyncio.get_running_loop().run_in_executor(self._executor, self._analyse, frames)
        try:
            return await asyncio.shield(inspection)
        finally:
            # A call whose caller has gone keeps its turn: nobody else's frame is under way until it ends.
            await asyncio.wait([inspection])
            self._busy_since = None

    def _analyse(self, frames: list[tuple[bytes, bytes]]) -> list[bytes]:
        encoded = [EncodedFrame(FrameHeader.from_json(header), data) for header, data in frames]
        try:
            return [result.to_json() for result in self._inspector.analyse(encoded)]
        except Exception:
            self._check_process()
            raise

    def _check_process(self) -> None:
        """Find out whether frames or this process are to blame: after some errors a GPU fails for ever."""
        try:
            self._inspector.analyse([control_frame()])
        except Exception as error:
            self._broken = True
            raise BrokenInspectorError(f"an inspector fails at every frame: {error}") from error


class FrameWorkerReplica:
    """Runs a frame loop; a member of the frame workers' consumer group."""

    def __init__(self, settings: Settings, inspectors: DeploymentHandle[Any]) -> None:
        # What cannot be read fails the deployment, with its one line, and not a thread.
        settings.check_files()
        self._settings = settings
        self._inspectors = inspectors
        self._thread = LoopThread("frame worker", self._build)
        end_on_sigterm(self._thread.stop)

    def _build(self) -> FrameLoop:
        settings = self._settings
        connection = _listening_kafka(settings)
        client = redis_client(settings.redis.url, settings.redis.client_options())
        rest = RedisRest()
        with ExitStack() as failing:
            consumer = group_consumer(connection, settings.frame_worker.group, "frames")
            failing.callback(consumer.close)
            producer = transactional_producer(connection, "coilwatch-frame-worker")
            failing.pop_all()
        return FrameLoop(
            consumer,
            producer,
            ServeInspectionClient(
                self._inspectors,
                settings.frame_worker.batches_in_flight,
                settings.frame_worker.inspection_timeout_s,
            ),
            cache=ResultCache(client, rest),
            live_view=LiveView(client, rest),
            settings=settings.frame_worker,
        )

    def check_health(self) -> None:
        """Fail when the loop has died or stands still."""
        self._thread.check()

    def __del__(self) -> None:
        """Called by Serve, before it ends a replica: replaced, withdrawn, or not begun."""
        if hasattr(self, "_thread"):
            self._thread.stop()


class CoilWorkerReplica:
    """Runs a coil loop; a member of the coil workers' consumer group, and the root of the application."""

    def __init__(self, settings: Settings, frame_workers: DeploymentHandle[Any]) -> None:
        # What cannot be read fails the deployment, with its one line, and not a thread.
        settings.check_files()
        self._settings = settings
        # Held, not called: it makes the frame workers part of the application that this deployment heads.
        self._frame_workers = frame_workers
        self._rules = GradingRules.load(settings.grading.file)
        self._writers = ReportWriters(ReportStore(settings.reports.store))
        self._pulse = Pulse()
        self._thread = LoopThread("coil worker", self._build, pulse=self._pulse)
        end_on_sigterm(self._thread.stop)

    def _build(self) -> CoilLoop:
        settings = self._settings
        connection = _listening_kafka(settings)
        with ExitStack() as failing:
            consumer = group_consumer(connection, settings.coil_worker.group, "inspections")
            failing.callback(consumer.close)
            producer = transactional_producer(connection, "coilwatch-coil-worker")
            failing.callback(producer.close, 0)
            history = CoilHistory(connection, moved=self._pulse.beat)
            failing.pop_all()
        return CoilLoop(
            consumer,
            producer,
            self._writers,
            history,
            rules=self._rules,
            joining=settings.joining,
            live_view=LiveView(redis_client(settings.redis.url, settings.redis.client_options())),
            settings=settings.coil_worker,
        )

    def check_health(self) -> None:
        """Fail when the loop has died or stands still."""
        self._thread.check()

    def __del__(self) -> None:
        """Called by Serve, before it ends a replica: replaced, withdrawn, or not begun."""
        if hasattr(self, "_thread"):
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
        max_surge_percent=SURGE_PERCENT,
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

    One that runs already is replaced replica by replica: Serve has each old one let go of Kafka first. Where
    the new ones cannot start, old ones go on.

    Raises:
        StartError: a replica could not be started; the message says why.
    """
    serve.start(proxy_location="Disabled", logging_config={"enable_access_log": False})
    try:
        serve.run(build_application(settings), name=NAME, route_prefix=None, blocking=False)
    except RuntimeError as error:
        raise StartError(f"the application did not start: {failures() or error}") from error
