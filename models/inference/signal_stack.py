"""The stack that a thread's signal handlers run on."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

if sys.platform == "linux":
    _library = ctypes.CDLL(None, use_errno=True)


class _SignalStack(ctypes.Structure):
    _fields_ = (("pointer", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t))


@contextmanager
def kept_signal_stack() -> Iterator[None]:
    """Give this thread its signal stack back that somebody inside replaces; on Linux, elsewhere nothing.

    Python's own handlers run on the thread's signal stack where it has one. A small one, of 11 KB, is
    overflowed by them on processors with wide registers: a segmentation fault at the end of a child process.
    """
    if sys.platform != "linux":
        yield
        return
    before = _SignalStack()
    _library.sigaltstack(None, ctypes.byref(before))
    try:
        yield
    finally:
        _library.sigaltstack(ctypes.byref(before), None)
