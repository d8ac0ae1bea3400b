"""SIGTERM for whoever is not the main thread.

Ray has the main thread of its workers, and waits there for calls under way before it lets a process end: a
loop makes new ones for ever. Python lets main threads alone set handlers. `faulthandler`, though, can be told
by any thread to write to a file when a signal comes; here that file is a pipe that somebody reads.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import signal
import threading
from collections.abc import Callable

EXIT_CODE = 128 + signal.SIGTERM
"""As the shell says it of a process that a signal ended."""
SOME_BYTES = 4096

log = logging.getLogger(__name__)


def end_on_sigterm(tidy: Callable[[], None]) -> None:
    """Have this process end on SIGTERM once `tidy` has returned; a second SIGTERM changes nothing.

    Handlers that are set already run as well. For one caller a process.

    Args:
        tidy: called in a thread of its own.
    """
    told, tells = os.pipe()
    # Nobody reads after the first signal, and a handler that waits would hold up the process.
    os.set_blocking(tells, False)
    faulthandler.register(signal.SIGTERM, tells, all_threads=False, chain=True)

    def listen() -> None:
        os.read(told, SOME_BYTES)
        try:
            tidy()
        except Exception:
            log.exception("not tidied up on SIGTERM")
        finally:
            os._exit(EXIT_CODE)

    threading.Thread(target=listen, name="sigterm", daemon=True).start()
