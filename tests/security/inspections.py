"""An inspection record to damage."""

from __future__ import annotations

from workers.inspection.records import Inspection


def inspection() -> bytes:
    """As JSON."""
    return Inspection(
        line="line-1",
        coil="C1",
        run=1,
        side="top",
        camera="a",
        sequence=0,
        along_mm=0,
        across_mm=0,
        mm_per_row=1,
        mm_per_column=1,
        height=10,
        width=10,
        digest="0" * 32,
        status="inspected",
    ).to_json()
