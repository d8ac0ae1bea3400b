"""Draws every figure anew: python -m scripts.network_figures [FOLDER]."""

from __future__ import annotations

import sys
from pathlib import Path

from scripts.network_figures.drawing import draw
from scripts.network_figures.families import FIGURES
from scripts.network_figures.picture import picture
from scripts.network_figures.record import block_graph

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "figures" / "networks"


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for figure in FIGURES:
        file = folder / f"{figure.network}.svg"
        draw(picture(figure, block_graph(figure)), file)
        print(f"wrote {file} ({file.stat().st_size:,} bytes)")


if __name__ == "__main__":
    main()
