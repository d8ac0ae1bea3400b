"""Schedules: how the learning rate of a phase goes on from its peak, as data of a recipe."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from bisect import bisect_right
from typing import Annotated, Literal

from pydantic import Field

from models.training.record import Count, Record, Share


class _Schedule(Record, ABC):
    @abstractmethod
    def share(self, step: int, steps: int) -> float:
        """Return the share of the peak rate at a step of so many, both counted after the warm-up."""


class ConstantSchedule(_Schedule):
    """The peak rate throughout: EDRNet, CAT-EDNet, BASNet, U2-Net."""

    kind: Literal["constant"] = "constant"

    def share(self, step: int, steps: int) -> float:  # noqa: ARG002 - the same at every step
        return 1.0


class CosineSchedule(_Schedule):
    """Half a cosine from the peak down.

    Attributes:
        final_share: of the peak rate, where it ends; KD-SCFNet ends at a hundredth.
    """

    kind: Literal["cosine"] = "cosine"
    final_share: Share = 0.0

    def share(self, step: int, steps: int) -> float:
        fallen = 0.5 * (1 + math.cos(math.pi * step / max(1, steps)))
        return self.final_share + (1 - self.final_share) * fallen


class PolynomialSchedule(_Schedule):
    """(1 - progress) to a power.

    Attributes:
        power: 1 falls linearly.
        final_share: of the peak rate, where it ends.
    """

    kind: Literal["polynomial"] = "polynomial"
    power: float = Field(default=0.9, gt=0)
    final_share: Share = 0.0

    def share(self, step: int, steps: int) -> float:
        fallen = (1 - step / max(1, steps)) ** self.power
        return self.final_share + (1 - self.final_share) * float(fallen)


class LinearSchedule(_Schedule):
    """A straight line from the peak down.

    Attributes:
        final_share: of the peak rate, where it ends.
    """

    kind: Literal["linear"] = "linear"
    final_share: Share = 0.0

    def share(self, step: int, steps: int) -> float:
        return 1 - (1 - self.final_share) * step / max(1, steps)


class StepSchedule(_Schedule):
    """The rate times a factor at given steps: twice a tenth in CSNet, seven times a half in PFANet's code.

    Attributes:
        at_steps: from which the rate is lower, counted after the warm-up.
        factor: on the rate, each time.
    """

    kind: Literal["step"] = "step"
    at_steps: tuple[Count, ...] = Field(min_length=1)
    factor: float = Field(default=0.1, gt=0, lt=1)

    def share(self, step: int, steps: int) -> float:  # noqa: ARG002 - the steps are named
        return float(self.factor ** bisect_right(sorted(self.at_steps), step))


Schedule = Annotated[
    ConstantSchedule | CosineSchedule | LinearSchedule | PolynomialSchedule | StepSchedule,
    Field(discriminator="kind"),
]
