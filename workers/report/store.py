"""Where finished coil reports are kept: a directory, or any URL that fsspec can open."""

from __future__ import annotations

import logging
from typing import Annotated

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem
from pydantic import Field

from ingest.errors import BadRecordError
from ingest.masking import without_password
from ingest.records import Digest, Identifier, Record, bytes_digest, check_identifier
from workers.coil.records import CoilReport, Decision
from workers.report.atomic_file import write_atomically
from workers.report.csv_report import events_csv
from workers.report.delivery import Delivery, delivery_json
from workers.report.errors import BadNameError, BadReportError, ReportNotFoundError, StoreError
from workers.report.html_report import html_report
from workers.report.json_report import read_report, report_json

REPORT_FILE = "report.json"
DELIVERY_FILE = "delivery.json"
FILES = ("events.csv", "report.html", DELIVERY_FILE, REPORT_FILE)
"""In the order in which they are written: where the last one is, the others are."""
RUN_PREFIX = "run-"
REVISION_PREFIX = "revision-"

_log = logging.getLogger(__name__)


class ReportLocation(Record):
    """Where a report was written, and the digest (BLAKE2b, 16 bytes) of its `report.json`."""

    folder: str
    digest: Digest


class CoilSummary(Record):
    """One line of the list of coils."""

    line: Identifier
    coil: Identifier
    run: Annotated[int, Field(ge=1)]
    revision: int
    decision: Decision
    events: int
    length_mm: float
    coverage_share: float


