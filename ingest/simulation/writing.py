"""Simulated coils and training tiles as files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ingest.codecs import encode
from ingest.errors import NotSimulatedError
from ingest.line import LINE_FILE
from ingest.simulation.cameras import BANDS, strip_columns
from ingest.simulation.coil import SimulatedCoil
from ingest.simulation.noise import generator
from ingest.simulation.planting import Planting
from ingest.simulation.texture import TRAINING_FAMILIES
from ingest.simulation.truth import Half
from ingest.sources.layout import images_in

FRAME_NAMES = "[0-9]" * 6 + ".png"
TRUTH_FILE = "truth.json"
"""Tells a folder that a simulation wrote from a line of the user's own."""

STREAM = 5
DEFECT_STREAM = 6
FIRST_TILE_SEED = 1_000
"""Training strip takes its seeds from here on; coils that judge have small ones, like the demo's 7."""

TILE_COIL_M = 4.8
TILE_DEFECTS_PER_M = 6.0
"""Denser than a coil that judges, because strip of which no tile is cut is wasted."""
TILES_PER_COIL = 8
DEFECT_PERCENT = 55
EDGE_PERCENT = 20
"""Share of tiles cut at the strip's edge, with the dark beside it; at random places few would have it."""
TRIES = 400


def write_coil(
    coil: SimulatedCoil,
    directory: Path,
    *,
    masks: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write a simulated coil: a folder of PNG frames per camera, `truth.json` and `line.toml`.

    Args:
        coil: what to write.
        directory: made when it is missing; frames of an earlier simulated coil in it are removed.
        masks: write the truth pixels too, as `masks/CAMERA/*.png`.
        progress: called after each pair of frames with how many frames are written and how many there are.

    Raises:
        NotSimulatedError: images, cameras or a line description lie in the folder that no simulation wrote.
    """
    frames = coil.frames_per_camera * len(coil.bands)
    folders = [directory / band.camera for band in coil.bands]
    mask_folders = [directory / "masks" / band.camera for band in coil.bands]
    _refuse_what_is_not_simulated(directory, folders + mask_folders)
    for folder in folders + mask_folders:
        for old in folder.glob(FRAME_NAMES):
            old.unlink()
    directory.mkdir(parents=True, exist_ok=True)
    # Written first, so that a simulation that is ended half-way can be written over.
    (directory / TRUTH_FILE).write_text(coil.truth().model_dump_json(indent=1) + "\n", "utf-8")
    for folder in folders + (mask_folders if masks else []):
        folder.mkdir(parents=True, exist_ok=True)
    (directory / LINE_FILE).write_text(line_toml(coil), "utf-8")
    for sequence in range(coil.frames_per_camera):
        for camera_index, folder in enumerate(folders):
            name = f"{sequence:06d}.png"
            _write_png(folder / name, coil.frame(camera_index, sequence))
            if masks:
                _write_png(mask_folders[camera_index] / name, coil.mask(camera_index, sequence))
        if progress is not None:
            progress((sequence + 1) * len(coil.bands), frames)


def _refuse_what_is_not_simulated(directory: Path, cameras: list[Path]) -> None:
    if (directory / TRUTH_FILE).exists():
        return
    subfolders = [path for path in directory.glob("*") if path.is_dir()]
    images = [image for folder in (directory, *subfolders) if folder.is_dir() for image in images_in(folder)]
    for path in [directory / LINE_FILE, *cameras, *images]:
        if path.exists():
            raise NotSimulatedError(
                f"{directory}: expected a folder without a line, or one with the {TRUTH_FILE} of a simulated "
                f"coil, got {path.relative_to(directory)} without it"
            )


def line_toml(coil: SimulatedCoil) -> str:
    """The line description of a simulated coil, as the text of a `line.toml`."""
    parts = [f'name = "{coil.line}"\n']
    parts += [
        "\n[[cameras]]\n"
        f'side = "{band.side}"\n'
        f'camera = "{band.camera}"\n'
        f"across_mm = {band.across_mm}\n"
        f"columns = {band.columns}\n"
        f"mm_per_row = {band.mm_per_row}\n"
        f"mm_per_column = {band.mm_per_column}\n"
        f'folder = "{band.camera}"\n'
        for band in coil.bands
    ]
    return "".join(parts)


def write_tiles(directory: Path, *, tiles: int, seed: int, half: Half = "train", size: int = 256) -> None:
    """Write training tiles cut from simulated strip: `images/` and `masks/` of equal names.

    Somewhat more than half of them show a defect, the rest is clean strip; a fifth shows the strip's edge.
    Families, brightness and light change from one handful of tiles to the next.

    Args:
        directory: made when it is missing.
        tiles: how many.
        seed: of this set of tiles.
        half: which half of the bundled crops the defects are made from.
        size: side of a tile in pixels, at most a frame's width.
    """
    (directory / "images").mkdir(parents=True, exist_ok=True)
    (directory / "masks").mkdir(parents=True, exist_ok=True)
    random = generator(seed, STREAM)
    coil = None
    for number in range(tiles):
        if coil is None or number % TILES_PER_COIL == 0:
            coil = SimulatedCoil(
                TILE_COIL_M,
                int(random.integers(FIRST_TILE_SEED, 2**31)),
                half,
                family=TRAINING_FAMILIES[number // TILES_PER_COIL % len(TRAINING_FAMILIES)],
                defects_per_m=TILE_DEFECTS_PER_M,
            )
        image, mask = _cut_tile(random, coil, size)
        _write_png(directory / "images" / f"{number:05d}.png", image)
        _write_png(directory / "masks" / f"{number:05d}.png", mask)


def write_defects(directory: Path, *, defects: int, seed: int, half: Half = "train", size: int = 256) -> None:
    """Write pictures of single planted defects by kind: `KIND/images/` and `KIND/masks/` of equal names.

    A picture may show other defects beside its own, but its mask marks its own alone.

    Args:
        directory: made when it is missing.
        defects: how many.
        seed: of this set.
        half: which half of the bundled crops the defects are made from.
        size: side of a picture in pixels, at most a frame's width.
    """
    random = generator(seed, DEFECT_STREAM)
    families = TRAINING_FAMILIES
    written, coils = 0, 0
    while written < defects:
        coil = SimulatedCoil(
            TILE_COIL_M,
            int(random.integers(FIRST_TILE_SEED, 2**31)),
            half,
            family=families[coils % len(families)],
            defects_per_m=TILE_DEFECTS_PER_M,
        )
        coils += 1
        for one in coil.plantings:
            image, mask = _cut_defect(random, coil, one, size)
            if written < defects and mask.any():
                for folder, picture in (("images", image), ("masks", mask)):
                    (directory / one.kind / folder).mkdir(parents=True, exist_ok=True)
                    _write_png(directory / one.kind / folder / f"{written:05d}.png", picture)
                written += 1


def _cut_defect(
    random: np.random.Generator, coil: SimulatedCoil, one: Planting, size: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    camera_index = int(random.integers(0, len(BANDS)))
    first_column = strip_columns(camera_index).start
    row = one.row + int(random.integers(0, one.rows)) - int(random.integers(size // 4, 3 * size // 4))
    column = one.column - first_column + one.columns // 2 - int(random.integers(size // 4, 3 * size // 4))
    row = min(max(row, 0), coil.frames_per_camera * coil.rows_per_frame - size)
    column = min(max(column, 0), BANDS[camera_index].columns - size)
    columns = slice(column, column + size)
    own = np.zeros((size, size), np.uint8)
    box = np.s_[
        max(0, one.row - row) : max(0, one.end_row - row),
        max(0, one.column - first_column - column) : max(0, one.end_column - first_column - column),
    ]
    own[box] = coil.truth_picture(camera_index, row, size)[:, columns][box]
    return coil.picture(camera_index, row, size)[:, columns], own


def _cut_tile(
    random: np.random.Generator, coil: SimulatedCoil, size: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    wants_defect = int(random.integers(0, 100)) < DEFECT_PERCENT
    at_edge = int(random.integers(0, 100)) < EDGE_PERCENT
    for _ in range(TRIES):
        camera_index, row, column = (
            _place_on_defect(random, coil, size) if wants_defect else _place(random, coil, size)
        )
        if at_edge:
            column = (0, BANDS[camera_index].columns - size)[camera_index]
        mask = coil.truth_picture(camera_index, row, size)[:, column : column + size]
        if bool(mask.any()) == wants_defect:
            break
    image = coil.picture(camera_index, row, size)[:, column : column + size]
    return image, mask


def _place(random: np.random.Generator, coil: SimulatedCoil, size: int) -> tuple[int, int, int]:
    """Camera, row and column of a tile anywhere."""
    camera_index = int(random.integers(0, len(BANDS)))
    last_row = coil.frames_per_camera * coil.rows_per_frame - size
    last_column = BANDS[camera_index].columns - size
    return camera_index, int(random.integers(0, last_row + 1)), int(random.integers(0, last_column + 1))


def _place_on_defect(random: np.random.Generator, coil: SimulatedCoil, size: int) -> tuple[int, int, int]:
    """Camera, row and column of a tile that holds some row and column of a random defect."""
    one = coil.plantings[int(random.integers(0, len(coil.plantings)))]
    camera_index = int(random.integers(0, len(BANDS)))
    first_column = strip_columns(camera_index).start
    row = one.row + int(random.integers(0, one.rows)) - int(random.integers(0, size))
    column = one.column + int(random.integers(0, one.columns)) - first_column - int(random.integers(0, size))
    last_row = coil.frames_per_camera * coil.rows_per_frame - size
    last_column = BANDS[camera_index].columns - size
    return camera_index, min(max(row, 0), last_row), min(max(column, 0), last_column)


def _write_png(path: Path, image: NDArray[np.uint8]) -> None:
    path.write_bytes(encode(image, "png"))
