"""A score as tables of words, ready for a terminal."""

from __future__ import annotations

from dataclasses import dataclass

from ingest.simulation.truth import PlantedDefect
from workers.coil.records import CoilReport, DefectEvent
from workers.report.event_order import numbered_events
from workers.report.score_records import Recall, Score


@dataclass(frozen=True, slots=True)
class ScoreTable:
    """One table: a title, the names of its columns, and rows of as many cells."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def score_tables(score: Score, report: CoilReport) -> tuple[ScoreTable, ...]:
    """The tables of a score, the headline first; lists with nothing in them are left out.

    Args:
        score: what came out.
        report: that was scored; its events have the numbers of its page.
    """
    numbers = {event.id: str(number) for number, event in numbered_events(report)}
    tables = (
        ScoreTable("Score", ("measure", "value"), _headline(score)),
        _recall_table("Recall by size", score.by_size),
        _recall_table("Recall by kind", score.by_kind),
        ScoreTable(
            "Taken for",
            ("kind", "class", "defects"),
            tuple((item.kind, item.defect_class, str(item.defects)) for item in score.classes),
        ),
        ScoreTable(
            "Split defects",
            ("defect", "events"),
            tuple(
                (str(item.defect), " ".join(sorted((numbers[event] for event in item.events), key=int)))
                for item in score.split
            ),
        ),
        ScoreTable(
            "Merged defects",
            ("event", "defects"),
            tuple((numbers[item.event], " ".join(map(str, item.defects))) for item in score.merged),
        ),
        ScoreTable(
            "Missed defects",
            ("defect", "kind", "at m", "across mm", "size mm", "area mm²", "contrast"),
            tuple(
                (str(defect.id), defect.kind, *_place(defect), f"{defect.contrast:.2f}")
                for defect in score.missed
            ),
        ),
        ScoreTable(
            "False events",
            ("event", "severity", "at m", "across mm", "size mm", "area mm²", "score"),
            tuple(
                (numbers[event.id], event.severity, *_place(event), f"{event.score:.2f}")
                for event in score.false_events
            ),
        ),
    )
    return tuple(table for table in tables if table.rows)


def _headline(score: Score) -> tuple[tuple[str, str], ...]:
    return (
        (f"found of those {score.recall.group}", _recall_cell(score.recall)),
        ("events per found defect", _number(score.events_per_defect)),
        ("split, merged", f"{len(score.split)}, {len(score.merged)}"),
        ("position error, mean", f"{_number(score.mean_position_error_mm)} mm"),
        ("position error, largest", f"{_number(score.max_position_error_mm)} mm"),
        ("false events per 10 m", f"{_number(score.false_per_10_m)} ({len(score.false_events)} in all)"),
    )


def _recall_table(title: str, recalls: tuple[Recall, ...]) -> ScoreTable:
    rows = tuple(
        (recall.group, str(recall.found), str(recall.defects), f"{recall.share:.0%}")
        for recall in recalls
        if recall.defects
    )
    return ScoreTable(title, ("group", "found", "of", "share"), rows)


def _recall_cell(recall: Recall) -> str:
    return f"{recall.found} of {recall.defects} ({recall.share:.0%})"


def _place(thing: DefectEvent | PlantedDefect) -> tuple[str, str, str, str]:
    return (
        f"{thing.start_mm / 1000:.3f}",
        f"{thing.left_mm:.0f}",
        f"{thing.length_mm:.0f} x {thing.width_mm:.0f}",
        f"{thing.area_mm2:.0f}",
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
