from __future__ import annotations

import platform
import threading

import psutil
import pytest

from workers.streams.memory import hand_back_memory

BUFFER_BYTES = 64 * 1024
"""Small enough for a thread's heap: larger ones are the kernel's again as soon as they are freed."""
BUFFERS = 2_000
PIN_BYTES = 2_000


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="only glibc keeps freed memory and can be told not to"
)
def test_what_a_thread_has_freed_goes_back_to_the_kernel() -> None:
    pins: list[bytearray] = []

    def read_a_backlog() -> None:
        buffers = []
        for _ in range(BUFFERS):
            buffers.append(bytearray(b"x") * BUFFER_BYTES)
            # What outlives the buffers lies between them, so that the heap cannot shrink from its top.
            pins.append(bytearray(PIN_BYTES))

    thread = threading.Thread(target=read_a_backlog)
    thread.start()
    thread.join()
    kept = psutil.Process().memory_info().rss

    hand_back_memory()

    handed_back = kept - psutil.Process().memory_info().rss
    assert handed_back > BUFFERS * BUFFER_BYTES / 2
    assert len(pins) == BUFFERS
