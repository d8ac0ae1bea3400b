"""What a run tells those who watch it."""

from __future__ import annotations

from dataclasses import dataclass

from models.networks.outputs import SaliencyNetwork
from models.training.scoring import Scores


@dataclass(frozen=True)
class StepReport:
    """One step that was done.

    Attributes:
        step: counted from 1, over all phases.
        total_steps: of all phases.
        phase: its name.
        loss: of the step's batch.
        rate: learning rate.
    """

    step: int
    total_steps: int
    phase: str
    loss: float
    rate: float


@dataclass(frozen=True)
class Standing:
    """What the averaged weights reach after a step.

    Attributes:
        step: counted from 1, over all phases.
        phase: its name.
        steel: scores on held-out steel.
        strip: scores on held-out strip, where there is strip.
        frames: scores on tiles of held-out frames, where there are frames; they choose nothing.
        is_best: whether the score is the best so far of its phase.
        seen: whether that steel trains in this phase, so that its scores say nothing of other steel.
    """

    step: int
    phase: str
    steel: Scores
    strip: Scores | None
    frames: Scores | None = None
    is_best: bool = False
    seen: bool = False

    @property
    def score(self) -> float:
        """Mean overlap on steel and strip, less what is seen where nothing is. Clean strip has no overlap."""
        if self.strip is None:
            return self.steel.iou
        overlaps = [self.steel.iou, *([self.strip.iou] if self.strip.defective else [])]
        return sum(overlaps) / len(overlaps) - self.strip.clean_false_share


class Watcher:
    """Told of a run by its trainer; each method may be left as it is."""

    def on_taught(self, done: int, total: int) -> None:
        """A teacher has made so many maps of those that it makes beforehand."""

    def on_start(self, step: int) -> None:
        """The run begins, or goes on, after this step."""

    def on_step(self, report: StepReport) -> None:
        """A step was done."""

    def on_score(self, standing: Standing, network: SaliencyNetwork) -> None:
        """The averaged network was scored; the state is saved only afterwards."""
