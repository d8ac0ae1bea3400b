from __future__ import annotations

import csv
import io
import json
import logging
import shutil
import sys
import webbrowser
from importlib.metadata import version
from pathlib import Path

import cv2
import numpy as np
import pytest

from orchestration.cli import browser
from orchestration.cli.segmentation import map_names
from orchestration.stack import Stack
from orchestration.stack.status import PartStatus
from tests.orchestration.cli.conftest import Coilwatch
from tests.workers.report import example
from tests.workers.report.test_scoring import defect, truth
from workers.report.delivery import Delivery
from workers.report.json_report import report_json
from workers.report.store import ReportStore
from workers.streams.live_view import LiveCoil, LiveView
from workers.streams.redis_client import redis_client

RUN = Path("demo-line/demo-coil/run-1")


def test_a_coil_from_simulation_to_score(coilwatch: Coilwatch, tmp_path: Path) -> None:
    strip, reports = tmp_path / "strip", tmp_path / "reports"
    simulated = coilwatch("simulate", "--length-m", "1.2", "--output", strip)
    assert simulated.code == 0
    assert {path.name for path in strip.iterdir()} == {"left", "right", "truth.json", "line.toml"}

    inspected = coilwatch("inspect", strip, "--coil", "demo-coil", "--output", reports)
    assert inspected.code == 0
    assert "Coil demo-coil run 1 on demo-line" in inspected.out
    assert {path.name for path in (reports / RUN).iterdir()} == {
        "report.json",
        "report.html",
        "events.csv",
        "delivery.json",
    }

    files = (reports / RUN / "report.json", strip / "truth.json")
    scored = coilwatch("score", *files, "--format", "json")
    assert scored.code == 0
    assert len(json.loads(scored.out)["by_kind"]) > 1
    shown = coilwatch("score", *files).out
    assert all(title in shown for title in ("found of those 10 mm and longer", "Recall by kind", "Taken for"))
    strict = coilwatch("score", *files, "--tolerance-mm", 0, "--smallest-mm", 5, "--format", "json")
    assert {name: json.loads(strict.out)[name] for name in ("tolerance_mm", "smallest_mm")} == {
        "tolerance_mm": 0,
        "smallest_mm": 5,
    }


def test_score_shows_a_class_as_it_is_called(coilwatch: Coilwatch, tmp_path: Path) -> None:
    names = ("[/pit]", "[red]rolled-in[/red]", "<b>")
    events = [example.event(at * 1000.0, 100, defect_class=name) for at, name in enumerate(names)]
    planted = truth(*(defect(at, at * 1000.0, 100) for at in range(len(names))))
    files = tmp_path / "report.json", tmp_path / "truth.json"
    files[0].write_bytes(report_json(example.report(*events)))
    files[1].write_bytes(planted.to_json())

    scored = coilwatch("score", *files)

    assert scored.code == 0
    assert all(name in scored.out for name in names)


def test_a_coil_whose_lamp_has_failed_is_held(coilwatch: Coilwatch, strip: Path, tmp_path: Path) -> None:
    unlit, store = tmp_path / "unlit", tmp_path / "reports"
    shutil.copytree(strip, unlit)
    for image in (unlit / "right").iterdir():
        cv2.imwrite(str(image), np.zeros_like(cv2.imread(str(image), cv2.IMREAD_GRAYSCALE)))

    assert coilwatch("inspect", unlit, "--coil", "demo-coil", "--output", store).code == 0

    report = json.loads((store / RUN / "report.json").read_text())
    assert [(hole["camera"], hole["reason"]) for hole in report["holes"]] == [("right", "dark")]
    assert report["grade"]["decision"] == "hold"


def test_demo_in_process_writes_where_the_settings_say(coilwatch: Coilwatch, tmp_path: Path) -> None:
    store = tmp_path / "store"
    ran = coilwatch(
        "--set", f"reports.store={store}", "demo", "--in-process", "--no-open", "--length-m", "0.5"
    )
    assert ran.code == 0
    assert str(store / RUN / "report.html") in ran.out
    assert (store / RUN / "report.json").is_file()


