"""Memory that nothing uses any more, handed back to the kernel."""

from __future__ import annotations

import ctypes
import gc
import platform


def hand_back_memory() -> None:
    """Collect what only holds itself, and let the C library keep nothing of it.

    Every thread of a client allocates from a heap of its own, and glibc keeps what was freed below the top of
    such a heap: some 50 MB a time where a worker had a backlog to read when it gave its clients up. Elsewhere
    than on Linux with glibc the kernel gets nothing back.
    """
    gc.collect()
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)
