"""Files that are there whole or not at all, also after a power cut."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from ingest.spool_log import sync_directory


def write_atomically(path: str | Path, data: bytes) -> None:
    """Write a local file under a temporary name beside it, sync it, and move it into place.

    Raises:
        OSError: the folder cannot be made, or the disk does not take the file; what was there stays.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    # Two processes may write the same report at once: neither may touch the other's temporary file.
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    # A rename is in the folder, not in the file.
    sync_directory(target.parent)
