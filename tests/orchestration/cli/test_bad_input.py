"""Each bad input gets one line that names what was expected and what came, and costs no other frame."""

from __future__ import annotations

import gc
import json
import socket
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from ingest.simulation import SimulatedCoil
from models.weights.files import save_weights, weights_of
from models.weights.registry import load
from orchestration.cli import main
from orchestration.stack.java import find_java
from tests.orchestration.cli.conftest import Coilwatch
from tests.workers.report import example
from workers.report.delivery import Delivery
from workers.report.errors import ReportNotFoundError
from workers.report.json_report import report_json
from workers.report.store import ReportStore

SIDE_PX = 64
BAD_FRAMES = {
    "01-colour.png": "expected 64 x 64 8-bit mono pixels, got 64 x 64 8-bit colour",
    "03-deep.png": "expected 64 x 64 8-bit mono pixels, got 64 x 64 16-bit mono",
    "04-empty.png": "expected 64 x 64 8-bit mono pixels, got 0 bytes",
    "05-cut-off.png": "expected a PNG image that ends with IEND",
    "07-narrow.png": "expected 64 x 64 8-bit mono pixels, got 64 x 48 8-bit mono",
    "08-text.png": "expected a PNG, JPEG, BMP or TIFF image",
}
GOOD_FRAMES = ("00.png", "02.png", "06.png", "09.png")
SECONDS = 25.0
"""Bound for an answer that takes five seconds on an idle machine."""


def _steel(height: int = SIDE_PX, width: int = SIDE_PX) -> np.ndarray:
    return np.random.default_rng(3).normal(120, 4, (height, width)).astype(np.uint8)


def _png(pixels: np.ndarray) -> bytes:
    return cv2.imencode(".png", pixels)[1].tobytes()


def _write_bad_frames(folder: Path) -> None:
    good = _steel()
    (folder / "01-colour.png").write_bytes(_png(np.dstack([good] * 3)))
    (folder / "03-deep.png").write_bytes(_png(good.astype(np.uint16) * 256))
    (folder / "04-empty.png").write_bytes(b"")
    (folder / "05-cut-off.png").write_bytes(_png(good)[: SIDE_PX * 20])
    (folder / "07-narrow.png").write_bytes(_png(_steel(width=48)))
    (folder / "08-text.png").write_text("no image at all")


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    """A folder of four good frames."""
    folder = tmp_path / "frames"
    folder.mkdir()
    for name in GOOD_FRAMES:
        (folder / name).write_bytes(_png(_steel()))
    return folder


def test_bad_frames_cost_no_other_and_show_in_the_report(
    coilwatch: Coilwatch, frames: Path, tmp_path: Path
) -> None:
    _write_bad_frames(frames)
    ran = coilwatch("inspect", frames, "--coil", "C1", "--mm-per-px", "0.5", "--output", tmp_path / "reports")
    assert ran.code == 0
    assert "Traceback" not in ran.err
    report = json.loads((tmp_path / "reports/line-1/C1/run-1/report.json").read_text())
    (camera,) = report["cameras"]
    assert (camera["sent"], camera["inspected"], camera["unreadable"]) == (10, 4, 6)
    assert report["grade"]["decision"] != "release"
    for name in BAD_FRAMES:
        assert sum(f"/{name} " in line for line in ran.err.splitlines()) == 1
    holes = {hole["detail"].partition(": ")[2]: hole for hole in report["holes"]}
    assert len(holes) == len(BAD_FRAMES)
    for (name, says), (detail, hole) in zip(BAD_FRAMES.items(), holes.items(), strict=True):
        assert detail.startswith(says)
        assert hole["reason"] == "unreadable"
        assert hole["start_mm"] == int(name[:2]) * SIDE_PX * 0.5


def test_segment_names_bad_images_and_does_the_others(
    coilwatch: Coilwatch, frames: Path, tmp_path: Path
) -> None:
    _write_bad_frames(frames)
    ran = coilwatch("segment", frames, "--output", tmp_path / "maps")
    assert ran.code == 1
    assert "Traceback" not in ran.err
    # Any size will do here: the narrow image is a good one.
    unread = [name for name in BAD_FRAMES if name != "07-narrow.png"]
    for name in unread:
        (line,) = (line for line in ran.err.splitlines() if line.startswith(f"{name}: "))
        assert "expected" in line
    assert {path.name for path in (tmp_path / "maps").iterdir()} == {*GOOD_FRAMES, "07-narrow.png"}


