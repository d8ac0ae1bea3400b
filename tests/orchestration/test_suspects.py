"""Frames that kill real inspector processes, and inspectors that are killed from outside; real Ray Serve."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait

import psutil
import pytest
from ray import cloudpickle, serve

from ingest.records import EncodedFrame
from orchestration import application
from orchestration.inspection_client import ServeInspectionClient
from orchestration.settings import Settings
from orchestration.stack import Stack
from orchestration.suspects import KILLER
from tests.orchestration import deadly_replica
from tests.orchestration.deadly_replica import DEADLY, DeadlyReplica
from tests.workers.streams import frames as frames_module
from tests.workers.streams.frames import InThisProcess, frame

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

NAME = "suspects"
WAIT_S = 200.0
TIMEOUT_S = 10.0
FRAMES = [frame("C1", n) for n in range(6)]
CALM = InThisProcess().submit(FRAMES).result()


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[ServeInspectionClient]]:
    """Two frame workers' clients of two inspectors."""
    stack = Stack(Settings(run_directory=tmp_path_factory.mktemp("ray")))
    # Replicas cannot import the tests.
    for module in (deadly_replica, frames_module):
        cloudpickle.register_pickle_by_value(module)
    try:
        stack.up(("ray",))
        stack.connect_ray()
        serve.start(proxy_location="Disabled")
        deployment = serve.deployment(
            name="Inspector",
            num_replicas=2,
            max_ongoing_requests=application.QUEUED_CALLS,
            health_check_period_s=1,
            ray_actor_options={"num_cpus": 0.1},
        )(DeadlyReplica)
        handle = serve.run(deployment.bind(), name=NAME, route_prefix=None)
        made = [ServeInspectionClient(handle, calls=2, timeout_s=TIMEOUT_S) for _ in range(2)]
        yield made
        for client in made:
            client.close()
    finally:
        stack.disconnect_ray()
        stack.down()
        for module in (deadly_replica, frames_module):
            cloudpickle.unregister_pickle_by_value(module)


def with_frame(at: int, data: bytes) -> list[EncodedFrame]:
    return [EncodedFrame(one.header, data) if n == at else one for n, one in enumerate(FRAMES)]


def replicas() -> list[psutil.Process]:
    title = f"ray::ServeReplica:{NAME}:Inspector"
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if " ".join(process.info["cmdline"] or ()).startswith(title)
    ]


def test_only_the_frame_that_kills_is_condemned_also_beside_another_worker(
    clients: list[ServeInspectionClient],
) -> None:
    poisoned = clients[0].submit(with_frame(2, DEADLY))
    innocent = [clients[1].submit(FRAMES) for _ in range(6)]
    results = poisoned.result(WAIT_S)
    assert [future.result(WAIT_S) for future in innocent] == [CALM] * 6
    assert results[2].reason == KILLER
    assert results[2].attempts >= 3
    assert results[:2] + results[3:] == CALM[:2] + CALM[3:]


def test_inspectors_that_are_killed_from_outside_condemn_nothing(
    clients: list[ServeInspectionClient],
) -> None:
    over = threading.Event()

    def kill() -> None:
        for _ in range(4):
            for process in replicas()[:1]:
                process.kill()
            if over.wait(1.0):
                return

    killing = threading.Thread(target=kill)
    killing.start()
    try:
        for client in clients * 4:
            assert client.submit(FRAMES).result(WAIT_S) == CALM
    finally:
        over.set()
        killing.join()


def test_inspectors_that_stand_still_are_left_and_condemn_nothing(
    clients: list[ServeInspectionClient], caplog: pytest.LogCaptureFixture
) -> None:
    """Frames under suspicion, one by one: what an inspector says of them is a stream."""
    deadline = time.monotonic() + WAIT_S
    while len(stopped := replicas()) < 2:
        assert time.monotonic() < deadline
    with ThreadPoolExecutor(1) as executor:
        for process in stopped:
            process.suspend()
        try:
            inspection = executor.submit(clients[0]._suspects.inspect, FRAMES[0])
            while "has said nothing" not in caplog.text:
                assert time.monotonic() < deadline
                wait([inspection], 0.1)
                assert not inspection.done()
        finally:
            for process in stopped:
                process.resume()
        assert inspection.result(WAIT_S) == CALM[0]