def test_a_coil_id_that_comes_again_is_a_new_run(coilwatch: Coilwatch, strip: Path, tmp_path: Path) -> None:
    store = tmp_path / "reports"
    inspect = ("inspect", strip, "--coil", "demo-coil", "--output", store)
    assert "run" not in coilwatch(*inspect).err
    again = coilwatch(*inspect)
    assert "Coil demo-coil run 2 on demo-line" in again.out
    assert f"{store} has coil demo-coil up to run 1: this is run 2." in again.err
    assert "Coil demo-coil run 1 on demo-line" in coilwatch(*inspect, "--run", 1).out
    demo = coilwatch("demo", "--in-process", "--no-open", "--length-m", "0.5", "--output", store)
    assert "Coil demo-coil run 3 on demo-line" in demo.out
    assert {folder.name for folder in (store / RUN).parent.iterdir()} == {"run-1", "run-2", "run-3"}


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    """A store with one report."""
    coil = example.coil()
    folder = tmp_path / "reports" / coil.line / coil.coil / f"run-{coil.run}"
    folder.mkdir(parents=True)
    (folder / "report.json").write_bytes(report_json(coil))
    return tmp_path / "reports"


def test_a_report_as_it_was_written(coilwatch: Coilwatch, reports: Path) -> None:
    ran = coilwatch("report", example.coil().coil, "--reports", reports, "--format", "json")
    assert ran.code == 0
    assert ran.out.encode() == report_json(example.coil())


def test_a_report_as_csv(coilwatch: Coilwatch, reports: Path) -> None:
    ran = coilwatch("report", example.coil().coil, "--reports", reports, "--format", "csv")
    assert ran.code == 0
    assert len(list(csv.DictReader(io.StringIO(ran.out)))) == len(example.coil().events)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
@pytest.mark.parametrize("form", ["table", "json", "csv", "html"])
def test_a_report_where_the_locale_is_not_utf_8(
    coilwatch: Coilwatch, reports: Path, monkeypatch: pytest.MonkeyPatch, encoding: str, form: str
) -> None:
    named = example.report(example.event(100, 100, defect_class="Riß € Ł"), run=2)
    ReportStore(str(reports)).write(named, Delivery())
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding))

    assert coilwatch("report", named.coil, "--reports", reports, "--format", form).code == 0
    sys.stdout.flush()

    # Of a table what can be shown; a file is UTF-8, whoever asks for it.
    shown = "Ri" if form == "table" else "Riß € Ł"
    assert shown in written.getvalue().decode(encoding if form == "table" else "utf-8")


def test_a_report_as_html(coilwatch: Coilwatch, reports: Path) -> None:
    ran = coilwatch("report", example.coil().coil, "--reports", reports, "--format", "html")
    assert ran.code == 0
    assert ran.out.lower().startswith("<!doctype html>")


def test_a_report_as_html_is_the_stored_page(coilwatch: Coilwatch, tmp_path: Path) -> None:
    coil = example.coil()
    location = ReportStore(str(tmp_path)).write(coil, Delivery(frames_sent=188))
    ran = coilwatch("report", coil.coil, "--reports", tmp_path, "--format", "html")
    assert ran.out.encode() == (Path(location.folder) / "report.html").read_bytes()


def test_a_report_as_a_table(coilwatch: Coilwatch, reports: Path) -> None:
    coil = example.coil()
    ran = coilwatch("report", coil.coil, "--reports", reports)
    assert ran.code == 0
    assert coil.grade.decision.upper() in ran.out
    assert all(reason in ran.out for reason in coil.grade.reasons)


