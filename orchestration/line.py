"""The running line: the stack with the application on it, and waiting for a coil's report."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from ingest.addresses import Address
from ingest.kafka import KafkaConnection
from ingest.records import CoilKey
from orchestration.errors import OrchestrationError
from orchestration.settings import DEFAULT_REDIS_PORT, Settings
from orchestration.stack import Stack
from orchestration.stack.processes import Deadline
from orchestration.stack.stack import Progress
from workers.report.store import ReportStore
from workers.streams.live_view import LiveCoil, LiveView
from workers.streams.redis_client import redis_client
from workers.streams.runs import latest_run

NAMED_TIMEOUT_S = 60.0
"""How long `up` waits for servers that the settings name. They may be starting as we are; a name that is
wrong is told as what is waited for, and then as the error."""
POLL_S = 0.2
"""How often the store is asked; a report takes tens of milliseconds to appear."""


class CoilNotReportedError(OrchestrationError):
    """A coil had no report in the time it was given."""

    retriable = True


class RunReportedError(OrchestrationError):
    """A run of a coil that has its report already; a report of the line is never replaced."""


def start_line(stack: Stack, progress: Progress | None = None, *, roll_out: bool = True) -> Settings:
    """Start what does not run, and deploy the application unless the same one runs already.

    Servers that the settings name and that nobody has started yet are waited for. An application of other
    settings, or of another version, is replaced while it runs: its frames wait in Kafka for whoever comes.

    Args:
        progress: told in one line what is waited for.
        roll_out: replace such an application; otherwise it is used as it is.

    Returns:
        The settings with the addresses of what runs and the report store of the application.

    Raises:
        SettingsError: a certificate or key that the settings name cannot be read.
        StackError: a part or the application could not be started.
    """
    tell = progress or (lambda _line: None)
    stack.settings.check_files()
    _wait_for_named(stack.settings, tell)
    stack.up(progress=progress)
    tell("Deploying frame workers, inspectors and the coil worker ...")
    return stack.deploy(_deploy, roll_out=roll_out)


def _wait_for_named(settings: Settings, tell: Progress) -> None:
    """Wait until somebody listens at every address that the settings name; not for ever."""
    deadline = Deadline(NAMED_TIMEOUT_S)
    for address in _named_addresses(settings):
        if not address.listens():
            tell(f"Waiting for {address}: nobody listens there yet ...")
        while not address.listens() and not deadline.passed:
            deadline.pause(POLL_S)


def _named_addresses(settings: Settings) -> Iterator[Address]:
    if not settings.kafka.embedded:
        yield settings.kafka.servers[0]
    redis = urlsplit(settings.redis.url)
    if not settings.redis.embedded and redis.hostname:
        yield Address(redis.hostname, redis.port or DEFAULT_REDIS_PORT)
    if settings.ray.address:
        yield Address.parse(settings.ray.address)


def _deploy(settings: Settings) -> None:
    # Ray reads how to get into a cluster when it is imported: not before the stack has said so.
    from orchestration.application import deploy  # noqa: PLC0415

    deploy(settings)


def stop_line(stack: Stack, *, started_only: bool = False) -> None:
    """Disconnect from Ray and end what was started.

    Args:
        started_only: only what this very object started; otherwise all that the run directory knows.
    """
    stack.disconnect_ray()
    if started_only:
        stack.down_started()
    else:
        stack.down()


@contextmanager
def running_line(settings: Settings) -> Iterator[Settings]:
    """A line that runs within the block; what was started for it is ended after it.

    Yields:
        The settings with the addresses of what runs and the report store of the application.
    """
    stack = Stack(settings)
    try:
        yield start_line(stack)
    finally:
        stop_line(stack, started_only=True)


def next_run(connection: KafkaConnection, store: ReportStore, line: str, coil: str) -> int:
    """The run of a coil id that comes now: one that neither Kafka nor the reports have.

    Raises:
        KafkaError: Kafka cannot be reached.
        BadNameError: line or coil cannot name a folder.
        StoreError: the store could not be read.
    """
    return max(latest_run(connection, line, coil), store.latest_run(line, coil)) + 1


def check_run_is_open(store: ReportStore, line: str, coil: str, run: int) -> None:
    """Refuse a run that has its report: its frames would be inspected, and the old report kept.

    Raises:
        RunReportedError: it has.
        StoreError: the store could not be read.
    """
    if store.has(line, coil, run):
        expected = store.latest_run(line, coil) + 1
        raise RunReportedError(f"coil {coil} run {run} has its report: expected a run from {expected}")


def wait_for_report(
    settings: Settings,
    key: CoilKey,
    *,
    timeout_s: float,
    revision: int = 1,
    progress: Callable[[LiveCoil | None], None] | None = None,
) -> None:
    """Wait until a coil's report is in the store.

    Args:
        revision: an earlier one is not enough.
        progress: called with the live view of the coil several times a second.

    Raises:
        CoilNotReportedError: after `timeout_s`.
    """
    store = ReportStore(settings.reports.store)
    live_view = LiveView(redis_client(settings.redis.url, settings.redis.client_options()))
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if progress:
            progress(live_view.read(key))
        if store.has(*key) and (revision == 1 or store.read(*key).revision >= revision):
            return
        time.sleep(POLL_S)
    what = "report" if revision == 1 else f"revision {revision} of its report"
    raise CoilNotReportedError(f"coil {key[1]} run {key[2]} has no {what} after {timeout_s:.0f} s")
