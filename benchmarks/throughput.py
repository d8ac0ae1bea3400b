"""Frames and tiles per second, in one process and through Kafka and Ray Serve, in the same run."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from benchmarks.prepared_coil import PreparedCoil
from ingest.publisher import Publisher
from ingest.simulation import SimulatedCoil
from orchestration.inspector import open_classifier, open_segmenter
from orchestration.line import running_line, wait_for_report
from orchestration.settings import Settings
from orchestration.streaming import stream
from workers.coil.grading import GradingRules
from workers.in_process import inspect_coil
from workers.inspection.inspector import Inspector, Segmentation
from workers.inspection.stages import Stage, StageTimes
from workers.report.json_report import report_json
from workers.report.store import ReportStore

WARM_UP_M = 2.0
"""A first short coil loads what loads on first use, on both sides."""
TIMEOUT_S = 600.0


class Throughput(BaseModel):
    """Speed of both paths over the same frames.

    Attributes:
        ratio: distributed frames per second over in-process ones.
        equal: both reports are the same, byte for byte.
        stage_shares: share of each stage in the in-process time of all threads.
    """

    frames: int
    in_process_frames_per_s: float
    in_process_tiles_per_s: float
    distributed_frames_per_s: float
    distributed_tiles_per_s: float
    ratio: float
    equal: bool
    stage_shares: dict[Stage, float]


class CountingSegmenter:
    """A network that counts its tiles."""

    def __init__(self, segmenter: Segmentation) -> None:
        self._segmenter = segmenter
        self.tile_size = segmenter.tile_size
        self.peak = segmenter.peak
        self.name = segmenter.name
        self.version = segmenter.version
        self.digest = segmenter.digest
        self.tiles = 0

    def segment(self, tiles: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
        """Saliency maps of tiles."""
        self.tiles += len(tiles)
        return self._segmenter.segment(tiles)


def measure(length_m: float) -> Throughput:
    """Run the same simulated coil through both paths.

    Args:
        length_m: length of the coil; longer ones measure more steadily.
    """
    with tempfile.TemporaryDirectory() as scratch:
        settings = Settings.model_validate({"run_directory": Path(scratch) / "run"})
        settings = settings.with_reports(Path(scratch) / "reports")
        coil = PreparedCoil(SimulatedCoil(length_m=length_m, coil="bench"))
        warm_up = PreparedCoil(SimulatedCoil(length_m=WARM_UP_M, seed=8, coil="warm-up"))
        report, seconds, tiles, shares = _in_process(coil, warm_up, settings)
        distributed, distributed_s = _distributed(coil, warm_up, settings)
    return Throughput(
        frames=coil.total_frames,
        in_process_frames_per_s=coil.total_frames / seconds,
        in_process_tiles_per_s=tiles / seconds,
        distributed_frames_per_s=coil.total_frames / distributed_s,
        distributed_tiles_per_s=tiles / distributed_s,
        ratio=seconds / distributed_s,
        equal=report == distributed,
        stage_shares=shares,
    )


def _in_process(
    coil: PreparedCoil, warm_up: PreparedCoil, settings: Settings
) -> tuple[bytes, float, int, dict[Stage, float]]:
    segmenter = CountingSegmenter(open_segmenter(settings))
    times = StageTimes()
    inspector = Inspector(
        segmenter,
        settings.inspection,
        open_classifier(settings),
        threads=os.cpu_count() or 1,
        times=times,
    )
    rules = GradingRules.load(settings.grading.file)
    inspect_coil(warm_up, inspector, rules=rules, joining=settings.joining)
    times.seconds.clear()
    segmenter.tiles = 0
    started = time.perf_counter()
    report = inspect_coil(coil, inspector, rules=rules, joining=settings.joining, times=times).report
    seconds = time.perf_counter() - started
    total = sum(times.seconds.values())
    shares = {stage: spent / total for stage, spent in times.seconds.items()}
    return report_json(report), seconds, segmenter.tiles, shares


def _distributed(coil: PreparedCoil, warm_up: PreparedCoil, settings: Settings) -> tuple[bytes, float]:
    with running_line(settings) as connected:
        _send_and_wait(warm_up, connected)
        started = time.perf_counter()
        _send_and_wait(coil, connected)
        seconds = time.perf_counter() - started
        opened = coil.opened()
        report = ReportStore(connected.reports.store).read(opened.line, opened.coil, opened.run)
    return report_json(report), seconds


def _send_and_wait(coil: PreparedCoil, settings: Settings) -> None:
    opened = coil.opened()
    with Publisher(settings.kafka.connection()) as publisher:
        stream(coil, publisher)
        wait_for_report(settings, (opened.line, opened.coil, opened.run), timeout_s=TIMEOUT_S)
