"""Fuzzing that is guided by the branches it reaches: `scripts/fuzz [TARGET ...] [--seconds N]`.

Every target of `tests/security/targets.py` runs in a process of its own. Bytes that break it are left in the
output folder; what was learnt stays there for the next time.
"""

from __future__ import annotations

import argparse
import importlib
import subprocess
import sys
from functools import partial
from pathlib import Path

import atheris

INSTRUMENTED = ["ingest", "workers", "models.weights", "orchestration.settings_layers"]
ONE_INPUT_S = 20


def main() -> int:
    options = parse_options()
    if options.here:
        fuzz(options.targets[0], options.output, options.seconds)
    broken = [name for name in options.targets or names() if not in_its_own_process(name, options)]
    sys.stderr.write(f"fuzz: {', '.join(broken) or 'nothing'} broke; see {options.output}\n")
    return 1 if broken else 0


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/fuzz", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="all by default")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--output", type=Path, default=Path("fuzz"), help="findings and corpora")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if unknown := sorted(set(options.targets) - set(names())):
        parser.error(f"expected targets of {', '.join(names())}, got {', '.join(unknown)}")
    return options


def names() -> list[str]:
    return list(importlib.import_module("tests.security.targets").TARGETS)


def in_its_own_process(name: str, options: argparse.Namespace) -> bool:
    """Fuzz one target; whether it withstood."""
    sys.stderr.write(f"fuzz: {name} for {options.seconds} s ...\n")
    arguments = [name, "--here", "--seconds", str(options.seconds), "--output", str(options.output)]
    return subprocess.run([sys.executable, "-m", __spec__.name, *arguments], check=False).returncode == 0


def fuzz(name: str, folder: Path, seconds: int) -> None:
    """Fuzz one target until the time is over or it breaks; does not return."""
    for module in [module for module in sys.modules if module.startswith(("tests.", *INSTRUMENTED))]:
        # Imported to know the names; what is fuzzed is imported anew, with its branches marked.
        del sys.modules[module]
    with atheris.instrument_imports(include=INSTRUMENTED):
        targets = importlib.import_module("tests.security.targets")
    target, corpus = targets.TARGETS[name], folder / name
    corpus.mkdir(parents=True, exist_ok=True)
    (corpus / "good").write_bytes(target.good())
    limits = [f"-max_total_time={seconds}", f"-max_len={targets.MOST_BYTES}", f"-timeout={ONE_INPUT_S}"]
    atheris.Setup(
        [sys.argv[0], str(corpus), f"-artifact_prefix={folder}/{name}-", *limits],
        partial(targets.attempt, target),
    )
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
