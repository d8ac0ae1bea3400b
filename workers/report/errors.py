"""Errors of the coil report.

ReportError
├── BadReportError        JSON that is not a coil report of this schema (never retriable)
├── BadNameError          a line, coil or run that cannot name a folder of the store
├── ReportNotFoundError   the store has no finished report of that coil
├── StoreError            the store could not be read or written (retriable)
└── StoreHangsError       the store has not answered for long; never retriable in this process
"""

from __future__ import annotations

from workers.errors import WorkerError


class ReportError(WorkerError):
    """Base of all errors of the coil report."""


class BadReportError(ReportError):
    """JSON that is not a coil report of this schema."""


class BadNameError(ReportError):
    """A line, coil or run that cannot name a folder of the store."""


class ReportNotFoundError(ReportError):
    """The store has no finished report of that coil."""


class StoreError(ReportError):
    """The report store could not be read or written."""

    retriable = True


class StoreHangsError(ReportError):
    """The report store has not answered for so long that this process gives up; another one may try."""
