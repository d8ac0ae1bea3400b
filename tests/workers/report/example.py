"""Coil reports made by hand, for the tests of this folder."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import cv2
import numpy as np

from ingest.records import CameraBand
from workers.coil.records import CameraCoverage, CoilReport, DefectEvent, Grade, Hole
from workers.inspection.records import ModelIdentity


def thumbnail(seed: int = 0) -> str:
    pixels = np.random.default_rng(abs(seed)).integers(90, 160, (24, 32), dtype=np.uint8)
    return base64.b64encode(cv2.imencode(".jpg", pixels)[1].tobytes()).decode()


def digest(*parts: object) -> str:
    return hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest()


def band(camera: str, across_mm: float) -> CameraBand:
    return CameraBand(
        side="top", camera=camera, across_mm=across_mm, columns=1024, mm_per_row=0.5, mm_per_column=0.5
    )


def event(start: float, left: float, length: float = 30, width: float = 12, **changes: Any) -> DefectEvent:
    box = (
        (start, left),
        (start + length, left),
        (start + length, left + width),
        (start, left + width),
    )
    fields: dict[str, Any] = {
        "id": digest(start, left, length, width, changes.get("side")),
        "side": "top",
        "severity": "minor",
        "defect_class": "inclusion",
        "class_confidence": 0.934,
        "start_mm": start,
        "end_mm": start + length,
        "left_mm": left,
        "right_mm": left + width,
        "area_mm2": length * width * 0.7,
        "score": 0.81,
        "from_left_edge_mm": left - 60,
        "from_right_edge_mm": 900 - left - width,
        "findings": 1,
        "frames": 1,
        "cameras": ("camera-1",),
        "outlines": (box,),
        "thumbnail": thumbnail(int(start)),
    }
    return DefectEvent(**(fields | changes))


def report(*events: DefectEvent, **changes: Any) -> CoilReport:
    fields: dict[str, Any] = {
        "line": "line-1",
        "coil": "C-1042",
        "run": 1,
        "closed": "complete",
        "length_mm": 24_000.0,
        "strip_left_mm": 60.0,
        "strip_right_mm": 900.0,
        "grade": Grade(decision="hold", reasons=("1 severe event, at most 0 for a release",)),
        "models": (ModelIdentity(name="csnet", version="1", digest=digest("model"), classifier="steel 1"),),
        "coverage_share": 0.984,
        "cameras": (
            CameraCoverage(
                band=band("camera-1", 0),
                sent=94,
                inspected=91,
                unreadable=1,
                missing=2,
                inspected_mm=23_232.0,
                share=0.968,
            ),
            CameraCoverage(
                band=band("camera-2", 448),
                sent=94,
                inspected=94,
                unreadable=0,
                missing=0,
                inspected_mm=24_000.0,
                share=1.0,
            ),
        ),
        "holes": (
            Hole(
                side="top",
                camera="camera-1",
                start_mm=6_400,
                end_mm=6_912,
                frames=2,
                reason="missing",
                detail="frames 25 to 26 never arrived",
            ),
            Hole(
                side="top",
                camera="camera-1",
                start_mm=15_872,
                end_mm=16_128,
                frames=1,
                reason="unreadable",
                detail="PNG is cut off after 1,204 bytes",
            ),
        ),
        "events": events,
        "conflicts": 0,
        "further_findings": 0,
        "further_area_mm2": 0.0,
    }
    return CoilReport(**(fields | changes))


def coil() -> CoilReport:
    """A coil with a bit of everything."""
    return report(
        event(1_250, 210, 46, 18, severity="moderate"),
        event(3_900, 640, 1_850, 9, severity="severe", frames=9, findings=11, cameras=("camera-2",)),
        event(9_420, 95, 12, 14),
        event(11_305, 470, 60, 44, severity="moderate", cameras=("camera-1", "camera-2")),
        event(19_040, 720, 22, 17),
    )
