"""Frames that kill whoever inspects them: each costs itself, and no other."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from ray import cloudpickle

from ingest.records import EncodedFrame
from orchestration import application
from orchestration.suspects import KILLER
from tests.faults import deadly
from tests.faults.calm import CalmLine
from tests.faults.conftest import LineKeeper
from tests.faults.figures import Figures
from tests.faults.line import FaultLine
from tests.faults.marks import each_seed_slowly, fault_test
from tests.faults.small_coil import Rearranged, SmallCoil
from tests.faults.verdict import expect_calm_report
from workers.inspection.records import FrameResult
from workers.report.json_report import read_report

pytestmark = fault_test


@pytest.fixture(scope="module")
def mortal_line(keeper: LineKeeper, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultLine]:
    keeper.drop()
    # Replicas cannot import the tests.
    cloudpickle.register_pickle_by_value(deadly)  # type: ignore[no-untyped-call]
    line = FaultLine(tmp_path_factory.mktemp("mortal"))
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(application, "InspectorReplica", deadly.DeadlyInspectorReplica)
            line.start()
        yield line
    finally:
        line.stop()
        cloudpickle.unregister_pickle_by_value(deadly)  # type: ignore[no-untyped-call]


@each_seed_slowly
def test_a_frame_that_kills_its_inspectors(
    mortal_line: FaultLine, calm: CalmLine, figures: Figures, random_: random.Random, seed: int
) -> None:
    line, coil = mortal_line, SmallCoil(f"deadly-{seed}", seed)
    frames = list(coil.frames())
    at = random_.randrange(len(frames))
    frames[at] = EncodedFrame(frames[at].header, deadly.DEADLY + coil.key[1].encode())
    source = Rearranged(coil, frames)
    calm.know(frames[at].data, FrameResult(status="unreadable", reason=KILLER))
    before = len(line.outside.dead_letters())
    with line.streaming(source):
        line.until_inspected(coil.key, at)
        recovered_s = line.until_recovered()
    expect_calm_report(line, calm, source, coil.key)
    assert sum(camera.unreadable for camera in read_report(line.report(coil.key)).cameras) == 1
    line.until("its dead letter", lambda: len(line.outside.dead_letters()) == before + 1)
    figures.add("frame that kills its inspectors", seed, recovered_s=recovered_s)
