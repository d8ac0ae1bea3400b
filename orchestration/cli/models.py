"""`coilwatch models`: every network, what it costs, and the weights that ship."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import track
from rich.table import Column, Table
from rich.text import Text

from orchestration.cli.console import err, out

if TYPE_CHECKING:
    from models.catalogue import CatalogueEntry

COUNTS = ("parameters", "MACs", "at px")


def models(
    as_json: Annotated[bool, typer.Option("--json", help="A JSON list of objects, for programs.")] = False,
) -> None:
    """List every network: parameters, multiply-accumulates at its native size, shipped weights, paper.

    Parameters are those at width 1, without running statistics; multiply-accumulates those of convolutions,
    linear layers and matrix products for one image.

    Example: coilwatch models --json
    """
    entries = _entries()
    if as_json:
        typer.echo(json.dumps([asdict(entry) for entry in entries], indent=2, ensure_ascii=False))
    else:
        out.print(_table(entries))


def _entries() -> list[CatalogueEntry]:
    # torch takes seconds to import, and every command imports this module.
    with err.status("Loading the networks ..."):
        from models.catalogue import catalogue_entry  # noqa: PLC0415
        from models.networks.build import NETWORKS  # noqa: PLC0415
    names = track(NETWORKS, "Counting", console=err, transient=True, disable=not err.is_terminal)
    return [catalogue_entry(name) for name in names]


def _table(entries: Sequence[CatalogueEntry]) -> Table:
    table = Table(Column("network", no_wrap=True), *(Column(name, justify="right") for name in COUNTS))
    table.add_column("weights")
    table.add_column("paper")
    for entry in entries:
        table.add_row(
            entry.name,
            f"{entry.parameters:,}",
            _macs(entry.macs),
            str(entry.native_size),
            Text("\n".join(_weights(entry))),
            Text(entry.source),
        )
    return table


def _macs(count: int) -> str:
    return f"{count / 1e9:.2f} G"


def _weights(entry: CatalogueEntry) -> list[str]:
    lines = []
    for weights in entry.weights:
        lines.append(f"{weights.name} {weights.version}")
        lines += [f"  {name} {value:g}" for name, value in weights.metrics.items()]
    return lines
