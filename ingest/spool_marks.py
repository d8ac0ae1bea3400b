"""How far each camera of each open coil has come, on disk: where a publisher goes on after its own death.

A journal of states, the last of each camera counts. It is written at once and synced only where something
else is deleted on its word: a killed process leaves all of it, a power cut the part that makes frames come
twice at worst.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from ingest.errors import SpoolError
from ingest.records import (
    MOST_DROPS,
    CameraClosed,
    CoilKey,
    CoilOpened,
    DroppedFrames,
    DropReason,
    FrameHeader,
    Identifier,
    Record,
    Side,
    coil_key,
)
from ingest.spool_log import Open, RecordLog, open_file, sync_directory

COMPACT_BYTES = 4 * 1024 * 1024
"""A state takes 200 bytes: beyond some 20,000 of them the journal is written anew with the last ones only."""


class CameraMark(Record):
    """A camera of an open coil.

    Attributes:
        next_sequence: all frames before it are acknowledged.
        dropped: frames given up, in order.
        closed: whether its closing is acknowledged, and whether it is in Kafka.
    """

    kind: Literal["camera"] = "camera"
    line: Identifier
    coil: Identifier
    run: int
    side: Side
    camera: Identifier
    next_sequence: int = 0
    dropped: tuple[DroppedFrames, ...] = ()
    closed: Literal["no", "acknowledged", "delivered"] = "no"


class CoilMark(Record):
    """A coil whose opening is acknowledged, and that is not yet wholly in Kafka.

    Attributes:
        cameras: (side, camera) of those that will speak.
        finished: it is: nothing more needs to be known of it.
    """

    kind: Literal["coil"] = "coil"
    line: Identifier
    coil: Identifier
    run: int
    cameras: tuple[tuple[Side, Identifier], ...] = ()
    finished: bool = False


class DeliveredMark(Record):
    """Records of the spool with a lower number are in Kafka."""

    kind: Literal["delivered"] = "delivered"
    before: int = 0


log = logging.getLogger(__name__)

Mark = CameraMark | CoilMark | DeliveredMark
_MARK: TypeAdapter[Mark] = TypeAdapter(Annotated[Mark, Field(discriminator="kind")])
CameraName = tuple[Side, str]


class Marks:
    """The marks of one spool. Not for several threads at once.

    Args:
        path: the journal; made when it is not there.

    Raises:
        SpoolError: it cannot be read.
    """

    def __init__(self, path: Path, open_with: Open = open_file) -> None:
        self._open = open_with
        self._coils: dict[CoilKey, CoilMark] = {}
        self._cameras: dict[tuple[CoilKey, CameraName], CameraMark] = {}
        self._finished: dict[tuple[CoilKey, CameraName], CameraMark] = {}
        self._delivered = DeliveredMark()
        self._behind = False
        try:
            self._journal = RecordLog(path, open_with)
            for record in self._journal.records():
                self._remember(_MARK.validate_json(record.payload))
        except OSError as error:
            raise SpoolError(f"spool {path}: {error.strerror or error}") from None
        except ValidationError:
            raise SpoolError(f"spool {path}: not a journal of this version") from None
        self._taken_up = frozenset(self._coils)

    @property
    def delivered_before(self) -> int:
        """Records of the spool with a lower number are in Kafka."""
        return self._delivered.before

    def camera(self, record: FrameHeader | CameraClosed) -> CameraMark:
        """The mark of the camera that a record is of."""
        key = coil_key(record), (record.side, record.camera)
        known = self._cameras.get(key)
        if known is not None:
            return known
        fields = record.model_dump(include={"line", "coil", "run", "side", "camera"})
        return CameraMark(**fields)

    def knows(self, record: FrameHeader | CoilOpened | CameraClosed) -> bool:
        """Whether a record is acknowledged, of a coil that is not finished or was not when this began."""
        run = coil_key(record)
        if isinstance(record, CoilOpened):
            return run in self._coils or any(run == finished for finished, _ in self._finished)
        mark = self._finished.get((run, (record.side, record.camera))) or self.camera(record)
        if isinstance(record, CameraClosed):
            return mark.closed != "no"
        return record.sequence < mark.next_sequence

    def runs(self, line: str, coil: str) -> dict[int, bool]:
        """The runs of a coil that are not finished, and whether each still waits for frames or closings."""
        return {
            key[2]: not all(
                self._closed(key, camera) in {"acknowledged", "delivered"} for camera in mark.cameras
            )
            for key, mark in self._coils.items()
            if key[:2] == (line, coil)
        }

    def opened(self, record: CoilOpened) -> None:
        """The opening of a coil is acknowledged."""
        fields = record.model_dump(include={"line", "coil", "run"})
        cameras = tuple((band.side, band.camera) for band in record.cameras)
        self._note(CoilMark(**fields, cameras=cameras))
        # A coil that a power cut made us forget would come again as another run.
        self.sync()

    def frames(self, last: Iterable[FrameHeader]) -> None:
        """Frames are acknowledged: of each camera up to this one."""
        for header in last:
            mark = self.camera(header)
            if header.sequence >= mark.next_sequence:
                self._note(mark.model_copy(update={"next_sequence": header.sequence + 1}))

    def dropped(self, header: FrameHeader, reason: DropReason) -> None:
        """A frame was given up."""
        mark = self.camera(header)
        drops, sequence = list(mark.dropped), header.sequence
        if drops and drops[-1].reason == reason and drops[-1].last + 1 == sequence:
            drops[-1] = drops[-1].model_copy(update={"last": sequence})
        elif len(drops) < MOST_DROPS:
            drops.append(DroppedFrames(first=sequence, last=sequence, reason=reason))
        self._note(mark.model_copy(update={"dropped": tuple(drops)}))

    def closed(self, record: CameraClosed, *, delivered: bool) -> None:
        """The closing of a camera is acknowledged, or in Kafka; with the last of a coil the coil is done."""
        run = coil_key(record)
        state = "delivered" if delivered else "acknowledged"
        self._note(self.camera(record).model_copy(update={"closed": state}))
        coil = self._coils.get(run)
        if coil and all(self._closed(run, camera) == "delivered" for camera in coil.cameras):
            if run in self._taken_up:
                # Its source may be under way once more, and would send all the rest again.
                self._finished |= {key: known for key, known in self._cameras.items() if key[0] == run}
            self.forget(run)

    def forget(self, run: CoilKey) -> None:
        """Nothing more needs to be known of a coil."""
        line, coil, number = run
        self._note(CoilMark(line=line, coil=coil, run=number, finished=True))

    def delivered(self, before: int) -> None:
        """Records of the spool with a lower number are in Kafka."""
        self._note(DeliveredMark(before=before))

    def sync(self) -> None:
        """Make every mark durable.

        Raises:
            OSError: the disk is broken.
        """
        self._journal.sync()

    def close(self) -> None:
        """Close the journal."""
        self._journal.close()

    def _closed(self, run: CoilKey, camera: CameraName) -> str:
        mark = self._cameras.get((run, camera))
        return mark.closed if mark else "no"

    def _note(self, mark: Mark) -> None:
        self._remember(mark)
        try:
            if self._behind or self._journal.size_bytes >= COMPACT_BYTES:
                self._compact()
            else:
                self._journal.append(0, mark.to_json())
        except OSError as error:
            # Frames that come twice are ignored; a publisher that ends because of its journal loses some.
            if not self._behind:
                log.warning("spool %s: not written: %s", self._journal.path, error.strerror or error)
            self._behind = True

    def _remember(self, mark: Mark) -> None:
        if isinstance(mark, DeliveredMark):
            self._delivered = mark
        elif isinstance(mark, CameraMark):
            self._cameras[coil_key(mark), (mark.side, mark.camera)] = mark
        else:
            run = coil_key(mark)
            if mark.finished:
                self._coils.pop(run, None)
                self._cameras = {key: known for key, known in self._cameras.items() if key[0] != run}
            else:
                self._coils[run] = mark

    def _compact(self) -> None:
        path = self._journal.path
        path.with_suffix(".new").unlink(missing_ok=True)
        written = RecordLog(path.with_suffix(".new"), self._open)
        try:
            for mark in (self._delivered, *self._coils.values(), *self._cameras.values()):
                written.append(0, mark.to_json())
            written.sync()
            written.path.replace(path)
            sync_directory(path.parent)
        except OSError:
            written.close()
            raise
        self._journal.close()
        written.path = path
        self._journal, self._behind = written, False
