"""One Ray cluster of our own on this machine, and the way into it or into an existing one."""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import signal
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from ingest.addresses import Address
from orchestration.errors import StartError, UnreachableError
from orchestration.settings import RaySettings
from orchestration.stack.ports import free_ports
from orchestration.stack.processes import (
    ProcessId,
    end,
    last_lines,
    start_detached,
    wait_ended,
    with_environment,
)
from orchestration.stack.state import StartedPart

START_TIMEOUT_S = 90.0
"""`ray start` returns after 5 s on two free cores; on busy ones it has taken a minute."""

MARK = "RAY_TMPDIR"
"""Ray hands its environment on to every process it starts, so this one names the cluster of each."""

SERVER_NAMES = frozenset({"gcs_server", "raylet"})
"""Without either of these there is no cluster; all others come back when they die."""

SHORT_TEMPORARY = Path("/tmp")  # noqa: S108 - mkdtemp makes the directory below it, with our rights only
"""A socket's path may have 107 bytes, and Ray adds 65 of its own: the user's TMPDIR may be too long."""

REPLICA_TITLE = "ray::ServeReplica:"
KAFKA_READERS = frozenset({"FrameWorker", "CoilWorker"})
"""Deployments whose replicas are members of consumer groups."""

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_prestart_worker_first_driver": "0",
    "RAY_worker_niceness": "0",
}
"""No reports to Ray's makers, no copy of a uv project, no workers before somebody asks for them, and workers
of normal priority: Ray's default (nice 15) gives way to all else here, and the strip does not wait."""

FEW_HEAPS = {"MALLOC_ARENA_MAX": "2"}
"""Heaps of a process. glibc's default is 16 on two cores, and each keeps what some thread of Ray's, gRPC's or
Kafka's once needed at most: frame workers grew by 2 MB a minute for as long as they were watched."""


def start(settings: RaySettings, directory: Path, record: Callable[[StartedPart], None]) -> StartedPart:
    """Start a cluster of one node and wait until it takes drivers.

    Args:
        record: called before there is a process, so that all can be ended whatever happens to us.

    Raises:
        StartError: `ray start` failed or did not end in time, with its last log lines.
    """
    directory.mkdir(parents=True, exist_ok=True)
    log = directory / "ray.log"
    log.unlink(missing_ok=True)
    _write_token(token_file(directory))
    temporary = Path(tempfile.mkdtemp(prefix="coilwatch-ray-", dir=SHORT_TEMPORARY))
    (directory / "temporary").unlink(missing_ok=True)
    (directory / "temporary").symlink_to(temporary)
    port, *other_ports = free_ports(4)
    part = StartedPart(address=f"127.0.0.1:{port}", processes=(), directory=directory)
    record(part)
    try:
        command = _command(settings, port, other_ports, temporary)
        environment = {**access(directory), **QUIET, **FEW_HEAPS, MARK: str(temporary)}
        ended = wait_ended([start_detached(command, log, environment)], START_TIMEOUT_S)
        servers = tuple(_servers(directory))
    except BaseException:
        stop(directory)
        raise
    if not ended or len(servers) < len(SERVER_NAMES):
        stop(directory)
        what = "failed" if ended else f"was not done after {START_TIMEOUT_S:.0f} s"
        raise StartError(f"the start of Ray {what}; {log} ends with:\n{last_lines(log)}")
    return part.model_copy(update={"processes": servers})


def stop(directory: Path) -> None:
    """End every process of the cluster of this directory, and of no other.

    Workers that read Kafka are asked first: they leave their groups, where killed ones would be missed only
    after their session.
    """
    temporary = _temporary(directory)
    if temporary is None:
        return
    end(member for member in processes(directory) if _replica(member)[1] in KAFKA_READERS)
    # A raylet may start another worker while we look, so look again until there is none.
    while members := processes(directory):
        end(members, at_once=True)
    shutil.rmtree(temporary, ignore_errors=True)
    (directory / "temporary").unlink(missing_ok=True)


def processes(directory: Path) -> list[ProcessId]:
    """Every process of the cluster of this directory.

    Those that renamed themselves may have overwritten their environment, so children count too.
    """
    temporary = _temporary(directory)
    if temporary is None:
        return []
    members = {member.pid: member for member in with_environment(MARK, str(temporary))}
    for member in list(members.values()):
        for child in _children(member):
            members.setdefault(child.pid, child)
    return list(members.values())


def replicas(directory: Path, application: str) -> dict[str, int]:
    """Running replicas of a Serve application, by deployment."""
    replicas = (_replica(member) for member in processes(directory))
    return dict(Counter(deployment for name, deployment in replicas if name == application))


