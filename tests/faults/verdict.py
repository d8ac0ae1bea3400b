"""What must hold of a coil after any fault."""

from __future__ import annotations

from ingest.records import CoilKey
from ingest.sources.source import Source
from orchestration.line import CoilNotReportedError
from tests.faults.calm import CalmLine
from tests.faults.line import FaultLine
from workers.report.json_report import read_report


def expect_calm_report(line: FaultLine, calm: CalmLine, source: Source, key: CoilKey) -> None:
    """The calm report byte for byte, every frame accounted for once, nothing committed that is not durable.

    Args:
        source: what reached the line.
        key: of its coil.

    Raises:
        AssertionError: says what does not hold.
    """
    try:
        report = line.report(key)
    except CoilNotReportedError as error:
        waiting = sorted(frame for of, frame in line.outside.waiting() if of == key)
        raise AssertionError(f"{error}; not inspected: {waiting}\n{line.logs()}") from None
    assert report == calm.report(source), f"another report\n{line.logs()}"
    group = line.settings.frame_worker.group
    assert line.outside.committed(group), "nothing was ever committed"
    assert line.outside.lost_by_commit(group) == []
    line.until("its frames are read", lambda: not line.outside.coil(key).unsent)
    seen = line.outside.coil(key)
    assert seen.repeated == {}
    for camera in read_report(report).cameras:
        came = {frame for frame in seen.sent if frame[:2] == (camera.band.side, camera.band.camera)}
        assert camera.inspected + camera.unreadable == len(came), f"{len(came)} frames came of {camera}"
        assert camera.inspected + camera.unreadable + camera.missing == camera.sent
