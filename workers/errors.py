"""Errors of the workers.

WorkerError
├── SegmentationError      a segmenter broke its contract (never retriable: it would again)
├── BadSettingsError       inspection settings or grading rules that do not validate
├── WrongCoilError         a record of another coil was given to a coil's account
├── LogGoneError           the log of a coil is not retained any more
├── DeadLetterNotFoundError  an id that no dead letter has (any more)
└── ReportError            see workers/report/errors.py
"""

from __future__ import annotations


class WorkerError(Exception):
    """Base of all errors of the workers.

    Attributes:
        retriable: whether the same call may succeed later.
    """

    retriable: bool = False


class SegmentationError(WorkerError):
    """A segmenter returned another number of maps, or maps of another shape, than it was given tiles."""


class BadSettingsError(WorkerError):
    """Settings or rules that cannot be read or do not validate; names key, expected and got."""


class WrongCoilError(WorkerError):
    """A record of one coil was handed to the account of another."""


class DeadLetterNotFoundError(WorkerError):
    """No dead letter has this id, or it is not retained any more."""


class LogGoneError(WorkerError):
    """The first records of a coil are not retained any more: its account cannot be made again."""
