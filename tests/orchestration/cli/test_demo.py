"""`coilwatch demo` on a line that runs already; neither Kafka, Redis nor Ray is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration import line
from orchestration.cli import demo
from orchestration.settings import Settings
from orchestration.stack import Stack, serve
from tests.orchestration.cli.conftest import Coilwatch
from tests.workers.report import example
from workers.coil.records import CoilReport
from workers.report.store import ReportStore

NOWHERE = "127.0.0.1:1"
SERVERS = {
    "kafka": {"bootstrap_servers": NOWHERE},
    "redis": {"url": f"redis://{NOWHERE}/0"},
    "ray": {"address": NOWHERE},
}


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """What was deployed, on servers that answer; a demo gets a report without a coil."""
    deployed: list[Settings] = []
    monkeypatch.setattr(line, "NAMED_TIMEOUT_S", 0.0)
    monkeypatch.setattr(line, "_deploy", deployed.append)
    monkeypatch.setattr(Stack, "up", lambda *_, **__: [])
    monkeypatch.setattr(Stack, "connect_ray", lambda _stack: None)
    monkeypatch.setattr(serve, "health", lambda: serve.RUNNING if deployed else None)
    monkeypatch.setattr(serve, "withdraw", deployed.clear)

    def stream(_coil: object, settings: Settings, _speed_mps: float) -> tuple[CoilReport, ReportStore]:
        return example.coil(), ReportStore(settings.reports.store)

    monkeypatch.setattr(demo, "_stream_and_wait", stream)
    return deployed


def test_demo_leaves_a_line_of_other_settings_as_it_is(
    coilwatch: Coilwatch, tmp_path: Path, deployed: list[Settings]
) -> None:
    options = [
        f"--set={part}.{name}={value}" for part, named in SERVERS.items() for name, value in named.items()
    ]
    options += [f"--set=run_directory={tmp_path / 'run'}"]
    retrained = {"run_directory": tmp_path / "run", "model": {"name": "retrained.safetensors"}}
    settings = Settings.model_validate(retrained | SERVERS).with_reports(tmp_path / "line")
    line.start_line(Stack(settings))

    ran = coilwatch(*options, "demo", "--no-open", "--output", tmp_path / "mine")

    assert ran.code == 0
    assert deployed == [settings]
    assert Stack(settings).report_store() == str(tmp_path / "line")
    told = f"The line that runs writes its reports to {tmp_path / 'line'}, not {tmp_path / 'mine'}."
    assert told in ran.err
    assert "The line that runs has other settings and keeps them" in ran.err
    assert f"Report: {tmp_path / 'line'}/line-1/C-1042/run-1/report.html" in ran.out
