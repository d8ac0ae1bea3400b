from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.workers.report import example
from workers.coil.records import CoilReport, Grade
from workers.report import atomic_file, store
from workers.report.delivery import Delivery
from workers.report.errors import BadNameError, BadReportError, ReportNotFoundError, StoreError
from workers.report.json_report import report_json
from workers.report.store import ReportStore

FILES = {"report.json", "events.csv", "report.html", "delivery.json"}


@pytest.fixture(params=["directory", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "reports [1]") if request.param == "directory" else f"memory://{uuid4()}/reports"


def test_what_is_written_is_read(place: str) -> None:
    location = ReportStore(place).write(example.coil(), Delivery())
    assert ReportStore(place).read("line-1", "C-1042") == example.coil()
    assert location.folder.endswith(
        "reports [1]/line-1/C-1042/run-1" if "[" in place else "/line-1/C-1042/run-1"
    )
    assert location.digest == hashlib.blake2b(report_json(example.coil()), digest_size=16).hexdigest()


def test_how_the_frames_travelled_is_read(place: str) -> None:
    reports = ReportStore(place)
    assert reports.delivery("line-1", "C-1042", 1) is None
    reports.write(example.coil(), Delivery(frames_sent=7))
    assert reports.delivery("line-1", "C-1042", 1) == Delivery(frames_sent=7)


def test_an_account_of_delivery_that_is_none_is_named(tmp_path: Path) -> None:
    reports = ReportStore(str(tmp_path))
    file = Path(reports.write(example.coil(), Delivery()).folder) / "delivery.json"
    file.write_text('{"frames_sent": -1}')
    with pytest.raises(BadReportError, match=r"delivery\.json: Delivery: frames_sent"):
        reports.delivery("line-1", "C-1042", 1)


def revised(revision: int) -> CoilReport:
    return example.coil().model_copy(update={"revision": revision})


def test_writing_again_changes_nothing_and_a_new_revision_replaces(place: str) -> None:
    reports = ReportStore(place)
    first = reports.write(example.coil(), Delivery())
    assert reports.write(example.coil(), Delivery()) == first
    assert reports.write(revised(2), Delivery()).digest != first.digest
    assert reports.read("line-1", "C-1042").revision == 2
    assert len(reports.coils()) == 1
    assert reports.latest_run("line-1", "C-1042") == 1
    assert [reports.revision("line-1", "C-1042", run) for run in (1, 2)] == [2, 0]


def test_earlier_revisions_are_kept_whole(tmp_path: Path) -> None:
    reports = ReportStore(str(tmp_path))
    folder = Path(reports.write(example.coil(), Delivery(frames_sent=7)).folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    reports.write(revised(2), Delivery(frames_sent=8))
    reports.write(revised(3), Delivery(frames_sent=9))
    assert {path.name: path.read_bytes() for path in (folder / "revision-1").iterdir()} == before
    assert {path.name for path in folder.iterdir()} == FILES | {"revision-1", "revision-2"}
    assert reports.read("line-1", "C-1042").revision == 3


def test_an_earlier_revision_that_is_written_again_replaces_no_later_one(place: str) -> None:
    reports = ReportStore(place)
    for revision in (1, 2):
        reports.write(revised(revision), Delivery())
    location = reports.write(revised(1), Delivery())
    assert location.folder.endswith("/run-1/revision-1")
    assert location.digest == hashlib.blake2b(report_json(example.coil()), digest_size=16).hexdigest()
    assert reports.read("line-1", "C-1042").revision == 2


@pytest.mark.parametrize("written", range(8))
def test_a_revision_that_is_cut_off_loses_no_other_and_is_made_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    reports = ReportStore(str(tmp_path))
    folder = Path(reports.write(example.coil(), Delivery(frames_sent=7)).folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    real, writes = atomic_file.write_atomically, [0]

    def write(path: str, data: bytes) -> None:
        if writes[0] == written:
            raise OSError(28, "No space left on device")
        writes[0] += 1
        real(path, data)

    monkeypatch.setattr(store, "write_atomically", write)
    with pytest.raises(StoreError, match="No space left"):
        reports.write(revised(2), Delivery(frames_sent=8))
    assert (folder / "report.json").read_bytes() == before["report.json"], (
        "the old one until all else is there"
    )
    monkeypatch.setattr(store, "write_atomically", real)
    reports.write(revised(2), Delivery(frames_sent=8))
    assert reports.read("line-1", "C-1042").revision == 2
    assert {path.name: path.read_bytes() for path in (folder / "revision-1").iterdir()} == before


def test_the_latest_run_is_read_by_number_and_not_by_spelling(place: str) -> None:
    reports = ReportStore(place)
    for run in (2, 10, 9):
        reports.write(example.report(run=run), Delivery())
    assert reports.read("line-1", "C-1042").run == 10
    assert reports.read("line-1", "C-1042", run=2).run == 2
    with pytest.raises(ReportNotFoundError, match="run 3 of coil C-1042 on line line-1"):
        reports.read("line-1", "C-1042", run=3)


def test_the_latest_run_counts_one_that_was_cut_off(place: str, tmp_path: Path) -> None:
    reports = ReportStore(place)
    assert reports.latest_run("line-1", "C-1042") == 0
    for run in (9, 10):
        reports.write(example.report(run=run), Delivery())
    assert reports.latest_run("line-1", "C-1042") == 10
    assert reports.latest_run("line-2", "C-1042") == reports.latest_run("line-1", "C-1") == 0
    if reports.is_local:
        Path(reports.folder("line-1", "C-1042", 11)).mkdir()
        assert reports.latest_run("line-1", "C-1042") == 11
        assert not reports.has("line-1", "C-1042", 11)
    assert reports.has("line-1", "C-1042", 10)
    assert not reports.has("line-1", "C-1042", 1)
    assert reports.is_local == (str(tmp_path) in place)


def test_a_store_that_is_a_file_has_nothing(tmp_path: Path) -> None:
    (tmp_path / "reports").write_text("hello")
    assert ReportStore(str(tmp_path / "reports")).latest_run("line-1", "C-1042") == 0


def test_coils_are_listed_in_order(place: str) -> None:
    reports = ReportStore(place)
    assert reports.coils() == ()
    blocked = Grade(decision="block", reasons=())
    for report in (
        example.report(line="b", coil="x"),
        example.report(line="a", coil="y", run=10),
        example.report(example.event(1, 1), line="a", coil="y", run=2, grade=blocked),
    ):
        reports.write(report, Delivery())
    assert [(c.line, c.coil, c.run, c.decision, c.events) for c in reports.coils()] == [
        ("a", "y", 2, "block", 1),
        ("a", "y", 10, "hold", 0),
        ("b", "x", 1, "hold", 0),
    ]


@pytest.mark.parametrize(
    "name", ["..", ".", "", "a/b", "../../etc", "a\\b", "x\n", "-x", "é", "a" * 65, "x\x00"]
)
def test_names_that_leave_their_folder_are_refused(place: str, name: str) -> None:
    reports = ReportStore(place)
    with pytest.raises(BadNameError):
        reports.read("line-1", name)
    with pytest.raises(BadNameError):
        reports.line_of(name)
    with pytest.raises(BadNameError):
        reports.read(name, "C-1042")
    # model_copy does not validate: a report made by careless code is refused all the same.
    with pytest.raises(BadNameError):
        reports.write(example.coil().model_copy(update={"coil": name}), Delivery())
    with pytest.raises(BadNameError):
        reports.read("line-1", "C-1042", run=0)


@pytest.mark.parametrize("written", range(4))
def test_a_cut_off_write_leaves_no_report_and_is_made_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    real, names = atomic_file.write_atomically, []

    def write(path: str, data: bytes) -> None:
        if len(names) == written:
            raise OSError(28, "No space left on device")
        names.append(Path(path).name)
        real(path, data)

    monkeypatch.setattr(store, "write_atomically", write)
    reports = ReportStore(str(tmp_path))
    with pytest.raises(StoreError, match="No space left") as caught:
        reports.write(example.coil(), Delivery())
    assert caught.value.retriable
    assert "report.json" not in names
    assert reports.coils() == ()
    with pytest.raises(ReportNotFoundError):
        reports.read("line-1", "C-1042")
    monkeypatch.setattr(store, "write_atomically", real)
    folder = Path(reports.write(example.coil(), Delivery()).folder)
    assert {path.name for path in folder.iterdir()} == FILES


def test_a_failed_replacement_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "report.json"
    atomic_file.write_atomically(target, b"old")

    def fail(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="Input/output"):
        atomic_file.write_atomically(target, b"new")
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_file_is_synced_before_it_is_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def sync(descriptor: int) -> None:
        steps.append("sync folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "sync file")
        fsync(descriptor)

    def move(path: Path, target: Any) -> Path:
        steps.append("move")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(Path, "replace", move)
    atomic_file.write_atomically(tmp_path / "a", b"x")
    assert steps == ["sync file", "move", "sync folder"]


def test_damage_and_strangers_in_the_store_do_not_hide_the_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    reports = ReportStore(str(tmp_path))
    reports.write(example.coil(), Delivery())
    damaged = tmp_path / "line-1" / "C-1" / "run-1"
    damaged.mkdir(parents=True)
    (damaged / "report.json").write_text("{")
    for stranger in ("run-x", "run-", "run-0", "notes"):
        (tmp_path / "line-1" / "C-1042" / stranger).mkdir()
    (tmp_path / "README.txt").write_text("hello")
    assert [summary.coil for summary in reports.coils()] == ["C-1042"]
    assert "C-1/run-1/report.json: left out of the list" in caplog.text
    assert reports.read("line-1", "C-1042").run == 1
    with pytest.raises(BadReportError):
        reports.read("line-1", "C-1")


def test_an_unknown_kind_of_store_is_refused() -> None:
    with pytest.raises(StoreError, match="nosuch"):
        ReportStore("nosuch://bucket/reports")


def test_events_of_the_report_are_in_every_form(tmp_path: Path) -> None:
    report: CoilReport = example.coil()
    folder = Path(ReportStore(str(tmp_path)).write(report, Delivery(frames_sent=188)).folder)
    for event in report.events:
        for name in ("report.json", "events.csv", "report.html"):
            assert event.id in (folder / name).read_text(encoding="utf-8")
    assert '"frames_sent": 188' in (folder / "delivery.json").read_text()


@pytest.mark.parametrize(
    ("method", "use"),
    [
        ("cat_file", lambda reports: reports.has("line-1", "C-1042", 1)),
        ("pipe_file", lambda reports: reports.write(example.coil(), Delivery())),
        ("ls", lambda reports: reports.coils()),
    ],
    ids=["read", "write", "list"],
)
def test_errors_that_only_a_driver_knows_are_the_stores(
    monkeypatch: pytest.MonkeyPatch, method: str, use: Callable[[ReportStore], object]
) -> None:
    """Those of object stores are of their own libraries, and must end no worker."""

    class NoCredentialsError(Exception):
        pass

    def away(*_: object, **__: object) -> None:
        raise NoCredentialsError("no credentials")

    reports = ReportStore(f"memory://{uuid4()}/reports")
    monkeypatch.setattr(reports._files, method, away)
    with pytest.raises(StoreError, match="no credentials"):
        use(reports)