@pytest.mark.parametrize("target", ["gone.png", "link.png"], ids=["dangling", "circle"])
def test_segment_names_a_link_that_leads_nowhere(
    coilwatch: Coilwatch, frames: Path, tmp_path: Path, target: str
) -> None:
    (frames / "link.png").symlink_to(target)
    ran = coilwatch("segment", frames, "--output", tmp_path / "maps")
    assert ran.code == 1
    assert "Traceback" not in ran.err
    assert "link.png: " in ran.err
    assert {path.name for path in (tmp_path / "maps").iterdir()} == set(GOOD_FRAMES)


def test_names_of_files_do_not_steer_the_terminal(coilwatch: Coilwatch, frames: Path, tmp_path: Path) -> None:
    (frames / "\x1b[31mred.png").write_bytes(b"no image")
    ran = coilwatch("segment", frames, "--output", tmp_path / "maps")
    assert "\N{REPLACEMENT CHARACTER}[31mred.png: expected a PNG" in ran.err
    ran = coilwatch("inspect", frames, "--coil", "C1", "--output", tmp_path / "\x1b[31mreports")
    assert "\N{REPLACEMENT CHARACTER}[31mred.png is passed on as unreadable" in ran.err
    assert "\N{REPLACEMENT CHARACTER}[31mreports" in ran.out
    ran = coilwatch("segment", tmp_path / "\x1b[31m", "--output", tmp_path / "maps")
    assert "\N{REPLACEMENT CHARACTER}[31m: No such file" in ran.error


def test_segment_refuses_an_output_folder_that_links_to_itself(
    coilwatch: Coilwatch, frames: Path, tmp_path: Path
) -> None:
    circle = tmp_path / "circle"
    circle.symlink_to(circle)
    ran = coilwatch("segment", frames, "--output", circle)
    assert ran.code == 1
    assert f"output {circle}: expected a folder" in ran.error


@pytest.mark.parametrize("command", ["inspect", "segment"])
def test_a_folder_without_images(coilwatch: Coilwatch, tmp_path: Path, command: str) -> None:
    (tmp_path / "notes.txt").write_text("no image")
    coil = ("--coil", "C1") if command == "inspect" else ()
    ran = coilwatch(command, tmp_path, *coil, "--output", tmp_path / "out")
    assert ran.code == 1
    assert f"no images in {tmp_path}" in ran.error
    assert ".png" in ran.error


def test_segment_hints_at_images_in_sub_folders(coilwatch: Coilwatch, frames: Path, tmp_path: Path) -> None:
    ran = coilwatch("segment", tmp_path, "--output", tmp_path / "out")
    assert ran.code == 1
    assert ran.error.endswith(f".tiff; there are some in {frames}, name one such folder")


@pytest.mark.parametrize(
    "assignment", ["inspection.treshold=9", "model.name=nothing"], ids=["key", "weights"]
)
def test_segment_makes_no_folder_for_settings_that_are_wrong(
    coilwatch: Coilwatch, frames: Path, tmp_path: Path, assignment: str
) -> None:
    ran = coilwatch("--set", assignment, "segment", frames, "--output", tmp_path / "out")
    assert ran.code == 1
    assert ran.error
    assert not (tmp_path / "out").exists()


def test_only_unreadable_images(coilwatch: Coilwatch, tmp_path: Path) -> None:
    (tmp_path / "only.png").write_bytes(_png(_steel())[:100])
    ran = coilwatch("inspect", tmp_path, "--coil", "C1", "--output", tmp_path / "out")
    assert ran.code == 1
    assert "no readable image" in ran.error
    assert "only.png" in ran.error


@pytest.mark.parametrize("coil", ["../x", "a/b", "a\\b", "", ".", "a b", "x" * 65])
@pytest.mark.parametrize("command", ["inspect", "simulate", "report"])
def test_a_coil_id_that_could_leave_its_folder(
    coilwatch: Coilwatch, frames: Path, tmp_path: Path, command: str, coil: str
) -> None:
    arguments: dict[str, tuple[object, ...]] = {
        "inspect": (frames, "--coil", coil, "--output", tmp_path / "out"),
        "simulate": ("--coil", coil, "--output", tmp_path / "out"),
        "report": (coil, "--reports", tmp_path),
    }
    ran = coilwatch(command, *arguments[command])
    assert ran.code == 1
    assert "letters, digits" in ran.error
    assert repr(coil)[:-1] in ran.error
    assert not (tmp_path / "out").exists()


