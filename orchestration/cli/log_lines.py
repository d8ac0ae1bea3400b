"""Log records as lines on standard error."""

from __future__ import annotations

import logging

from rich.text import Text

from orchestration.cli.console import err, harmless

ROOMS = ("ingest", "workers", "models", "orchestration")
STYLES = {"WARNING": "yellow", "ERROR": "bold red", "CRITICAL": "bold red"}


class ConsoleHandler(logging.Handler):
    """One unfolded line per record, above whatever progress is shown."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            level = (f"{record.levelname.lower()}: ", STYLES.get(record.levelname, "dim"))
            err.print(Text.assemble(level, harmless(self.format(record))), soft_wrap=True)
        except Exception:  # noqa: BLE001 - the rule of logging: a line that cannot be shown ends nothing
            self.handleError(record)


def warnings_only(record: logging.LogRecord) -> bool:
    """Whether a record is at least a warning."""
    return record.levelno >= logging.WARNING


def configure_logging(*, debug: bool) -> None:
    """Warnings of our own packages to standard error, and what concerns the user of the libraries'."""
    logging.basicConfig(level="WARNING", format="%(message)s", handlers=[ConsoleHandler()], force=True)
    for room in ROOMS:
        logging.getLogger(room).setLevel("DEBUG" if debug else "WARNING")
    # What kafka-python logs as an error, our own errors say in one line.
    logging.getLogger("kafka").setLevel("INFO" if debug else "CRITICAL")
    # Ray Serve sets the level of its logger when it is imported; a filter stays.
    serve = logging.getLogger("ray.serve")
    (serve.removeFilter if debug else serve.addFilter)(warnings_only)
