"""The numbers by which people speak of a coil's events: 1 is the first from the head."""

from __future__ import annotations

from workers.coil.records import CoilReport, DefectEvent, Severity

SEVERITIES: tuple[Severity, ...] = ("severe", "moderate", "minor")
"""Worst first."""


def numbered_events(report: CoilReport) -> tuple[tuple[int, DefectEvent], ...]:
    """The events in the order in which they passed the cameras, numbered from 1.

    Table, map and CSV all use these numbers, so that "event 12" is the same one everywhere.
    """
    along = sorted(report.events, key=lambda event: (event.start_mm, event.side, event.left_mm, event.id))
    return tuple(enumerate(along, start=1))


def worst_first(events: tuple[tuple[int, DefectEvent], ...]) -> tuple[tuple[int, DefectEvent], ...]:
    """The same numbered events, the severest first and the largest first among equals."""
    return tuple(
        sorted(events, key=lambda item: (SEVERITIES.index(item[1].severity), -item[1].area_mm2, item[0]))
    )
