"""docs/results.md: a table for each protocol, ours and published ones, and accuracy against speed."""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import mean

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pydantic import BaseModel, ConfigDict

from benchmarks.ablation import FILE as ABLATIONS
from benchmarks.ablation import VARIANTS, Run
from benchmarks.accuracy.evaluations import FOLDER, Evaluation, load
from benchmarks.accuracy.gallery import BEST, ROWS, TILES
from benchmarks.accuracy.protocols import PROTOCOLS, Protocol
from benchmarks.cross_validation import FILE as CROSS_VALIDATIONS
from benchmarks.cross_validation import FINALISTS, STEPS, UPRIGHT_STEPS, FoldRun
from benchmarks.pruning import Curve, curves
from benchmarks.trials import trials_in
from models.evaluation.plots import CURVE, INK, SOFT, svg, tidy

PUBLISHED = Path(__file__).with_name("published.toml")
COLUMNS = {
    "s_measure": "SM",
    "weighted_f": "WF",
    "mae": "MAE",
    "e_mean": "mean E",
    "dice_mean": "Dice",
    "iou_mean": "IoU",
}
HEAD = """# Results

Made by `python -m benchmarks.accuracy page` from the files in `benchmarks/accuracy/evaluations`. Those are
made by `python -m benchmarks.accuracy measure --data DIR`, from the maps that `coilwatch segment` writes.
Figures are in percent, of stretched maps as PySODMetrics has them, Dice and IoU as means over 256 thresholds.
`coilwatch evaluate --plots` shows the worst images of a network: these data sets may not be shown here.
What coilnet-m gets most wrong on simulated strip is at the end.
A set of images and a way of training make a protocol, and figures of two protocols do not compare.
Milliseconds are the best of 40 tiles of 256 px, one thread, on the machine named below the table.
"""
NARROW = """\
Networks that stand side by side below were trained by the `-narrow` recipes: 432 images, 300 steps of 8
crops of 128 px by one optimiser, each network with its own losses, and at a quarter of its width where
its whole would take days on two processor cores. `scfnet-distilled-narrow` spends half of those steps
on maps that coilnet-m (unsharpened) made of 900 images of NEU-DET (crazing, pitted surface, rolled-in scale),
zoomed by 0.8 to 1.6 where the others zoom by 0.64 to 1.4, in a cycle of the learning rate of its own,
`scfnet-distilled-strip-narrow` on those of 1,600 tiles of simulated strip. The `-noise` ones have seen
noisy copies, `cat-ednet-rrs-noise-narrow` with EDRNet's refinement in the place of CAT-EDNet's CARM.
That tells what sets networks apart when little time is given, and nothing of what they reach when
trained as published; each was trained once.
"""
PRUNING = """\
## Pruning

CSNets of a narrow recipe lose the channels of the smallest scales, more and more of them; statistics are made
anew, nothing is fine-tuned (`python -m benchmarks.pruning`). IoU is at half saliency, of {images} held-out
training images.

{rows}

![IoU against parameters](figures/pruning.svg)
"""
NOISE = """\
## Noise from none to 20 %

Mean IoU of the same 180 images under more and more noise: `g` is Gaussian, its standard deviation in percent
of full scale, `s` salt and pepper, its share of all pixels in percent.

{rows}
"""
ABLATION = """\
## Parts of CoilNet

One part of `coilnet-narrow` changed at a time (`python -m benchmarks.ablation`): {runs} trainings of
300 steps, {seeds} seeds of each variant, {images} held-out training images. IoU is at half saliency, MAE of
maps as they are: means over the seeds, and the lowest and highest IoU. Differences within that range say
nothing, and 300 steps are few: what a part is worth at the end of a long training may differ.

{rows}
"""
CROSS_VALIDATION = """\
## Cross-validation of CoilNet's loss and of the lay of its images

`coilnet-narrow` with {steps} steps and maps sharpened as those of the weights that ship, each of {images}
training images judged by the one training of {folds} that held it out, in blocks of numbers
(`python -m benchmarks.cross_validation`): means over the folds, the lowest and highest IoU of them, and in
how many folds each was ahead of the other of its pair by IoU. The first pair differs in its loss, the second
in the lay of images: turned by quarters and mirrored to the end, or upright in a second phase of {upright}
steps, in which the rate rises and falls once more.

{rows}
"""
FAILURES = """\
## What {model} gets most wrong

Of {tiles} tiles of simulated strip whose defects it never saw (`python -m benchmarks.accuracy gallery`): the
{rows} with most pixels missed, then the {rows} with most found that is none. Tile, mask, map, errors:
white is right, blue missed, orange found where nothing is marked.

![tiles, masks, maps and errors](figures/failures.jpg)
"""
SIZE_INCHES = (6.0, 3.8)
LINES = (CURVE, "#c2571a", "#2b8a3e", "#7048a8")


