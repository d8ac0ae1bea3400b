"""`coilwatch dead-letters`: what could not be inspected; look at it, take it out, try it again."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from ingest.kafka import KafkaConnection
from orchestration.cli.console import frames_progress, out, say
from orchestration.cli.folders import made_folder
from orchestration.cli.state import state
from orchestration.stack import Stack
from workers.report.atomic_file import write_atomically
from workers.streams.dead_letters import DeadLetter, DeadLetters, LetterBox
from workers.streams.replaying import replay as replay_letters

SUFFIXES = {"png": ".png", "jpeg": ".jpg"}
"""Of exported bytes that other programs open; anything else is `.bin`, its headers say what it is."""
COLUMNS = ("id", "line", "coil", "run", "side", "camera", "sequence", "error", "attempts", "time", "state")

Ids = Annotated[list[str] | None, typer.Argument(help="Ids of letters, as 'list' shows them.")]
CoilOption = Annotated[str | None, typer.Option("--coil", help="Those of this coil.")]
AllOption = Annotated[bool, typer.Option("--all", help="All of them.")]

app = typer.Typer(
    help="""Frames that could not be inspected: list them, look at one, export or replay them.

    Example: coilwatch dead-letters list --coil C1234
    """,
    no_args_is_help=True,
)


@app.command("list")
def list_letters(
    context: typer.Context,
    coil: CoilOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON, one object in an array for each.")] = False,
) -> None:
    """List dead letters, oldest first.

    Example: coilwatch dead-letters list --json
    """
    with _topic(context) as topic:
        box = topic.box()
    letters = [letter for letter in box.letters.values() if coil is None or _is_of(letter, coil)]
    if as_json:
        typer.echo(json.dumps([_row(box, letter) for letter in letters], indent=2))
        return
    if not letters:
        say("No dead letters.")
        return
    table = Table(*COLUMNS)
    for letter in letters:
        row = _row(box, letter)
        table.add_row(*("-" if row[name] is None else escape(str(row[name])) for name in COLUMNS))
    out.print(table)


@app.command()
def show(
    context: typer.Context, letter: Annotated[str, typer.Argument(metavar="ID", help="Id of the letter.")]
) -> None:
    """Show one dead letter: why it is one, where it came from, its headers, the size of its picture.

    Example: coilwatch dead-letters show 0-17
    """
    with _topic(context) as topic:
        box = topic.box()
    typer.echo(json.dumps(_details(box, box.letter(letter)), indent=2))


@app.command()
def export(
    context: typer.Context,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the files.")],
    ids: Ids = None,
    coil: CoilOption = None,
    everything: AllOption = False,
) -> None:
    """Write the bytes of dead letters into a folder, each with a JSON file of all that is known of it.

    Example: coilwatch dead-letters export --coil C1234 -o letters/
    """
    _check_selection(ids, coil, everything=everything)
    opened = _topic(context)
    made_folder(output)
    with opened as topic:
        box = topic.box()
        chosen = _selected(box, ids, coil)
        with frames_progress() as progress:
            task = progress.add_task("Exporting", total=len(chosen), note="")
            for letter in chosen:
                suffix = SUFFIXES.get(letter.frame.encoding, ".bin") if letter.frame else ".bin"
                write_atomically(output / f"{letter.id}{suffix}", topic.payload(letter))
                details = json.dumps(_details(box, letter), indent=2).encode() + b"\n"
                write_atomically(output / f"{letter.id}.json", details)
                progress.advance(task)
    say(f"Exported {_count(chosen)} to {output}.")


@app.command()
def replay(
    context: typer.Context,
    ids: Ids = None,
    coil: CoilOption = None,
    everything: AllOption = False,
    again: Annotated[
        bool, typer.Option("--again", help="Those that have been replayed before, too.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Send dead letters to the inspectors again; reports of their coils are revised.

    A letter is replayed once, unless --again says otherwise. What fails again becomes a new letter.

    Example: coilwatch dead-letters replay --coil C1234
    """
    _check_selection(ids, coil, everything=everything)
    connection = _connection(context)
    with DeadLetters(connection) as topic:
        box = topic.box()
    chosen = _selected(box, ids, coil, waiting=not again)
    if not chosen:
        say("Nothing to replay: no letter is selected that has not been replayed.")
        return
    for line in _by_coil(chosen):
        say(line)
    if not yes and not typer.confirm(f"Replay {_count(chosen)}?", err=True):
        raise typer.Exit(1)
    names = {letter.id for letter in chosen}

    def still(box: LetterBox) -> list[DeadLetter]:
        """Whoever replayed some of them while we asked, has."""
        left = box.letters.values() if again else box.waiting
        return [letter for letter in left if letter.id in names]

    say(f"Replayed {_count(replay_letters(connection, still))}.")


def _topic(context: typer.Context) -> DeadLetters:
    return DeadLetters(_connection(context))


def _connection(context: typer.Context) -> KafkaConnection:
    """How to reach Kafka, asked first: it says why it refuses, a consumer only that nothing came."""
    stack = Stack(state(context).settings)
    stack.check("kafka")
    return stack.kafka_connection()


def _check_selection(ids: list[str] | None, coil: str | None, *, everything: bool) -> None:
    if [bool(ids), coil is not None, everything].count(True) != 1:
        raise typer.BadParameter("select by ids, by --coil or by --all: exactly one of them")


def _selected(
    box: LetterBox, ids: list[str] | None, coil: str | None, *, waiting: bool = False
) -> list[DeadLetter]:
    letters = [box.letter(name) for name in dict.fromkeys(ids)] if ids else list(box.letters.values())
    return [
        letter
        for letter in letters
        if (coil is None or _is_of(letter, coil)) and not (waiting and letter.id in box.replayed)
    ]


def _is_of(letter: DeadLetter, coil: str) -> bool:
    return letter.frame is not None and letter.frame.coil == coil


def _row(box: LetterBox, letter: DeadLetter) -> dict[str, Any]:
    frame = letter.frame
    failed_at = datetime.fromtimestamp(letter.origin.first_failure_ms / 1000, UTC)
    return {
        "id": letter.id,
        **{
            name: getattr(frame, name) if frame else None
            for name in ("line", "coil", "run", "side", "camera", "sequence")
        },
        "error": letter.origin.error,
        "attempts": letter.origin.attempts,
        "time": failed_at.isoformat(timespec="seconds"),
        "state": "replayed" if letter.id in box.replayed else "waiting",
    }


def _details(box: LetterBox, letter: DeadLetter) -> dict[str, Any]:
    origin, frame = letter.origin, letter.frame
    picture = None
    if frame:
        picture = {"encoding": frame.encoding, "height_px": frame.height, "width_px": frame.width}
    return {
        **_row(box, letter),
        "bytes": letter.size,
        "picture": picture,
        "source": {
            "topic": origin.source_topic,
            "partition": origin.source_partition,
            "offset": origin.source_offset,
        },
        "key": letter.key.decode("utf-8", "backslashreplace") if letter.key is not None else None,
        "headers": [[name, value.decode("utf-8", "backslashreplace")] for name, value in letter.headers],
    }


def _by_coil(letters: list[DeadLetter]) -> list[str]:
    """One line for each coil, for the question whether that is meant."""
    counts = Counter(letter.coil for letter in letters)
    return [
        f"{coil[0]} coil {coil[1]} run {coil[2]}: {count}" if coil else f"of no coil that we know: {count}"
        for coil, count in counts.items()
    ]


def _count(letters: list[DeadLetter]) -> str:
    return "1 dead letter" if len(letters) == 1 else f"{len(letters)} dead letters"
