"""The oracle: the report of a coil that was inspected in this process, with nothing in its way."""

from __future__ import annotations

from collections.abc import Sequence

from ingest.records import EncodedFrame
from ingest.sources.source import Source
from orchestration.inspector import open_inspector
from orchestration.settings import Settings
from workers.coil.grading import GradingRules
from workers.in_process import inspect_coil
from workers.inspection.inspector import Inspector
from workers.inspection.records import FrameResult
from workers.report.json_report import report_json


class RememberingInspector(Inspector):
    """An inspector that looks at equal bytes once: tests send the same strips under many coil ids."""

    def __init__(self, inspector: Inspector) -> None:
        super().__init__(inspector._segmentation, inspector._settings, inspector._classification, threads=2)
        self._known: dict[bytes, FrameResult] = {}

    def know(self, data: bytes, result: FrameResult) -> None:
        """Take the result of a frame's bytes as it is told."""
        self._known[data] = result

    def analyse(self, frames: Sequence[EncodedFrame]) -> list[FrameResult]:
        """Results of frames in pixels, in their order."""
        new = {frame.data: frame for frame in frames if frame.data not in self._known}
        self._known |= zip(new, super().analyse(list(new.values())), strict=True)
        return [self._known[frame.data] for frame in frames]


class CalmLine:
    """Makes the reports that every line must make, whatever happens to it."""

    def __init__(self) -> None:
        self._settings = Settings()
        self._inspector = RememberingInspector(open_inspector(self._settings, threads=1))
        self._rules = GradingRules.load(self._settings.grading.file)

    def know(self, data: bytes, result: FrameResult) -> None:
        """Tell the result of a frame that no process may look at."""
        self._inspector.know(data, result)

    def report(self, source: Source) -> bytes:
        """`report.json` of a coil."""
        inspected = inspect_coil(source, self._inspector, rules=self._rules, joining=self._settings.joining)
        return report_json(inspected.report)
