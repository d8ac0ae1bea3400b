"""Errors of orchestration.

OrchestrationError
├── SettingsError            a setting that is unknown, does not validate, or names a file that is not there
├── InspectorsAwayError      no inspector has answered for long (retriable)
├── BrokenInspectorError     an inspector that fails at every frame (retriable)
├── CoilNotReportedError, RunReportedError         see orchestration/line.py
├── NotReportedError, FramesNotRetainedError       see orchestration/reinspection.py
├── OutputError, RunRevisedError                   see orchestration/cli/folders.py and inspection.py
└── StackError               a part of the stack that cannot be started, reached or stopped
    ├── MissingProgramError  a program that a part needs is not installed
    ├── StartError           a part that ended or did not answer in time (retriable)
    │   └── PortTakenError   see orchestration/stack/ports.py
    ├── UnreachableError     a server that the settings name and that does not answer (retriable)
    ├── UnusableLineError    a line that runs already and that does not serve who may not change it
    └── StackBusyError       another process starts or stops the same stack (retriable)
"""

from __future__ import annotations


class OrchestrationError(Exception):
    """Base of all errors of orchestration.

    Attributes:
        retriable: whether the same call may succeed later.
    """

    retriable: bool = False


class SettingsError(OrchestrationError):
    """A setting that is unknown, does not validate, or names a file that cannot be read."""


class InspectorsAwayError(OrchestrationError):
    """No inspector has answered for as long as a call is tried."""

    retriable = True


class BrokenInspectorError(OrchestrationError):
    """An inspector is broken itself, its GPU for instance: it fails at frames that nothing is wrong with."""

    retriable = True


class StackError(OrchestrationError):
    """A part of the stack that cannot be started, reached or stopped."""


class MissingProgramError(StackError):
    """A program that a part of the stack needs is not installed; the message says what to install."""


class StartError(StackError):
    """A part of the stack ended or did not answer in time; the message ends with its last log lines."""

    retriable = True


class UnreachableError(StackError):
    """A server that the settings name does not answer."""

    retriable = True


class UnusableLineError(StackError):
    """A line runs already, and whoever may not roll out another one in its place cannot use it."""


class StackBusyError(StackError):
    """Another process is starting or stopping the same stack."""

    retriable = True
