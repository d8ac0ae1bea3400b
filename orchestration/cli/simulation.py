"""`coilwatch simulate` and `coilwatch score`: strip whose truth is known, and how well it was inspected."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.markup import escape
from rich.table import Table

from ingest.errors import BadRecordError
from ingest.records import check_identifier
from ingest.simulation import SimulatedCoil, SimulatedTruth, write_coil
from ingest.simulation.truth import Family, Half
from orchestration.cli.console import frames_progress, out, say
from orchestration.cli.folders import made_folder
from workers.report.json_report import read_report
from workers.report.score_tables import ScoreTable, score_tables
from workers.report.scoring import SMALLEST_MM, TOLERANCE_MM, score


def simulate(
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="Folder of frames, truth.json and line.toml. Those of an earlier simulation are replaced.",
        ),
    ],
    length_m: Annotated[
        float, typer.Option("--length-m", min=0.5, max=10_000, help="Length of strip.")
    ] = 24.0,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Another seed is another coil.")] = 7,
    coil: Annotated[str, typer.Option("--coil", help="Id of the coil.")] = "demo-coil",
    family: Annotated[
        Family, typer.Option("--family", help="Texture of the strip; no network has been trained on pickled.")
    ] = "scaled",
    half: Annotated[
        Half, typer.Option("--half", help="Which half of the defects: the one that trains, or that judges.")
    ] = "judge",
    masks: Annotated[
        bool, typer.Option("--masks", help="Write the pixel mask of every frame as well.")
    ] = False,
) -> None:
    """Write a simulated coil: frames of two cameras with planted defects of real steel, and its truth.

    A folder with images, line.toml or camera folders and no truth.json is a line of your own, and left as it
    is.

    Example: coilwatch simulate -o strip/ && coilwatch inspect strip/ --coil demo-coil -o reports/
    """
    check_identifier("coil", coil)
    made_folder(output)
    simulated = SimulatedCoil(length_m, seed, half, family=family, coil=coil)
    with frames_progress() as progress:
        task = progress.add_task("Simulating", total=None, note="")
        write_coil(
            simulated,
            output,
            masks=masks,
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    say(f"Wrote {output}: frames, truth.json, line.toml")


def score_command(
    report: Annotated[Path, typer.Argument(help="report.json of the coil.")],
    truth: Annotated[Path, typer.Argument(help="truth.json of the simulated coil.")],
    tolerance_mm: Annotated[
        float,
        typer.Option(
            "--tolerance-mm",
            min=0,
            max=1000,
            help="How far an event may lie from a defect's box and still touch it.",
        ),
    ] = TOLERANCE_MM,
    smallest_mm: Annotated[
        float,
        typer.Option(
            "--smallest-mm",
            min=0,
            max=1000,
            help="Longer extent from which a defect counts for the first figure.",
        ),
    ] = SMALLEST_MM,
    output_format: Annotated[
        Literal["table", "json"], typer.Option("--format", help="For people or for programs.")
    ] = "table",
) -> None:
    """Compare a report with the truth: recall by size and kind, position error, false events.

    Example: coilwatch score reports/demo-line/demo-coil/run-1/report.json strip/truth.json
    """
    inspected, planted = read_report(report), _read_truth(truth)
    if (inspected.line, inspected.coil) != (planted.line, planted.coil):
        say(
            f"Note: the report is of coil {inspected.coil} on {inspected.line}, "
            f"the truth of coil {planted.coil} on {planted.line}."
        )
    result = score(inspected, planted, tolerance_mm=tolerance_mm, smallest_mm=smallest_mm)
    if output_format == "json":
        typer.echo(result.model_dump_json(indent=2).encode())
    else:
        for table in score_tables(result, inspected):
            out.print(_table(table))


def _read_truth(path: Path) -> SimulatedTruth:
    try:
        return SimulatedTruth.from_json(path.read_bytes())
    except (BadRecordError, OSError) as error:
        problem = error.strerror if isinstance(error, OSError) else error
        raise BadRecordError(f"{path}: expected the truth.json of a simulated coil, {problem}") from None


def _table(score_table: ScoreTable) -> Table:
    table = Table(*score_table.columns, title=score_table.title)
    for row in score_table.rows:
        table.add_row(*map(escape, row))
    return table
