"""Errors of ingest.

IngestError
├── BadImageError         an image that cannot be read as what its header says (never retriable)
├── BadRecordError        a header or control record that does not validate
├── BadLineError          a line description that does not validate
├── SourceError           a source (folder, video) that holds nothing to read
├── NotSimulatedError     a folder whose line is not a simulated one, and is not written over
├── PublishError          Kafka did not take a record (retriable)
└── SpoolError            the spool on disk cannot be used: full, damaged, not to be written
    └── SpoolInUseError   another publisher has it (retriable)
"""

from __future__ import annotations


class IngestError(Exception):
    """Base of all errors of ingest.

    Attributes:
        retriable: whether the same call may succeed later.
    """

    retriable: bool = False


class BadImageError(IngestError):
    """An image that cannot be read, or is not what its header says."""


class BadRecordError(IngestError):
    """A frame header or control record that does not validate."""


class BadLineError(IngestError):
    """A line description that cannot be read or does not validate."""


class SourceError(IngestError):
    """A source that cannot be opened or holds no frames."""


class NotSimulatedError(IngestError):
    """A folder with a line that no simulation wrote: a simulated coil would replace its files."""


class PublishError(IngestError):
    """Kafka did not take a record in time."""

    retriable = True


class SpoolError(IngestError):
    """The spool on disk cannot be used: full, damaged, or not to be written."""


class SpoolInUseError(SpoolError):
    """Another publisher has the spool."""

    retriable = True
