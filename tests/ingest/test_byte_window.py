from __future__ import annotations

import threading

from ingest.byte_window import ByteWindow


def entering(window: ByteWindow, size: int) -> threading.Thread:
    thread = threading.Thread(target=window.enter, args=(size,), daemon=True)
    thread.start()
    return thread


def test_entering_waits_for_room() -> None:
    window = ByteWindow(10)
    window.enter(6)
    waiting = entering(window, 5)
    waiting.join(0.05)
    assert waiting.is_alive()
    assert window.bytes_in_flight == 6
    window.leave(6)
    waiting.join(5)
    assert not waiting.is_alive()
    assert window.bytes_in_flight == 5


def test_a_record_larger_than_the_window_passes_alone() -> None:
    window = ByteWindow(10)
    window.enter(50)
    waiting = entering(window, 1)
    waiting.join(0.05)
    assert waiting.is_alive()
    window.leave(50)
    waiting.join(5)
    assert window.bytes_in_flight == 1


def test_the_first_failure_ends_every_wait_and_stays() -> None:
    window = ByteWindow(10)
    window.enter(4)
    window.enter(6)
    waiting = entering(window, 10)
    first, second = ValueError("first"), ValueError("second")
    window.leave(4, first)
    waiting.join(5)
    assert not waiting.is_alive()
    window.leave(6, second)
    assert window.failure is first
    assert window.wait_empty(0)


def test_waiting_for_empty_counts_records_without_bytes() -> None:
    window = ByteWindow(10)
    window.enter(0)
    assert not window.wait_empty(0.01)
    window.leave(0)
    assert window.wait_empty(0)
