"""`coilwatch segment`: saliency maps of single images."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from ingest.codecs import decode_image, encode
from ingest.errors import BadImageError, SourceError
from ingest.sources.layout import IMAGE_SUFFIXES, images_in
from orchestration.cli.console import activity, frames_progress, say
from orchestration.cli.folders import made_folder
from orchestration.cli.state import state
from orchestration.inspector import open_segmenter
from workers.report.numbers import counted


def segment(
    context: typer.Context,
    images: Annotated[Path, typer.Argument(help="Folder of images, or one image.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the saliency maps.")],
    model: Annotated[
        str | None,
        typer.Option("--model", help="Shipped weights or a file.", show_default="the setting model.name"),
    ] = None,
) -> None:
    """Write the saliency map of each image, an 8-bit PNG of the image's size.

    A map has the name of its image: a.jpg gives a.png; where a.bmp is there too, a.jpg.png and a.bmp.png.
    An image that cannot be read is named and costs no other one; the exit code is then 1.

    Example: coilwatch segment images/ --output maps/
    """
    settings = state(context).settings
    files = (images,) if images.is_file() else images_in(images)
    if not files:
        _refuse(images)
    maps = [output / name for name in map_names(files)]
    _spare_images(files, maps)
    with activity("Loading the network ..."):
        segmenter = open_segmenter(settings, model=model, threads=os.cpu_count() or 1)
    made_folder(output)
    unread = 0
    with frames_progress() as progress:
        task = progress.add_task("Segmenting", total=len(files), note="")
        for file, to in zip(files, maps, strict=True):
            try:
                pixels = decode_image(file.read_bytes())
            except (BadImageError, OSError) as error:
                unread += 1
                say(f"{file.name}: {error}")
            else:
                to.write_bytes(encode(segmenter.segment_image(pixels), "png"))
            progress.advance(task)
    say(f"{counted(len(files) - unread, 'saliency map')} in {output}, {counted(unread, 'image')} unreadable")
    if unread:
        raise typer.Exit(1)


def map_names(files: Sequence[Path]) -> list[str]:
    """A PNG file name for each image, all different: the stem, and the full name where stems are equal."""
    stems = Counter(file.stem for file in files)
    names = [f"{file.stem if stems[file.stem] == 1 else file.name}.png" for file in files]
    # a.jpg, a.bmp and a.jpg.png would still meet; full names never do.
    return names if len(set(names)) == len(names) else [f"{file.name}.png" for file in files]


def _refuse(folder: Path) -> NoReturn:
    """Say that a folder has no images, and which one below it has: the cameras' of a coil, say."""
    below = sorted({path.parent for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES})
    hint = f"; there are some in {below[0]}, name one such folder" if below else ""
    raise SourceError(f"no images in {folder}: expected {', '.join(IMAGE_SUFFIXES)}{hint}")


def _spare_images(files: Sequence[Path], maps: Sequence[Path]) -> None:
    # Unlike Path.resolve, realpath bears links in a circle.
    images = {os.path.realpath(file) for file in files}
    for path in maps:
        if os.path.realpath(path) in images:
            raise SourceError(f"output {path}: expected another folder than the images', got that image")
