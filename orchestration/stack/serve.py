"""The Serve application on a connected Ray: recognised, looked at, withdrawn.

The imports stand inside: Ray Serve takes seconds that `status` and `down` on a local cluster do not have.
"""

# ruff: noqa: PLC0415
from __future__ import annotations

import hashlib

from orchestration.settings import Settings

NAME = "coilwatch"


def digest(settings: Settings) -> str:
    """Tells whether the application that runs was deployed with the same settings."""
    return hashlib.blake2b(settings.model_dump_json().encode(), digest_size=16).hexdigest()


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
        name: sum(n for state, n in deployment.replica_states.items() if state.value == "RUNNING")
        for name, deployment in (application.deployments if application else {}).items()
    }


def withdraw() -> None:
    """Take the application from the cluster."""
    from ray import serve

    serve.delete(NAME)
