"""The import rule of docs/architecture.md: which room may know which."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

MAY_IMPORT = {
    "models": {"models"},
    "ingest": {"ingest"},
    "workers": {"workers", "ingest", "models"},
    "orchestration": {"orchestration", "workers", "ingest", "models"},
}
"""Room to the rooms it may import."""

PURE = ("models", "workers/inspection", "workers/coil", "workers/report")
"""What runs in one process and in many alike, and so knows no server."""

SERVERS = {"kafka", "redis", "ray"}

ROOMS = {*MAY_IMPORT, "benchmarks", "tests"}


def imported(source: str) -> Iterator[tuple[int, str]]:
    """Line and top-level name of every import, in functions and under TYPE_CHECKING too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name.split(".")[0]
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, "." if node.level else (node.module or "").split(".")[0]
        elif isinstance(node, ast.Call) and _is_import_call(node):
            argument = node.args[0] if node.args else None
            if isinstance(argument, ast.Constant):
                yield node.lineno, str(argument.value).split(".")[0]


def violations(source: str, path: str) -> list[str]:
    """What a module imports and must not, one line each."""
    room = path.split("/", maxsplit=1)[0]
    found = []
    for line, name in imported(source):
        if name == ".":
            found.append(f"{path}:{line}: relative import; write the room's name")
        elif name in ROOMS and name not in MAY_IMPORT[room]:
            found.append(f"{path}:{line}: {room} imports {name}")
        elif name in SERVERS and path.startswith(tuple(f"{pure}/" for pure in PURE)):
            found.append(f"{path}:{line}: {name} in a room that knows no server")
    return found


def _is_import_call(node: ast.Call) -> bool:
    function = node.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name in {"import_module", "__import__"}


def modules(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_rooms_import_only_what_they_may(room: str) -> None:
    found = [
        violation
        for module in modules(room)
        for violation in violations(module.read_text(encoding="utf-8"), str(module.relative_to(ROOT)))
    ]
    assert modules(room)
    assert found == []


@pytest.mark.parametrize("folder", PURE)
def test_the_pure_folders_are_there(folder: str) -> None:
    assert modules(folder)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("models/segmenter.py", "import ingest"),
        ("models/segmenter.py", "from workers.coil import joining"),
        ("ingest/publisher.py", "import numpy, models.segmenter"),
        ("workers/streams/frame_loop.py", "from orchestration.settings import Settings"),
        ("workers/streams/frame_loop.py", "def f():\n    import orchestration"),
        ("workers/coil/joining.py", "if TYPE_CHECKING:\n    from redis import Redis"),
        ("workers/inspection/inspector.py", "import ray.serve"),
        ("workers/report/store.py", "importlib.import_module('kafka.errors')"),
        ("models/weights/registry.py", "__import__('redis')"),
        ("orchestration/settings.py", "from tests import conftest"),
        ("workers/coil/joining.py", "from . import records"),
    ],
)
def test_a_planted_violation_is_found(path: str, source: str) -> None:
    assert len(violations(source, path)) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("workers/streams/frame_loop.py", "import kafka, redis\nfrom ingest.kafka import KafkaConnection"),
        ("workers/coil/joining.py", "from ingest.kafka import FRAMES_TOPIC\nimport raycast, numpy"),
        ("orchestration/application.py", "from ray import serve\nfrom workers.coil import records"),
        ("models/segmenter.py", "# import ray\ntext = 'import ingest'"),
    ],
)
def test_what_is_allowed_is_not_found(path: str, source: str) -> None:
    assert violations(source, path) == []
