from __future__ import annotations

import pytest

from ingest.simulation import SimulatedCoil
from ingest.simulation.truth import PlantedDefect
from tests.orchestration.border_crossers import border_crossers

FRAME_MM = 240.0


def defect(start_mm: float, end_mm: float, left_mm: float, right_mm: float) -> PlantedDefect:
    return PlantedDefect(
        id=0,
        kind="oxide-scale",
        crop="crop",
        half="judge",
        start_mm=start_mm,
        end_mm=end_mm,
        left_mm=left_mm,
        right_mm=right_mm,
        area_mm2=1.0,
        contrast=0.2,
    )


@pytest.mark.parametrize(
    ("place", "crosses"),
    [
        ((10, 20, 100, 110), False),
        ((230, 250, 100, 110), True),
        ((230, 240, 100, 110), False),
        ((240, 250, 100, 110), False),
        ((10, 2000, 100, 110), True),
        ((10, 20, 210, 220), False),
        ((10, 20, 225, 230), True),
        ((10, 20, 210, 300), True),
        ((10, 20, 240, 250), False),
    ],
)
def test_what_crosses_a_border(place: tuple[float, float, float, float], crosses: bool) -> None:
    planted = defect(*place)
    coil = SimulatedCoil(length_m=0.5)
    assert coil.along_mm(1) == FRAME_MM
    assert border_crossers([planted], coil.bands, FRAME_MM) == ((planted,) if crosses else ())
