"""Memory of a step, kept for the next one."""

from __future__ import annotations

import ctypes
import platform

_M_TRIM_THRESHOLD = -1
_M_MMAP_MAX = -4
_NEVER = 2**31 - 1


def keep_freed_memory() -> None:
    """Let the C library keep what is freed instead of handing it back to the kernel.

    A step on a processor frees and takes the same gigabyte again; each page of it that went to the kernel and
    came back was cleared first, which took a quarter of the time of CoilNet's steps. Linux with glibc alone;
    elsewhere nothing happens.
    """
    if platform.libc_ver()[0] == "glibc":
        library = ctypes.CDLL(None)
        library.mallopt(_M_MMAP_MAX, 0)
        library.mallopt(_M_TRIM_THRESHOLD, _NEVER)
