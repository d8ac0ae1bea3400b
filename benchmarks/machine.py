"""What machine a figure was measured on."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import BaseModel

TELLING_FLAGS = ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_tile", "amx_bf16", "amx_int8")
"""Flags that decide how fast a network runs on a processor."""


class Machine(BaseModel):
    """Processor, its telling flags, and how many of it."""

    processor: str
    flags: tuple[str, ...]
    cores: int


def this_machine() -> Machine:
    """Read the machine off /proc/cpuinfo."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    named = {name.strip(): value.strip() for name, value in fields.items()}
    flags = set(named.get("flags", "").split())
    return Machine(
        processor=named.get("model name", "unknown"),
        flags=tuple(flag for flag in TELLING_FLAGS if flag in flags),
        cores=os.cpu_count() or 1,
    )