class ReportStore:
    """Coil reports in folders `{line}/{coil}/run-{n}` of a directory or fsspec URL.

    A folder holds `events.csv`, `report.html`, `delivery.json` and, written last, `report.json`: where
    that one is, the others are. In a local directory each file is replaced atomically and synced. They are
    those of the latest revision; earlier ones are kept in folders `revision-{n}` beside them.
    """

    def __init__(self, location: str) -> None:
        """Open the store; nothing is created before the first write.

        Raises:
            StoreError: the URL's protocol is unknown, its driver is not installed, or its server is away.
        """
        try:
            self._files, root = url_to_fs(location)
        except (ImportError, ValueError, OSError) as error:
            shown = without_password(location)
            raise StoreError(f"report store {shown!r}: {without_password(str(error))}") from error
        self._root: str = root.rstrip("/")

    def write(self, report: CoilReport, delivery: Delivery) -> ReportLocation:
        """Write a report in all its forms. Writing it again is harmless, whatever was cut off before.

        Raises:
            BadNameError: line, coil or run cannot name a folder.
            StoreError: the store did not take a file.
        """
        folder = self.folder(report.line, report.coil, report.run)
        there = self.revision(report.line, report.coil, report.run)
        if there > report.revision:
            folder = f"{folder}/{_revision_name(report.revision)}"
        elif 0 < there < report.revision:
            self._keep(folder, there)
        contents = (
            events_csv(report).encode(),
            html_report(report, delivery).encode(),
            delivery_json(delivery),
            report_json(report),
        )
        for name, data in zip(FILES, contents, strict=True):
            self._put(f"{folder}/{name}", data)
        return ReportLocation(folder=folder, digest=bytes_digest(contents[-1]))

    def read(self, line: str, coil: str, run: int | None = None) -> CoilReport:
        """Read the report of a coil's run, of its latest finished run without one.

        Raises:
            BadNameError: line, coil or run cannot name a folder.
            ReportNotFoundError: there is no finished report of it.
            BadReportError: the file there is not a report.
            StoreError: the store could not be read.
        """
        coil_folder = self._coil_folder(line, coil)
        runs = sorted(self._runs(coil_folder), reverse=True) if run is None else [run]
        for number in runs:
            data = self._get(f"{coil_folder}/{_run_name(number)}/{REPORT_FILE}")
            if data is not None:
                return read_report(data)
        which = f"run {run} of coil {coil}" if run is not None else f"coil {coil}"
        raise ReportNotFoundError(f"no finished report of {which} on line {line} in {self._root}")

    def delivery(self, line: str, coil: str, run: int) -> Delivery | None:
        """How the frames of a run's report travelled; None where the store does not say.

        Raises:
            BadNameError: line, coil or run cannot name a folder.
            BadReportError: the file there is no such account.
            StoreError: the store could not be read.
        """
        path = f"{self.folder(line, coil, run)}/{DELIVERY_FILE}"
        data = self._get(path)
        try:
            return None if data is None else Delivery.from_json(data)
        except BadRecordError as error:
            raise BadReportError(f"{path}: {error}") from None

    def coils(self) -> tuple[CoilSummary, ...]:
        """Every finished report in one line each, by line, coil and run; damaged ones are only logged.

        Raises:
            StoreError: the store could not be read.
        """
        summaries = (
            self._summary(f"{self._root}/{line}/{coil}/{_run_name(run)}/{REPORT_FILE}")
            for line in sorted(self._names(self._root))
            for coil in sorted(self._names(f"{self._root}/{line}"))
            for run in sorted(self._runs(f"{self._root}/{line}/{coil}"))
        )
        return tuple(summary for summary in summaries if summary is not None)

    def folder(self, line: str, coil: str, run: int) -> str:
        """Where the report of a run is kept, whether it is there or not.

        Raises:
            BadNameError: line, coil or run cannot name a folder.
        """
        return f"{self._coil_folder(line, coil)}/{_run_name(run)}"

    @property
    def is_local(self) -> bool:
        """Whether it is a directory of this machine."""
        return isinstance(self._files, LocalFileSystem)

    def has(self, line: str, coil: str, run: int) -> bool:
        """Whether the report of a run is finished.

        Raises:
            BadNameError: line, coil or run cannot name a folder.
            StoreError: the store could not be read.
        """
        return self._get(f"{self.folder(line, coil, run)}/{REPORT_FILE}") is not None

    def revision(self, line: str, coil: str, run: int) -> int:
        """The revision of the report of a run, 0 where there is none that can be read.

        Raises:
            BadNameError: line, coil or run cannot name a folder.
            StoreError: the store could not be read.
        """
        folder = self.folder(line, coil, run)
        data = self._get(f"{folder}/{REPORT_FILE}")
        try:
            return read_report(data).revision if data is not None else 0
        except BadReportError as error:
            _log.warning("%s: taken for none: %s", folder, error)
            return 0

    def latest_run(self, line: str, coil: str) -> int:
        """The highest run of a coil that has a folder, its report finished or cut off; 0 when none has.

        Raises:
            BadNameError: line or coil cannot name a folder.
            StoreError: the store could not be read.
        """
        return max(self._runs(self._coil_folder(line, coil)), default=0)

    def line_of(self, coil: str) -> str:
        """The one line that has a folder of a coil.

        Raises:
            BadNameError: the coil cannot name a folder, or several lines have one: name the line.
            ReportNotFoundError: no line has one.
            StoreError: the store could not be read.
        """
        _check_name("coil", coil)
        lines = [
            line for line in sorted(self._names(self._root)) if self._runs(f"{self._root}/{line}/{coil}")
        ]
        if not lines:
            raise ReportNotFoundError(f"no report of coil {coil} in {self._root}")
        if len(lines) > 1:
            raise BadNameError(
                f"coil {coil}: expected one line that has it, got {', '.join(lines)}; name the line"
            )
        return lines[0]

    def _keep(self, folder: str, revision: int) -> None:
        """Copy the files of a revision aside before another one takes their place.

        Once its `report.json` is there it is whole, and what a write that was cut off left in the folder is
        not copied over it.
        """
        kept = f"{folder}/{_revision_name(revision)}"
        if self._get(f"{kept}/{REPORT_FILE}") is not None:
            return
        for name in FILES:
            data = self._get(f"{folder}/{name}")
            if data is not None:
                self._put(f"{kept}/{name}", data)

    def _summary(self, path: str) -> CoilSummary | None:
        data = self._get(path)
        if data is None:
            return None
        try:
            report = read_report(data)
        except BadReportError as error:
            _log.warning("%s: left out of the list: %s", path, error)
            return None
        return CoilSummary(
            line=report.line,
            coil=report.coil,
            run=report.run,
            revision=report.revision,
            decision=report.grade.decision,
            events=len(report.events),
            length_mm=report.length_mm,
            coverage_share=report.coverage_share,
        )

    def _coil_folder(self, line: str, coil: str) -> str:
        _check_name("line", line)
        _check_name("coil", coil)
        return f"{self._root}/{line}/{coil}"

    def _runs(self, coil_folder: str) -> list[int]:
        names = (
            name.removeprefix(RUN_PREFIX) for name in self._names(coil_folder) if name.startswith(RUN_PREFIX)
        )
        return [int(name) for name in names if name.isascii() and name.isdigit() and int(name) > 0]

    def _names(self, folder: str) -> list[str]:
        """Names of the folders in a folder; none where it does not exist."""
        try:
            self._files.invalidate_cache()
            entries = self._files.ls(folder, detail=True)
        except (FileNotFoundError, NotADirectoryError):
            return []
        except Exception as error:
            raise self._failed(folder, error) from error
        names = (
            entry["name"].rstrip("/").rsplit("/", 1)[-1] for entry in entries if entry["type"] == "directory"
        )
        return [name for name in names if _is_identifier(name)]

    def _get(self, path: str) -> bytes | None:
        try:
            data: bytes = self._files.cat_file(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except Exception as error:
            raise self._failed(path, error) from error
        return data

    def _put(self, path: str, data: bytes) -> None:
        try:
            if self.is_local:
                write_atomically(path, data)
            else:
                self._files.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
                self._files.pipe_file(path, data)
        except Exception as error:
            raise self._failed(path, error) from error

    def _failed(self, path: str, error: Exception) -> Exception:
        """What a failure is: of the store, but for a mistake of ours with a directory."""
        # Drivers of object stores raise errors of their own libraries.
        if self.is_local and not isinstance(error, OSError):
            return error
        return StoreError(f"{path}: {without_password(str(error))}")


def _check_name(what: str, name: str) -> None:
    try:
        check_identifier(what, name)
    except BadRecordError as error:
        raise BadNameError(str(error)) from None


def _is_identifier(name: str) -> bool:
    try:
        check_identifier("folder", name)
    except BadRecordError:
        return False
    return True


def _run_name(run: int) -> str:
    if run < 1:
        raise BadNameError(f"run: expected 1 or more, got {run}")
    return f"{RUN_PREFIX}{run}"


def _revision_name(revision: int) -> str:
    return f"{REVISION_PREFIX}{revision}"
