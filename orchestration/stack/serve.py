"""The Serve application on a connected Ray: recognised, looked at, withdrawn.

The imports stand inside: Ray Serve takes seconds that `status` and `down` on a local cluster do not have.
"""

# ruff: noqa: PLC0415
from __future__ import annotations

import hashlib
from importlib.metadata import version
from pathlib import Path

from pydantic import SecretStr

from orchestration.settings import Settings
from orchestration.settings_layers import leaves

NAME = "coilwatch"
RUNNING = "RUNNING"

NO_REPLICAS = (
    *("reports.store", "spool.", "kafka.frames_", "kafka.inspections_", "kafka.replication"),
    *("redis.maxmemory_mb", "ray.cpus", "ray.object_store_mb"),
)
"""Settings that no replica reads: of publishers, of servers and topics as they are made; where reports go."""


def digest(settings: Settings) -> str:
    """Tells whether the application that runs is the one that these settings and this installation make.

    Secrets count, and the content of weights and grading rules that the settings name. What no replica reads
    does not, and where reports are written: another store is no reason to restart a line.
    """
    told = hashlib.blake2b(f"coilwatch {version('coilwatch')}\n".encode(), digest_size=16)
    model = settings.model
    for name in (model.name, model.classifier, model.gate, settings.grading.file):
        told.update(Path(name).read_bytes() if name and Path(name).is_file() else b"")
    for key, value in leaves(settings):
        plain = value.get_secret_value() if isinstance(value, SecretStr) else value
        if not key.startswith(NO_REPLICAS):
            told.update(f"{key}={plain!r}\n".encode())
    return told.hexdigest()


def health() -> str | None:
    """What Serve says of the application, `RUNNING` where all is well; None where there is none."""
    from ray import serve

    application = serve.status().applications.get(NAME)
    return application.status.value if application else None


def replicas() -> dict[str, int]:
    """Running replicas by deployment."""
    from ray import serve

    application = serve.status().applications.get(NAME)
    return {
        name: sum(n for state, n in deployment.replica_states.items() if state == "RUNNING")
        for name, deployment in (application.deployments if application else {}).items()
    }


def failures() -> str:
    """Why deployments cannot start, in one line; empty where none fails."""
    from ray import serve

    application = serve.status().applications.get(NAME)
    return "; ".join(
        f"{name}: {_last_line(deployment.message)}"
        for name, deployment in (application.deployments if application else {}).items()
        if deployment.status == "DEPLOY_FAILED"
    )


def withdraw() -> None:
    """Take the application from the cluster."""
    from ray import serve

    serve.delete(NAME)


def _last_line(message: str) -> str:
    """Of a traceback the error."""
    return next((line for line in reversed(message.splitlines()) if line.strip()), "")
