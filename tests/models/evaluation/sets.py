"""Small folders of maps and masks."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray


def mask_and_map(seed: int, size: tuple[int, int] = (40, 48)) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A mask of two rectangles, and a map that sees them blurred, shifted and through noise."""
    generator = np.random.default_rng(seed)
    mask = np.zeros(size, np.uint8)
    for _ in range(2):
        row, column = generator.integers(2, size[0] // 2), generator.integers(2, size[1] // 2)
        mask[row : row + generator.integers(5, 16), column : column + generator.integers(5, 16)] = 255
    seen = cv2.GaussianBlur(np.roll(mask, (1, 2), (0, 1)).astype(np.float64), (0, 0), 2.0)
    noise = np.abs(generator.normal(0, 12, size)) + 4
    return mask, np.clip(0.9 * seen + noise, 0, 245).astype(np.uint8)


def write_set(folder: Path, count: int = 4, names: tuple[str, ...] = ()) -> tuple[Path, Path]:
    """Write maps and masks of one set; returns the two folders."""
    maps, masks = folder / "maps", folder / "masks"
    for seed, name in enumerate(names or [f"strip-{at}" for at in range(count)]):
        mask, prediction = mask_and_map(seed)
        write(maps / f"{name}.png", prediction)
        write(masks / f"{name}.png", mask)
    return maps, masks


def write(path: Path, pixels: NDArray[np.generic]) -> None:
    """Write an image, whatever characters its name has."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, pixels)[1].tobytes())


def png(width: int, height: int, bits: int, colour: int, rows: bytes, *extra: tuple[bytes, bytes]) -> bytes:
    """A PNG made by hand: header, extra chunks, packed rows with their filter bytes."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    chunks = ((b"IHDR", header), *extra, (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )


def bomb() -> bytes:
    """A PNG of a few hundred bytes that claims 9,216 megapixels of rows and has none."""
    return png(96_000, 96_000, 8, 0, bytes(1000))
