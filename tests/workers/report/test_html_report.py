from __future__ import annotations

import base64
import hashlib
import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings

from tests.workers.report import example
from tests.workers.report.strategies import reports
from workers.coil.records import CoilReport, Grade
from workers.inspection.records import ModelIdentity
from workers.report import html_report as page
from workers.report.delivery import Delivery
from workers.report.html_report import html_report, key_figures

HOSTILE = """</script></style><script>alert(1)</script><img src=x onerror=alert(1)>'"&{{ 7 * 7 }}"""
VOID = {"meta", "img", "input", "br", "rect", "path", "polygon"}


class Outline(HTMLParser):
    """The tags of a page, with a check that they close what they open."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def of_class(self, name: str) -> list[dict[str, str]]:
        return [attrs for _, attrs in self.tags if name in attrs.get("class", "").split()]


def hostile_report() -> CoilReport:
    holes = tuple(hole.model_copy(update={"detail": HOSTILE}) for hole in example.report().holes)
    return example.report(
        example.event(100, 100, cameras=(HOSTILE,), thumbnail=HOSTILE, defect_class=HOSTILE),
        grade=Grade(decision="block", reasons=(HOSTILE,)),
        models=(ModelIdentity(name=HOSTILE, version=HOSTILE, digest=example.digest(1), classifier=HOSTILE),),
        holes=holes,
    )


def test_text_from_records_stays_text() -> None:
    tame, wild = (
        Outline(html_report(example.report(example.event(100, 100)))),
        Outline(html_report(hostile_report())),
    )
    assert "".join(wild.words).count(HOSTILE) == 8  # reason, three of the model, camera, class, two details
    tame_tags = [tag for tag, _ in tame.tags if tag != "img"]
    assert [tag for tag, _ in wild.tags if tag != "span"] == [tag for tag in tame_tags if tag != "span"]
    assert not [name for _, attrs in wild.tags for name in attrs if name.startswith("on")]


def test_events_show_their_class_and_how_sure_it_is() -> None:
    unseen = example.event(100, 100, defect_class="unknown", class_confidence=None)
    text = html_report(example.report(example.event(900, 100), unseen))
    assert '<td data-sort="inclusion">inclusion <small>0.93</small></td>' in text
    assert '<td data-sort="unknown">unknown</td>' in text
    assert "Event 2, minor, inclusion: at" in text


def test_the_page_loads_nothing_and_runs_only_its_own_script() -> None:
    text = html_report(example.coil())
    outline = Outline(text)
    sources = [
        attrs[name]
        for _, attrs in outline.tags
        for name in ("src", "href", "xlink:href", "srcset")
        if name in attrs
    ]
    assert sources
    assert all(source.startswith(("data:image/jpeg;base64,", "#")) for source in sources)
    assert "url(" not in text
    assert "@import" not in text
    (script,) = re.findall(r"<script>(.*?)</script>", text, flags=re.DOTALL)
    policy = next(attrs["content"] for tag, attrs in outline.tags if "http-equiv" in attrs)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy.startswith("default-src 'none';")
    assert f"script-src 'sha256-{digest}'" in policy


def test_every_event_is_on_the_map_and_in_the_table() -> None:
    outline = Outline(html_report(example.coil()))
    markers, rows = outline.of_class("marker"), outline.of_class("event-row")
    assert len(markers) == len(rows) == 5
    assert {marker["href"] for marker in markers} == {f"#{row['id']}" for row in rows}
    assert [row["data-number"] for row in rows] == ["2", "4", "1", "5", "3"]  # worst first
    assert markers[-1]["href"] == "#event-2"  # the worst is drawn on top
    assert len(outline.of_class("hole")) == 2


@pytest.mark.parametrize("decision", ["release", "hold", "block"])
def test_the_grade_and_its_reasons_lead_the_page(decision: str) -> None:
    report = example.coil().model_copy(
        update={
            "grade": Grade.model_validate({"decision": decision, "reasons": ("because of x", "and of y")})
        }
    )
    text = html_report(report)
    assert f'<header class="banner {decision}">' in text
    assert text.index("because of x") < text.index("and of y") < text.index("Coil map")


def test_frames_without_strip_are_no_inspected_ones() -> None:
    lit = example.report()
    unlit = lit.cameras[1].model_copy(update={"dark": 7})
    text = html_report(lit.model_copy(update={"cameras": (lit.cameras[0], unlit)}))

    assert "3 frames not inspected" in html_report(lit)
    assert "10 frames not inspected" in text
    assert '<td class="number bad">7</td>' in text


@pytest.mark.parametrize(
    ("started", "share", "told"),
    [(True, 0.999999, "every frame"), (False, 1.0, "1 hole"), (True, 0.98, "not the whole strip")],
    ids=["whole", "a camera never started", "frames that do not cover it"],
)
def test_every_frame_is_said_of_a_coil_without_holes_only(started: bool, share: float, told: str) -> None:
    whole = example.report().cameras[1].model_copy(update={"share": share})
    silent = whole.model_copy(update={"sent": 0, "inspected": 0, "inspected_mm": 0.0, "share": 0.0})
    first, _ = example.report().holes
    hole = first.model_copy(update={"frames": 0, "reason": "never started"})
    report = example.report(
        cameras=(whole,) if started else (whole, silent),
        holes=() if started else (hole,),
    )
    inspected = next(figure for figure in key_figures(report) if figure.name == "Inspected")
    assert inspected.detail == told
    assert ("every frame" in html_report(report)) == (told == "every frame")


def test_only_small_jpegs_in_base64_become_pictures() -> None:
    png = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()
    large = base64.b64encode(b"\xff\xd8\xff" + bytes(70_000)).decode()
    bad = ["", "not base64!", png, large, example.thumbnail() + '" onerror="x']
    good = example.event(1, 1)
    events = [example.event(10 * at, 100, thumbnail=text) for at, text in enumerate(bad, start=1)]
    outline = Outline(html_report(example.report(good, *events)))
    pictures = [attrs["src"] for tag, attrs in outline.tags if tag == "img"]
    assert pictures == [f"data:image/jpeg;base64,{good.thumbnail}"]


def test_delivery_is_shown_only_when_given() -> None:
    start = datetime(2025, 5, 4, 6, 0, tzinfo=UTC)
    delivery = Delivery(
        path="distributed",
        started_at=start,
        closed_at=start + timedelta(seconds=41.25),
        frames_sent=1880,
        duplicates=0,
    )
    text = html_report(example.coil(), delivery)
    assert "41.2 s" in text
    assert "Kafka and Ray Serve" in text
    assert "<dt>Duplicates ignored</dt><dd>0</dd>" in text
    assert "Answered from the cache" not in text
    assert "Delivery" not in html_report(example.coil())


def test_too_many_events_are_cut_off_visibly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "MAX_EVENTS_SHOWN", 3)
    monkeypatch.setattr(page, "MAX_PICTURES", 1)
    text = html_report(example.coil())
    outline = Outline(text)
    assert [row["data-number"] for row in outline.of_class("event-row")] == ["2", "4", "1"]
    assert "The 3 worst events are shown here; the other 2 are in events.csv." in text
    assert sum(tag == "img" for tag, _ in outline.tags) == 1


@settings(max_examples=40)
@given(reports())
def test_any_report_renders_to_the_same_well_formed_page(report: CoilReport) -> None:
    text = html_report(report)
    outline = Outline(text)
    assert len(outline.of_class("event-row")) == len(report.events)
    assert text == html_report(report)
