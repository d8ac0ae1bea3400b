"""The worker processes of a running line, for whoever means to kill one."""

from __future__ import annotations

from pathlib import Path

import psutil

from orchestration.stack import ray_local, serve


def replicas(run_directory: Path, deployment: str = "") -> list[psutil.Process]:
    """The running replicas of a line's deployment, or of all, oldest first.

    Args:
        run_directory: of the line, whose Ray is looked at alone: other tests keep one running, too.
    """
    title = f"{ray_local.REPLICA_TITLE}{serve.NAME}:{deployment}"
    members = (member.find() for member in ray_local.processes(run_directory / "ray"))
    return sorted((found for found in members if found and _title(found).startswith(title)), key=_began)


def _began(process: psutil.Process) -> float:
    try:
        return process.create_time()
    except psutil.Error:
        return 0.0


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
