"""The coil report as JSON: the form that everything else is made from and compared by."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ingest.errors import BadRecordError
from workers.coil.records import CoilReport
from workers.report.errors import BadReportError


def report_json(report: CoilReport) -> bytes:
    """The report as canonical JSON: fields in declared order, no spaces, one newline at the end.

    Equal reports give equal bytes, so two reports may be compared, or digested, by them.
    """
    return report.to_json() + b"\n"


def read_report(source: bytes | Path) -> CoilReport:
    """Read a coil report from its JSON, or from the file that holds it.

    Raises:
        BadReportError: names the file where there is one, and the first field that does not fit.
    """
    if isinstance(source, bytes):
        return _parse(source, "")
    try:
        data = source.read_bytes()
    except OSError as error:
        raise BadReportError(f"{source}: expected a report.json, {error.strerror or error}") from error
    return _parse(data, f"{source}: ")


def _parse(data: bytes, where: str) -> CoilReport:
    try:
        return CoilReport.from_json(data)
    except BadRecordError as error:
        raise BadReportError(f"{where}{error}") from None


def report_schema() -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of `report.json`."""
    schema = CoilReport.model_json_schema(mode="serialization")
    # Python's \Z has no meaning in the regular expressions of JSON schema; $ is the end there.
    portable: dict[str, Any] = json.loads(json.dumps(schema).replace("\\\\Z", "$"))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **portable}


def schema_json() -> bytes:
    """The schema as it is published in `docs/report-schema.json`."""
    return json.dumps(report_schema(), indent=2, sort_keys=True, ensure_ascii=False).encode() + b"\n"
