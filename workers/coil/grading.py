"""The rules that release, hold or block a coil."""

from __future__ import annotations

import math
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ingest.records import first_problem
from workers.coil.records import CameraCoverage, CloseReason, Decision, DefectEvent, Grade, Hole, Severity
from workers.errors import BadSettingsError
from workers.inspection.records import UNKNOWN, DefectClass

Count = Annotated[int, Field(ge=1)]
Area = Annotated[float, Field(gt=0, allow_inf_nan=False)]
WHOLE_SHARE = 0.99999
"""Lengths are rounded: of a coil of some frames that was seen whole, the share may lack some millionths."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SeverityRules(_Section):
    """Areas from which an event is moderate or severe; below, it is minor."""

    moderate_from_mm2: Area
    severe_from_mm2: Area

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if self.severe_from_mm2 <= self.moderate_from_mm2:
            raise ValueError("expected severe_from_mm2 above moderate_from_mm2")
        return self


class CountRules(_Section):
    """Numbers of events from which a decision is taken; None where none are too many."""

    moderate_events: Count | None = None
    severe_events: Count | None = None


class CoverageRules(_Section):
    """The least share of each camera's band that must have been inspected."""

    least_share: Annotated[float, Field(gt=0, le=1)]

    @property
    def least_percent(self) -> str:
        """The least share as it was set: 0.9996 is no 100 %."""
        return f"{100 * self.least_share:.6g}%"


class GradingRules(_Section):
    """Thresholds of severity, and how many defects of each a coil may have.

    Attributes:
        severity: of events of any class.
        classes: of events of these classes, instead; a name that no classifier knows never applies.
    """

    severity: SeverityRules
    classes: dict[DefectClass, SeverityRules] = {}
    hold: CountRules
    block: CountRules
    coverage: CoverageRules

    @classmethod
    def load(cls, path: Path | None = None) -> Self:
        """Rules from a TOML file; the rules that come with Coilwatch without one.

        Raises:
            BadSettingsError: names the key, what was expected and what came.
        """
        name = str(path) if path else "built-in grading rules"
        try:
            built_in = files("workers.coil").joinpath("grading.toml")
            text = path.read_text(encoding="utf-8") if path else built_in.read_text(encoding="utf-8")
            return cls.model_validate(tomllib.loads(text))
        except ValidationError as error:
            raise BadSettingsError(f"{name}: {first_problem(error)}") from None
        # Beside broken TOML: no UTF-8, a number of thousands of digits, or a thousand brackets in brackets.
        except (OSError, ValueError, RecursionError) as error:
            raise BadSettingsError(f"{name}: expected a TOML file of grading rules: {error}") from None

    def severity_of(self, area_mm2: float, defect_class: str = UNKNOWN) -> Severity:
        """The severity of an event of this area and class."""
        rules = self.classes.get(defect_class, self.severity)
        if area_mm2 >= rules.severe_from_mm2:
            return "severe"
        return "moderate" if area_mm2 >= rules.moderate_from_mm2 else "minor"

    def grade(
        self,
        events: Sequence[DefectEvent],
        cameras: Sequence[CameraCoverage],
        closed: CloseReason,
        holes: Sequence[Hole] = (),
    ) -> Grade:
        """Release, hold or block, with every reason that counts.

        A coil with too little coverage, with unread frames, or that was closed before it was complete is
        never released: what was not seen cannot be vouched for.
        """
        counts = Counter(event.severity for event in events)
        blocking = list(_too_many(self.block, counts, "block"))
        holding = [*_too_many(self.hold, counts, "hold"), *self._unseen(cameras, closed, holes)]
        decision: Decision = "block" if blocking else "hold" if holding else "release"
        reasons = [*blocking, *holding] or [self._fine(counts, cameras, holes)]
        return Grade(decision=decision, reasons=tuple(reasons))

    def _unseen(
        self, cameras: Sequence[CameraCoverage], closed: CloseReason, holes: Sequence[Hole]
    ) -> Iterator[str]:
        if closed != "complete":
            yield f"closed before every camera's frames were here: {closed}"
        if not cameras:
            yield "no camera has seen the coil"
        for camera in cameras:
            name = f"camera {camera.band.side}/{camera.band.camera}"
            if camera.share < min(self.coverage.least_share, WHOLE_SHARE):
                needed = f"{_percent(camera.share)} inspected, at least {self.coverage.least_percent} needed"
                own = [h for h in holes if (h.side, h.camera) == (camera.band.side, camera.band.camera)]
                yield f"{name}: {needed}{_dark((camera,))}{_frameless(own)}"
            if camera.unreadable or camera.missing:
                yield f"{name}: {camera.unreadable} unreadable and {camera.missing} missing frames"

    def _fine(
        self, counts: Counter[Severity], cameras: Sequence[CameraCoverage], holes: Sequence[Hole]
    ) -> str:
        """What was measured, each figure beside its limit."""
        whole = not holes and all(camera.share >= WHOLE_SHARE for camera in cameras)
        unseen = _dark(cameras) + _frameless(holes)
        if not counts:
            return f"no defect found{', everything inspected' if whole else unseen}"
        limits: dict[Severity, str] = {
            "severe": _limit(self.hold.severe_events, self.block.severe_events),
            "moderate": _limit(self.hold.moderate_events, self.block.moderate_events),
            "minor": "",
        }
        found = [_events(counts[one], one) + limit for one, limit in limits.items() if counts[one] or limit]
        inspected = "everything inspected"
        if not whole:
            least, needed = _percent(min(camera.share for camera in cameras)), self.coverage.least_percent
            inspected = f"at least {least} of each camera inspected (hold below {needed})"
        return f"within the limits: {', '.join(found)}; {inspected}{unseen}"


def _limit(hold_from: int | None, block_from: int | None) -> str:
    """From how many events on a coil is no more released, and what is decided then."""
    limits = ((hold_from, "hold"), (block_from, "block"))
    known = [(count, decision) for count, decision in limits if count is not None]
    return " ({1} from {0})".format(*min(known)) if known else ""


def _too_many(rules: CountRules, counts: Counter[Severity], decision: str) -> Iterator[str]:
    severities: tuple[tuple[Severity, int | None], ...] = (
        ("severe", rules.severe_events),
        ("moderate", rules.moderate_events),
    )
    for severity, limit in severities:
        if limit is not None and counts[severity] >= limit:
            yield f"{_events(counts[severity], severity)} ({decision} from {limit})"


def _percent(share: float) -> str:
    """A share of inspected strip, rounded down: what is too little must not read as enough."""
    return f"{math.floor(share * 1_000) / 1_000:.1%}"


def _dark(cameras: Sequence[CameraCoverage]) -> str:
    frames = sum(camera.dark for camera in cameras)
    return f"; no strip to be seen in {frames} frame{'' if frames == 1 else 's'}" if frames else ""


def _frameless(holes: Sequence[Hole]) -> str:
    stretches = sum(hole.reason == "no frame" for hole in holes)
    return f"; {stretches} stretch{'' if stretches == 1 else 'es'} without a frame" if stretches else ""


def _events(count: int, severity: str) -> str:
    return f"{count} {severity} event{'' if count == 1 else 's'}"