def test_an_unknown_setting_in_the_environment(coilwatch: Coilwatch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COILWATCH_KAFKA__BOOTSTRAP", "x:1")
    ran = coilwatch("settings")
    assert ran.code == 1
    assert ran.error.startswith("environment: unknown setting COILWATCH_KAFKA__BOOTSTRAP; did you mean")


def test_an_unknown_setting_in_the_file(coilwatch: Coilwatch, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[redis]\nurll = 'redis://x'\n")
    ran = coilwatch("--settings", file, "settings")
    assert ran.code == 1
    assert ran.error == f"{file}: unknown setting redis.urll; did you mean redis.url?"


@pytest.mark.parametrize(
    ("assignment", "says"),
    [
        ("ray.inspector=3", "option: unknown setting ray.inspector; did you mean ray.inspectors?"),
        (
            "ray.inspectors",
            "--set: expected KEY=VALUE such as kafka.frames_partitions=4, got 'ray.inspectors'",
        ),
        ("ray.inspectors=many", "option: ray.inspectors: Input should be a valid integer"),
        ("ray.inspectors=0", "option: ray.inspectors: Input should be greater than or equal to 1"),
    ],
)
def test_a_setting_that_is_none(coilwatch: Coilwatch, assignment: str, says: str) -> None:
    ran = coilwatch("--set", assignment, "settings")
    assert ran.code == 1
    assert ran.error.startswith(says)


@pytest.mark.parametrize("content", [None, "[kafka\n"], ids=["missing", "no TOML"])
def test_a_settings_file_that_is_none(coilwatch: Coilwatch, tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "mine.toml"
    if content is not None:
        file.write_text(content)
    ran = coilwatch("--settings", file, "settings")
    assert ran.code == 1
    assert str(file) in ran.error


NOBODY_BY_TLS = {
    "kafka": ("kafka.bootstrap_servers=127.0.0.1:1", "kafka.security_protocol=SASL_SSL"),
    "redis": ("redis.url=rediss://127.0.0.1:1/0",),
}


def _assigned(*assignments: str) -> list[str]:
    return [argument for assignment in assignments for argument in ("--set", assignment)]


@pytest.mark.parametrize(
    ("setting", "command"),
    [
        ("kafka.tls_ca_file", "up"),
        ("kafka.tls_ca_file", "ingest"),
        ("kafka.tls_certificate_file", "dead-letters"),
        ("kafka.tls_key_file", "reinspect"),
        ("redis.tls_ca_file", "up"),
        ("redis.tls_ca_file", "coils"),
    ],
)
def test_a_certificate_that_is_not_there(
    coilwatch: Coilwatch, frames: Path, tmp_path: Path, setting: str, command: str
) -> None:
    arguments: dict[str, tuple[object, ...]] = {
        "ingest": (frames, "--coil", "C1", "--spool", tmp_path / "spool"),
        "dead-letters": ("list",),
        "reinspect": ("C1", "--model", "gate"),
    }
    missing = tmp_path / "ca.pem"
    assigned = _assigned(*NOBODY_BY_TLS[setting.split(".", maxsplit=1)[0]], f"{setting}={missing}")
    ran = coilwatch(*assigned, command, *arguments.get(command, ()))
    assert ran.code == 1
    assert ran.error == f"{setting} {missing}: expected a file, got No such file or directory"
    assert not (tmp_path / "spool").exists()
    shown = coilwatch(*assigned, "settings")
    assert shown.code == 0
    assert setting in shown.out


def test_kafka_not_there(coilwatch: Coilwatch, frames: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refused for as long as we hold it
        server = f"127.0.0.1:{taken.getsockname()[1]}"
        monkeypatch.setenv("COILWATCH_KAFKA__BOOTSTRAP_SERVERS", server)
        started = time.monotonic()
        ran = coilwatch("ingest", frames, "--coil", "C1")
    assert ran.code == 1
    assert ran.error == f"no Kafka broker at {server} within 5 s: Connection refused"
    assert ran.err.count("\n") == 1
    assert time.monotonic() - started < SECONDS


# kafka-python leaves the sockets of a failed bootstrap to the garbage collector.
@pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")
def test_a_port_where_something_else_listens(
    coilwatch: Coilwatch, frames: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = f"127.0.0.1:{taken.getsockname()[1]}"
        monkeypatch.setenv("COILWATCH_KAFKA__BOOTSTRAP_SERVERS", server)
        started = time.monotonic()
        ran = coilwatch("ingest", frames, "--coil", "C1")
    assert ran.code == 1
    assert f"no answer from Kafka at {server}" in ran.error
    assert ran.err.count("\n") == 1
    assert time.monotonic() - started < SECONDS
    gc.collect()


def test_ingest_of_a_run_that_has_its_report(
    coilwatch: Coilwatch, strip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COILWATCH_KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:1")
    monkeypatch.setenv("COILWATCH_REPORTS__STORE", str(tmp_path))
    report = example.report(line="demo-line", coil="C1", run=4)
    ReportStore(str(tmp_path)).write(report, Delivery())
    ran = coilwatch("ingest", strip, "--coil", "C1", "--run", 4)
    assert ran.code == 1
    assert ran.error == "coil C1 run 4 has its report: expected a run from 5"


def test_ingest_without_a_line_says_how_to_start_one(coilwatch: Coilwatch, frames: Path) -> None:
    ran = coilwatch("ingest", frames, "--coil", "C1")
    assert ran.code == 1
    assert "coilwatch up" in ran.error


@pytest.mark.parametrize("command", ["inspect", "segment"])
def test_weights_of_another_network(coilwatch: Coilwatch, frames: Path, tmp_path: Path, command: str) -> None:
    network, info = load("csnet-x1")
    weights = weights_of(network)
    weights.pop(next(iter(weights)))
    file = tmp_path / "other.safetensors"
    save_weights(file, weights, info)
    coil = ("--coil", "C1", "--mm-per-px", "1") if command == "inspect" else ()
    ran = coilwatch("--set", f"model.name={file}", command, frames, *coil, "--output", tmp_path / "out")
    assert ran.code == 1
    assert f"weights {file} do not match their network: no tensor" in ran.error


@pytest.mark.parametrize("content", [None, b"not weights"], ids=["missing", "no weights"])
def test_weights_that_are_none(
    coilwatch: Coilwatch, frames: Path, tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "other.safetensors"
    if content is not None:
        file.write_bytes(content)
    ran = coilwatch("segment", frames, "--output", tmp_path / "out", "--model", file)
    assert ran.code == 1
    assert str(file) in ran.error
    assert "expected" in ran.error


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("name = \n", "expected TOML"),
        ("name = 'line-1'\n", "cameras: Field required"),
        ("name = 'line-1'\ncamera = []\n", "camera: unknown key, expected one of name, cameras"),
    ],
)
def test_a_broken_line_description(
    coilwatch: Coilwatch, frames: Path, tmp_path: Path, content: str, says: str
) -> None:
    (frames / "line.toml").write_text(content)
    ran = coilwatch("inspect", frames, "--coil", "C1", "--output", tmp_path / "out")
    assert ran.code == 1
    assert ran.error.startswith(f"{frames / 'line.toml'}: ")
    assert says in ran.error


def test_a_line_described_twice(coilwatch: Coilwatch, strip: Path, tmp_path: Path) -> None:
    ran = coilwatch("inspect", strip, "--coil", "C1", "--output", tmp_path / "out", "--mm-per-px", "2")
    assert ran.code == 1
    assert ran.error == "expected line demo-line described once, got --mm-per-px or --pattern as well"


@pytest.mark.parametrize("content", [None, "[severity]\n"], ids=["missing", "incomplete"])
def test_grading_rules_that_are_none(
    coilwatch: Coilwatch, strip: Path, tmp_path: Path, content: str | None
) -> None:
    file = tmp_path / "grading.toml"
    if content is not None:
        file.write_text(content)
    ran = coilwatch(
        "--set", f"grading.file={file}", "inspect", strip, "--coil", "C1", "--output", tmp_path / "out"
    )
    assert ran.code == 1
    assert ran.error.startswith(f"{file}: ")


def test_a_source_that_is_not_there(coilwatch: Coilwatch, tmp_path: Path) -> None:
    ran = coilwatch("inspect", tmp_path / "none", "--coil", "C1", "--output", tmp_path / "out")
    assert ran.code == 1
    assert ran.error == f"source {tmp_path / 'none'}: expected a folder of images or a video, found nothing"


def test_a_report_of_an_unknown_coil(coilwatch: Coilwatch, tmp_path: Path) -> None:
    ran = coilwatch("report", "C404", "--reports", tmp_path)
    assert ran.code == 1
    assert ran.error == f"no report of coil C404 in {tmp_path}"
    assert ran.out == ""


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"{}"], ids=["missing", "no text", "no truth"])
@pytest.mark.parametrize("which", ["report", "truth"])
def test_score_of_files_that_are_something_else(
    coilwatch: Coilwatch, strip: Path, tmp_path: Path, which: str, content: bytes | None
) -> None:
    report, bad = tmp_path / "report.json", tmp_path / "bad.json"
    report.write_bytes(report_json(example.coil()))
    if content is not None:
        bad.write_bytes(content)
    files = (bad, strip / "truth.json") if which == "report" else (report, bad)
    ran = coilwatch("score", *files)
    assert ran.code == 1
    assert ran.error.startswith(f"{bad}: ")
    assert ran.out == ""


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, "expected each id once, got 0 2 times"),
        ({"id": 1, "end_mm": -1.0}, "defects.1: expected start_mm up to end_mm, got "),
    ],
    ids=["twice", "backwards"],
)
def test_score_of_a_truth_that_is_none(
    coilwatch: Coilwatch, tmp_path: Path, changes: dict[str, object], says: str
) -> None:
    report, bad = tmp_path / "report.json", tmp_path / "bad.json"
    report.write_bytes(report_json(example.coil()))
    planted = SimulatedCoil(length_m=2.4).truth()
    first = planted.defects[0]
    defects = (first, first.model_copy(update=changes))
    bad.write_bytes(planted.model_copy(update={"defects": defects}).to_json())
    ran = coilwatch("score", report, bad)
    assert ran.code == 1
    assert f"{bad}: expected the truth.json of a simulated coil, SimulatedTruth: {says}" in ran.error
    assert ran.out == ""


