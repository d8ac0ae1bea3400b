"""Which run of a coil comes, and where its report is said to go; no server is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.kafka import KafkaConnection
from orchestration import line
from orchestration.cli.report_view import say_other_store
from orchestration.settings import Settings
from tests.workers.report import example
from workers.report.delivery import Delivery
from workers.report.store import ReportStore


@pytest.mark.parametrize(
    ("in_kafka", "in_store", "following"), [(0, 0, 1), (0, 1, 2), (3, 1, 4), (1, 3, 4), (2, 2, 3)]
)
def test_the_next_run_is_new_to_kafka_and_to_the_reports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_kafka: int, in_store: int, following: int
) -> None:
    monkeypatch.setattr(line, "latest_run", lambda *_: in_kafka)
    store = ReportStore(str(tmp_path))
    if in_store:
        store.write(example.report(run=in_store), Delivery())
    assert line.next_run(KafkaConnection(), store, "line-1", "C-1042") == following


def test_a_run_without_its_report_is_open(tmp_path: Path) -> None:
    store = ReportStore(str(tmp_path))
    line.check_run_is_open(store, "line-1", "C-1042", 2)
    store.write(example.report(run=2), Delivery())
    line.check_run_is_open(store, "line-1", "C-1042", 1)
    with pytest.raises(
        line.RunReportedError, match="coil C-1042 run 2 has its report: expected a run from 3"
    ):
        line.check_run_is_open(store, "line-1", "C-1042", 2)


def test_a_store_that_is_not_used_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    wanted, running = Settings().with_reports("/mine"), Settings().with_reports("/line")
    say_other_store(wanted, wanted)
    assert capsys.readouterr().err == ""
    say_other_store(wanted, running)
    assert capsys.readouterr().err == "The line that runs writes its reports to /line, not /mine.\n"