def test_the_worst_events_of_a_table_are_those_of_the_page(coilwatch: Coilwatch, tmp_path: Path) -> None:
    events = [
        example.event(at, 100, severity="moderate", area_mm2=9_000 - at) for at in range(0, 6_000, 1_000)
    ]
    coil = example.report(*events, example.event(500, 300, severity="severe", area_mm2=10))
    ReportStore(str(tmp_path)).write(coil, Delivery())
    ran = coilwatch("report", coil.coil, "--reports", tmp_path)
    rows = [line.split("│")[1].strip() for line in ran.out.splitlines() if line.startswith("│")]
    assert rows == ["2", "1", "3", "4", "5"]


def test_what_was_not_inspected_never_reads_as_all(coilwatch: Coilwatch, tmp_path: Path) -> None:
    ReportStore(str(tmp_path)).write(example.report(coverage_share=0.9996), Delivery())
    for arguments in (("report", "C-1042"), ("coils",)):
        assert "99.96 %" in coilwatch(*arguments, "--reports", tmp_path).out


def test_a_table_names_a_revision(coilwatch: Coilwatch, tmp_path: Path) -> None:
    store = ReportStore(str(tmp_path))
    for revision, shown in ((1, "run 1 on line-1"), (2, "run 1, revision 2, on line-1")):
        store.write(example.report(revision=revision), Delivery())
        assert f"Coil C-1042 {shown}: HOLD" in coilwatch("report", "C-1042", "--reports", tmp_path).out


def test_coils_lists_reports_where_nothing_runs(coilwatch: Coilwatch, reports: Path) -> None:
    ran = coilwatch("coils", "--reports", reports)
    assert ran.code == 0
    assert example.coil().coil in ran.out


@pytest.mark.stack
def test_a_coil_with_a_report_does_not_run(coilwatch: Coilwatch, reports: Path, redis_url: str) -> None:
    reported = example.coil()
    client = redis_client(redis_url, {})
    for coil in (reported.coil, "still-open"):
        LiveView(client).show(
            LiveCoil(
                line=reported.line,
                coil=coil,
                run=reported.run,
                inspected=1,
                unreadable=0,
                findings=0,
                events=0,
                length_mm=240.0,
            )
        )
    ran = coilwatch("--set", f"redis.url={redis_url}", "coils", "--reports", reports)
    client.close()
    assert ran.code == 0
    states = {line.split()[3]: line.split()[7] for line in ran.out.splitlines() if line.startswith("│")}
    assert states["still-open"] == "running"
    assert states[reported.coil] == reported.grade.decision
    assert ran.out.count(reported.coil) == 1


def test_coils_of_an_empty_store_says_what_to_do(coilwatch: Coilwatch, tmp_path: Path) -> None:
    ran = coilwatch("coils", "--reports", tmp_path)
    assert ran.code == 0
    assert ran.out == ""
    assert ran.err == f"No coils in {tmp_path}. Try: coilwatch demo\n"


