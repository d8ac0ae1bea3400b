"""What the processes of a line said last: shown when a test of the line only says that it waited."""

from __future__ import annotations

from pathlib import Path

LINES = 25


def line_logs(run_directory: Path) -> str:
    """The last lines of every process of a line that said anything."""
    ray = run_directory / "ray" / "temporary" / "session_latest" / "logs"
    files = [
        *sorted(ray.glob("serve/*.log")),
        *sorted(ray.glob("worker-*.err")),
        *run_directory.glob("*/*.log"),
    ]
    return "\n".join(f"--- {file.name}\n{tail}" for file in files if (tail := _tail(file)))


def _tail(file: Path) -> str:
    return "\n".join(file.read_text(encoding="utf-8", errors="replace").splitlines()[-LINES:])
