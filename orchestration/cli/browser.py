"""Shows a report in the user's browser, where there is one."""

from __future__ import annotations

import os
import sys
import webbrowser
from pathlib import Path

from orchestration.cli.console import err, say


def can_show() -> bool:
    """Whether somebody sits before a desktop: else a text browser would take the terminal, or wait unseen."""
    has_display = sys.platform == "darwin" or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )
    return err.is_terminal and sys.stdin.isatty() and has_display


def show(page: Path) -> None:
    """Open a page; where that fails, say so and go on: its place was printed."""
    try:
        shown = webbrowser.open(page.absolute().as_uri())
    except webbrowser.Error:
        shown = False
    if not shown:
        say("No browser could be started.")