def test_settings_show_origins_and_mask_secrets(
    coilwatch: Coilwatch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "[mine].toml"
    file.write_text("[redis]\npassword = 'hunter2'\n")
    monkeypatch.setenv("COILWATCH_KAFKA__FRAMES_PARTITIONS", "4")
    ran = coilwatch("--settings", file, "--set", "ray.inspectors=3", "settings")
    assert ran.code == 0
    lines = {line.split()[1]: line for line in ran.out.splitlines() if line.startswith("│")}
    assert "4 " in lines["kafka.frames_partitions"]
    assert "environment COILWATCH_KAFKA__FRAMES_PARTITIONS" in lines["kafka.frames_partitions"]
    assert "3 " in lines["ray.inspectors"]
    assert "option" in lines["ray.inspectors"]
    assert "default" in lines["ray.frame_workers"]
    assert "********" in lines["redis.password"]
    assert "hunter2" not in ran.out


def test_status_where_nothing_runs(coilwatch: Coilwatch, tmp_path: Path) -> None:
    ran = coilwatch("--set", f"run_directory={tmp_path}", "status")
    assert ran.code == 1
    assert ran.out.count(" down ") == 4


def test_status_shows_an_ipv6_address(coilwatch: Coilwatch, monkeypatch: pytest.MonkeyPatch) -> None:
    address = "[fd00::5]:9092"
    monkeypatch.setattr(Stack, "status", lambda _: [PartStatus("Kafka", address, "up", "")])

    assert address in coilwatch("status").out


def test_down_where_nothing_runs(coilwatch: Coilwatch, tmp_path: Path) -> None:
    ran = coilwatch("--set", f"run_directory={tmp_path}", "down")
    assert ran.code == 0
    assert "Nothing ran" in ran.err


def test_maps_have_the_size_and_the_names_of_their_images(
    coilwatch: Coilwatch, strip: Path, tmp_path: Path
) -> None:
    images, maps = tmp_path / "images", tmp_path / "maps"
    images.mkdir()
    pixels = cv2.imread(str(next((strip / "left").glob("*.png"))), cv2.IMREAD_UNCHANGED)
    cv2.imwrite(str(images / "a.png"), pixels[:100, :130])
    cv2.imwrite(str(images / "a.jpg"), pixels[:100, :120])
    cv2.imwrite(str(images / "wide [1].bmp"), pixels[:90, :300])
    ran = coilwatch("segment", images, "--output", maps)
    assert ran.code == 0
    sizes = {path.name: cv2.imread(str(path), cv2.IMREAD_UNCHANGED).shape for path in maps.iterdir()}
    assert sizes == {"a.png.png": (100, 130), "a.jpg.png": (100, 120), "wide [1].png": (90, 300)}


def test_the_version_is_that_of_the_installation(coilwatch: Coilwatch) -> None:
    ran = coilwatch("--version")
    assert (ran.code, ran.out) == (0, f"coilwatch {version('coilwatch')}\n")


def test_segment_of_one_image(coilwatch: Coilwatch, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "one.png"), np.full((40, 50), 90, np.uint8))
    ran = coilwatch("segment", tmp_path / "one.png", "--output", tmp_path / "maps")
    assert ran.code == 0
    assert cv2.imread(str(tmp_path / "maps/one.png"), cv2.IMREAD_UNCHANGED).shape == (40, 50)
    assert f"1 saliency map in {tmp_path / 'maps'}, 0 images unreadable" in ran.err


@pytest.mark.parametrize(
    ("images", "maps"),
    [
        (["a.png", "b.jpg"], ["a.png", "b.png"]),
        (["a.png", "a.jpg", "b.png"], ["a.png.png", "a.jpg.png", "b.png"]),
        (["a.bmp", "a.jpg", "a.jpg.png"], ["a.bmp.png", "a.jpg.png", "a.jpg.png.png"]),
    ],
)
def test_no_two_maps_have_one_name(images: list[str], maps: list[str]) -> None:
    assert map_names([Path(image) for image in images]) == maps


def test_no_browser_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    assert not browser.can_show()


def test_a_browser_that_does_not_start_costs_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def refuse(address: str) -> bool:
        raise webbrowser.Error(address)

    monkeypatch.setattr(webbrowser, "open", refuse)
    browser.show(tmp_path / "report.html")
    assert capsys.readouterr().err == "No browser could be started.\n"


def test_what_ray_serve_says_in_passing_stays_unsaid(coilwatch: Coilwatch) -> None:
    coilwatch("settings")
    serve = logging.getLogger("ray.serve")
    assert not serve.filter(logging.makeLogRecord({"levelno": logging.INFO}))
    assert serve.filter(logging.makeLogRecord({"levelno": logging.WARNING}))
    coilwatch("--debug", "settings")
    assert serve.filter(logging.makeLogRecord({"levelno": logging.INFO}))


def test_an_interrupt_is_exit_code_130(
    coilwatch: Coilwatch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("orchestration.cli.simulation.write_coil", interrupt)
    ran = coilwatch("simulate", "--output", tmp_path)
    assert ran.code == 130
    assert "Traceback" not in ran.err
