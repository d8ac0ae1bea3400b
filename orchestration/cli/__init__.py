"""The command line: `coilwatch COMMAND`."""

from orchestration.cli.app import main

__all__ = ["main"]
