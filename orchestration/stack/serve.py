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


def digest(settings: Settings) -> str:
    """Tells whether the application that runs is the one that these settings and this installation make.

    Secrets count, and the content of weights files that the settings name. Where reports are written does
    not: another store is no reason to restart a line.
    """
    told = hashlib.blake2b(f"coilwatch {version('coilwatch')}\n".encode(), digest_size=16)
    names = (settings.model.name, settings.model.classifier, settings.model.gate)
    for weights in (Path(name) for name in names if name):
        told.update(weights.read_bytes() if weights.is_file() else b"")
    for key, value in leaves(settings):
        plain = value.get_secret_value() if isinstance(value, SecretStr) else value
        if key != "reports.store":
            told.update(f"{key}={plain!r}\n".encode())
    return told.hexdigest()


def runs() -> bool:
    """Whether the application is there and healthy."""
    from ray import serve
    from ray.serve.schema import ApplicationStatus

    application = serve.status().applications.get(NAME)
    return application is not None and application.status == ApplicationStatus.RUNNING


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
