"""Coils of one and two cameras, made by hand record by record."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

from ingest.records import CameraBand, CameraClosed, CoilOpened
from workers.coil.account import CoilAccount
from workers.coil.grading import GradingRules
from workers.coil.records import DefectEvent
from workers.inspection.records import Finding, Inspection, ModelIdentity

LINE, COIL = "line-1", "C-7"
FRAME_MM = 100.0
"""Length of a frame: 200 rows of 0.5 mm."""
MODEL = ModelIdentity(name="csnet", version="1", digest="ab" * 16)
ACROSS_MM = {"left": 0.0, "right": 180.0}
"""Both bands are 200 mm wide: from 180 to 200 mm both cameras see the strip."""
Points = Sequence[tuple[float, float]]


def digest(*parts: object) -> str:
    return blake2b(repr(parts).encode(), digest_size=16).hexdigest()


def band(camera: str = "left") -> CameraBand:
    return CameraBand(
        side="top", camera=camera, across_mm=ACROSS_MM[camera], columns=400, mm_per_row=0.5, mm_per_column=0.5
    )


def opened(*cameras: str, **changes: Any) -> CoilOpened:
    bands = tuple(band(camera) for camera in cameras or ("left",))
    return CoilOpened(**({"line": LINE, "coil": COIL, "cameras": bands} | changes))


def closed(frames: int, camera: str = "left", **changes: Any) -> CameraClosed:
    fields: dict[str, Any] = {"line": LINE, "coil": COIL, "side": "top", "camera": camera}
    return CameraClosed(**(fields | {"frames": frames, "end_mm": frames * FRAME_MM} | changes))


def inspection(sequence: int, *findings: Finding, camera: str = "left", **changes: Any) -> Inspection:
    fields: dict[str, Any] = {
        "line": LINE,
        "coil": COIL,
        "run": 1,
        "side": "top",
        "camera": camera,
        "sequence": sequence,
        "along_mm": sequence * FRAME_MM,
        "across_mm": ACROSS_MM[camera],
        "mm_per_row": 0.5,
        "mm_per_column": 0.5,
        "height": 200,
        "width": 400,
        "digest": digest(camera, sequence),
        "status": "inspected",
        "model": MODEL,
        "findings": findings,
    }
    return Inspection(**(fields | changes))


def dark(sequence: int, **changes: Any) -> Inspection:
    """A frame in which no strip is to be seen."""
    return inspection(sequence, **({"left_edge_mm": 0.0, "right_edge_mm": 0.0} | changes))


def unreadable(sequence: int, reason: str = "PNG is cut off", **changes: Any) -> Inspection:
    return inspection(sequence, status="unreadable", reason=reason, model=None, **changes)


def finding(
    outline: Points, area_mm2: float | None = None, *, name: object = None, **changes: Any
) -> Finding:
    along, across = zip(*outline, strict=True)
    fields: dict[str, Any] = {
        "id": digest(outline, name),
        "component": 0,
        "score": 0.8,
        "area_mm2": shoelace(outline) if area_mm2 is None else area_mm2,
        "start_mm": min(along),
        "end_mm": max(along),
        "left_mm": min(across),
        "right_mm": max(across),
        "outline": tuple(outline),
        "thumbnail": f"picture of {outline[0]}",
    }
    return Finding(**(fields | changes))


def box(start: float, end: float, left: float, right: float) -> Points:
    return ((start, left), (end, left), (end, right), (start, right))


def shoelace(outline: Points) -> float:
    after = [*outline[1:], outline[0]]
    return abs(sum(a * d - b * c for (a, b), (c, d) in zip(outline, after, strict=True))) / 2


def events_of(account: CoilAccount, rules: GradingRules) -> tuple[DefectEvent, ...]:
    """The events that an account would report were its coil closed now."""
    return account.report(account.close_record("complete"), rules).events