class Published(BaseModel):
    """Figures of somebody else's network, in percent."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    protocol: str
    network: str
    source: str
    s_measure: float
    weighted_f: float
    mae: float
    e_mean: float
    dice_mean: float
    iou_mean: float


def results_page(folder: Path = FOLDER) -> str:
    """The page as Markdown."""
    others = published()
    measured = {protocol: ours for protocol in PROTOCOLS if (ours := load(protocol, folder))}
    sections = {
        protocol: _section(protocol, ours, [one for one in others if one.protocol == protocol.key])
        for protocol, ours in measured.items()
        if protocol.title
    }
    levels = _noise_section({protocol.level: ours for protocol, ours in measured.items() if protocol.level})
    shipped = [section for protocol, section in sections.items() if not protocol.narrow]
    narrow = [section for protocol, section in sections.items() if protocol.narrow]
    plot = "![IoU against milliseconds of a tile](figures/accuracy-speed.svg)\n"
    pruned, ablation = curves(), trials_in(ABLATIONS, Run)
    validation = trials_in(CROSS_VALIDATIONS, FoldRun)
    return "\n".join(
        [
            *(HEAD, *shipped, levels, plot),
            *([NARROW, *narrow] if narrow else []),
            *([_ablation_section(ablation)] if ablation else []),
            *([_validation_section(validation)] if validation else []),
            *([_pruning_section(pruned)] if pruned else []),
            FAILURES.format(model=BEST, tiles=TILES, rows=ROWS),
        ]
    )


def published() -> list[Published]:
    """What others reach, with sources."""
    return [Published.model_validate(one) for one in tomllib.loads(PUBLISHED.read_text("utf-8"))["figures"]]


def accuracy_speed_svg(folder: Path = FOLDER) -> str:
    """IoU of our networks over their time of a tile; lines for published ones, whose time is not known."""
    protocol = PROTOCOLS[0]
    with _drawing("ms a 256 tile, one thread", protocol.title) as (figure, axes):
        for other in (one for one in published() if one.protocol == protocol.key):
            axes.axhline(other.iou_mean, color=SOFT, linestyle="--", linewidth=1)
            axes.annotate(
                other.network, (0.01, other.iou_mean), xycoords=("axes fraction", "data"), va="bottom"
            )
        for ours in load(protocol, folder):
            at = (ours.tile_ms, 100 * ours.figures["iou_mean"])
            axes.plot(*at, "o", color=CURVE)
            axes.annotate(ours.model, at, xytext=(5, 5), textcoords="offset points")
        axes.set_xlim(left=0)
        return svg(figure)


def pruning_svg() -> str:
    """IoU of pruned networks over the parameters that they have left."""
    with _drawing("parameters left", "Pruned without fine-tuning") as (figure, axes):
        for curve, colour in zip(curves(), itertools.cycle(LINES), strict=False):
            left = [point.parameters for point in curve.points]
            axes.plot(
                left, [100 * point.iou for point in curve.points], "o-", color=colour, label=curve.recipe
            )
        axes.legend(frameon=False)
        return svg(figure)


@contextmanager
def _drawing(below: str, title: str) -> Iterator[tuple[Figure, Axes]]:
    """A figure with axes for IoU over something."""
    with mpl.rc_context({"svg.hashsalt": "coilwatch", "font.size": 9, "axes.edgecolor": INK}):
        figure = Figure(figsize=SIZE_INCHES, layout="constrained")
        axes = figure.add_subplot(xlabel=below, ylabel="IoU, %", title=title)
        tidy(axes)
        yield figure, axes


def _noise_section(measured: dict[str, list[Evaluation]]) -> str:
    found = [{one.model: one.figures["iou_mean"] for one in ours} for ours in measured.values()]
    rows = [f"| network | {' | '.join(measured)} |", f"|---|{'---|' * len(measured)}"]
    for model in found[0]:
        ious = [f"{100 * of_level[model]:.1f}" if model in of_level else "" for of_level in found]
        rows.append(f"| {model} | {' | '.join(ious)} |")
    return NOISE.format(rows="\n".join(rows))


def _pruning_section(pruned: list[Curve]) -> str:
    rows = [f"| parameters left | {' | '.join(curve.recipe for curve in pruned)} |"]
    rows.append(f"|---|{'---|' * len(pruned)}")
    for points in zip(*(curve.points for curve in pruned), strict=True):
        left = ", ".join(f"{count:,}" for count in dict.fromkeys(point.parameters for point in points))
        rows.append(f"| {left} | {' | '.join(f'{100 * point.iou:.1f}' for point in points)} |")
    return PRUNING.format(images=pruned[0].images, rows="\n".join(rows))


def _ablation_section(ablation: Sequence[Run]) -> str:
    rows = ["| CoilNet | parameters | multiply-accumulates | IoU | lowest, highest | MAE |", f"|{'---|' * 6}"]
    for variant in VARIANTS:
        runs = [run for run in ablation if run.variant == variant]
        if runs:
            rows.append(_ablation_row(variant, runs))
    return ABLATION.format(
        runs=len(ablation),
        seeds=len({run.seed for run in ablation}),
        images=ablation[0].images,
        rows="\n".join(rows),
    )


def _ablation_row(variant: str, runs: Sequence[Run]) -> str:
    ious = [100 * run.iou for run in runs]
    mae = 100 * mean(run.mae for run in runs)
    costs = f"{runs[0].parameters:,} | {runs[0].macs / 1e9:.2f} G"
    return f"| {variant} | {costs} | {mean(ious):.1f} | {min(ious):.1f}, {max(ious):.1f} | {mae:.2f} |"


def _validation_section(validation: Sequence[FoldRun]) -> str:
    names, folds = list(FINALISTS), _by_fold(validation)
    best = [
        max(own, key=lambda run: run.iou).finalist
        for pair in zip(names[::2], names[1::2], strict=True)
        for runs in folds.values()
        if (own := [run for run in runs if run.finalist in pair])
    ]
    rows = ["| loss and lay | SM | WF | MAE | IoU | lowest, highest | ahead in |", f"|{'---|' * 7}"]
    for finalist in FINALISTS:
        runs = [run for run in validation if run.finalist == finalist]
        if runs:
            rows.append(_validation_row(finalist, runs, best.count(finalist)))
    images = sum(runs[0].images for runs in folds.values())
    return CROSS_VALIDATION.format(
        steps=STEPS, upright=UPRIGHT_STEPS, images=images, folds=len(folds), rows="\n".join(rows)
    )


def _by_fold(validation: Sequence[FoldRun]) -> dict[int, list[FoldRun]]:
    folds: dict[int, list[FoldRun]] = {}
    for run in validation:
        folds.setdefault(run.fold, []).append(run)
    return folds


def _validation_row(finalist: str, runs: Sequence[FoldRun], ahead: int) -> str:
    s_measure, weighted_f, mae, iou = (
        100 * mean(getattr(run, key) for run in runs) for key in ("s_measure", "weighted_f", "mae", "iou")
    )
    ious = [100 * run.iou for run in runs]
    cells = [f"{s_measure:.1f}", f"{weighted_f:.1f}", f"{mae:.2f}", f"{iou:.1f}"]
    return f"| {finalist} | {' | '.join(cells)} | {min(ious):.1f}, {max(ious):.1f} | {ahead} of {len(runs)} |"


def _section(protocol: Protocol, ours: list[Evaluation], others: list[Published]) -> str:
    heads = ["network", *COLUMNS.values(), "parameters", "multiply-accumulates", "ms", "source"]
    rows = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for one in ours:
        figures = [f"{100 * one.figures[key]:.2f}" for key in COLUMNS]
        costs = [f"{one.parameters:,}", f"{one.macs / 1e9:.2f} G", f"{one.tile_ms:.1f}"]
        rows.append(f"| {' | '.join([one.model, *figures, *costs, f'weights {one.version}'])} |")
    for other in others:
        figures = [f"{getattr(other, key):.2f}" for key in COLUMNS]
        rows.append(f"| {' | '.join([other.network, *figures, '', '', '', other.source])} |")
    machines = sorted({f"{one.machine.processor} ({', '.join(one.machine.flags)})" for one in ours})
    images = int(ours[0].figures["images"])
    return "\n".join(
        [f"## {protocol.title}\n", *rows, f"\n{images} images. Timed on: {'; '.join(machines)}.\n"]
    )