@pytest.mark.parametrize("command", ["inspect", "segment", "simulate", "demo"])
def test_an_output_that_is_a_file(coilwatch: Coilwatch, frames: Path, tmp_path: Path, command: str) -> None:
    output = tmp_path / "file"
    output.write_text("kept")
    arguments: dict[str, tuple[object, ...]] = {
        "inspect": (frames, "--coil", "C1", "--mm-per-px", "1"),
        "segment": (frames,),
        "simulate": (),
        "demo": ("--in-process", "--no-open"),
    }
    ran = coilwatch(command, *arguments[command], "--output", output)
    assert ran.code == 1
    assert ran.error == f"output {output}: expected a folder, got File exists"
    assert output.read_text() == "kept"


def test_simulate_never_writes_over_a_line_of_the_users_own(coilwatch: Coilwatch, tmp_path: Path) -> None:
    (tmp_path / "line.toml").write_text("mine")
    ran = coilwatch("simulate", "--length-m", "0.5", "--output", tmp_path)
    assert ran.code == 1
    assert "got line.toml without it" in ran.error
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("line.toml", "mine")]


def test_inspect_replaces_no_report_that_was_revised(
    coilwatch: Coilwatch, frames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ReportStore(str(tmp_path / "reports"))
    store.write(example.report(), Delivery())
    store.write(example.report(revision=2), Delivery())
    before = {path: path.read_bytes() for path in (tmp_path / "reports").rglob("*.*")}
    monkeypatch.setattr(
        "orchestration.cli.inspection.open_inspector", lambda *_, **__: pytest.fail("inspected")
    )
    ran = coilwatch(
        "inspect", frames, "--coil", "C-1042", "--mm-per-px", 1, "--run", 1, "--output", tmp_path / "reports"
    )
    assert ran.code == 1
    assert ran.error == (
        "coil C-1042 run 1: expected a report of revision 1 to replace, got revision 2; "
        "without --run this is a new run"
    )
    assert {path: path.read_bytes() for path in (tmp_path / "reports").rglob("*.*")} == before


def test_segment_never_writes_over_its_images(coilwatch: Coilwatch, frames: Path) -> None:
    before = (frames / GOOD_FRAMES[0]).read_bytes()
    ran = coilwatch("segment", frames, "--output", frames)
    assert ran.code == 1
    assert "expected another folder than the images'" in ran.error
    assert (frames / GOOD_FRAMES[0]).read_bytes() == before


def test_demo_without_java_offers_the_single_process(
    coilwatch: Coilwatch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setattr("orchestration.cli.demo.start_line", lambda *_, **__: find_java())
    ran = coilwatch("--set", f"run_directory={tmp_path / 'run'}", "demo")
    assert ran.code == 1
    assert "Kafka needs Java" in ran.error
    assert "--in-process" in ran.error


def test_debug_shows_the_traceback(coilwatch: Coilwatch, tmp_path: Path) -> None:
    with pytest.raises(ReportNotFoundError):
        main(["--debug", "report", "C404", "--reports", str(tmp_path)])


def test_wrong_usage_is_exit_code_2(coilwatch: Coilwatch) -> None:
    ran = coilwatch("inspect")
    assert ran.code == 2
    assert "Traceback" not in ran.err