def check(address: str) -> None:
    """Ask whether a cluster's head takes connections.

    Raises:
        UnreachableError: it does not.
    """
    if not Address.parse(address).listens():
        raise UnreachableError(f"Ray at {address} does not answer")


def connect(address: str, directory: Path | None) -> None:
    """Connect this process to a cluster, unless it is connected to it already.

    Args:
        directory: of the local cluster, for its token; None for an existing one, whose access the
            environment gives.

    Raises:
        UnreachableError: nobody listens, or the cluster does not let us in.
    """
    check(address)
    os.environ.update(access(directory) if directory else {})
    os.environ.update({name: value for name, value in QUIET.items() if name not in os.environ})
    # Importing Ray takes half a second that `status` does not have, and reads the environment above.
    import ray  # noqa: PLC0415
    from ray._raylet import AuthenticationTokenLoader  # type: ignore[attr-defined]  # noqa: PLC0415

    if ray.is_initialized():
        if ray.get_runtime_context().gcs_address == address:
            return
        disconnect()
    # Ray keeps the first token it has read, and another cluster has another.
    AuthenticationTokenLoader.instance().reset_cache()
    with _own_sigterm():
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.WARNING)
        except (ConnectionError, RuntimeError, ray.exceptions.RayError) as error:
            raise UnreachableError(f"Ray at {address} does not let us in: {error}") from None


def disconnect() -> None:
    """Leave the cluster that this process is connected to, if any."""
    ray = sys.modules.get("ray")
    if ray is not None and ray.is_initialized():
        # Serve keeps the handle of its controller, and where the next cluster gives us the same job number it
        # asks the one that is gone.
        if context := sys.modules.get("ray.serve.context"):
            context._set_global_client(None)  # noqa: SLF001 - Serve forgets it in no other way
        ray.shutdown()


def access(directory: Path) -> dict[str, str]:
    """The environment that lets a process into the cluster of this directory."""
    return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token_file(directory))}


def token_file(directory: Path) -> Path:
    """Where the cluster's token stands; whoever can read it may run code there."""
    return directory / "token"


def _children(member: ProcessId) -> list[ProcessId]:
    """Those of them that live; none where it has ended itself meanwhile."""
    process, found = member.find(), []
    with suppress(psutil.NoSuchProcess):
        for child in process.children(recursive=True) if process else ():
            with suppress(psutil.NoSuchProcess):
                found.append(ProcessId.of(child))
    return found


def _replica(member: ProcessId) -> tuple[str, str]:
    """Application and deployment of a replica's process, empty for any other."""
    process = member.find()
    try:
        title = " ".join(process.cmdline()[:1]) if process else ""
    except psutil.Error:
        title = ""
    if not title.startswith(REPLICA_TITLE):
        return "", ""
    application, _, replica = title.removeprefix(REPLICA_TITLE).partition(":")
    return application, replica.split(":")[0].split(".")[0].strip()


@contextmanager
def _own_sigterm() -> Iterator[None]:
    """Keep this process' handler of SIGTERM, if it has one: Ray sets its own."""
    handler = signal.getsignal(signal.SIGTERM)
    yield
    if callable(handler) and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, handler)


def _command(
    settings: RaySettings, port: int, other_ports: Sequence[int], temporary: Path
) -> list[str | Path]:
    dashboard, agent, client = other_ports
    return [
        Path(sys.executable),
        "-m",
        "ray.scripts.scripts",
        "start",
        "--head",
        f"--port={port}",
        "--node-ip-address=127.0.0.1",
        f"--num-cpus={settings.cpus}",
        f"--object-store-memory={settings.object_store_mb * 1024 * 1024}",
        f"--temp-dir={temporary}",
        # Each of these would be a process of 80-120 MB, or one at a fixed port, that we have no use for.
        "--no-monitor",
        "--include-log-monitor=false",
        "--include-dashboard=false",
        f"--dashboard-port={dashboard}",
        f"--dashboard-agent-listen-port={agent}",
        f"--ray-client-server-port={client}",
        # Ray's own choice counts up from 10002 in every cluster: two that start workers at once would meet.
        "--min-worker-port=0",
        "--max-worker-port=0",
        "--disable-usage-stats",
    ]


def _servers(directory: Path) -> Iterator[ProcessId]:
    for member in processes(directory):
        process = member.find()
        if process and process.name() in SERVER_NAMES:
            yield member


def _temporary(directory: Path) -> Path | None:
    link = directory / "temporary"
    return link.readlink() if link.is_symlink() else None


def _write_token(path: Path) -> None:
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_hex(32), encoding="utf-8")
