"""`coilwatch evaluate`: saliency maps against masks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.table import Table

from models.evaluation import FolderEvaluation, check_pairs, evaluate_pairs, find_pairs
from models.evaluation.tables import FIGURES, images_csv, images_json, set_csv, set_json, set_latex
from models.evaluation.worst_page import worst_page
from models.image_files import images_by_stem
from models.metrics import SetScores
from orchestration.cli.console import activity, frames_progress, out, say
from orchestration.cli.folders import OutputError, made_folder

Format = Literal["table", "json", "csv", "latex"]
PER_IMAGE_WRITERS = {".csv": images_csv, ".json": images_json}


def evaluate(
    predictions: Annotated[Path, typer.Argument(help="Folder of saliency maps, 8-bit grey.")],
    masks: Annotated[Path, typer.Argument(help="Folder of masks of the same names, 8-bit grey.")],
    output_format: Annotated[Format, typer.Option("--format", help="Form of the figures.")] = "table",
    per_image: Annotated[
        Path | None,
        typer.Option("--per-image", help="File for the figures of each image, CSV or JSON by its suffix."),
    ] = None,
    plots: Annotated[
        Path | None,
        typer.Option(
            "--plots", help="Folder for pr-curve.svg, f-curve.svg, and worst.html with the ten worst images."
        ),
    ] = None,
    images: Annotated[
        Path | None, typer.Option("--images", help="Folder of the images themselves, for worst.html.")
    ] = None,
) -> None:
    """Score saliency maps against masks: means over all images.

    Maps and masks pair by name without suffix. A mask is foreground above 128. What does not fit is named,
    and then nothing is scored: names that do not pair, sizes that differ, files that are not 8-bit grey,
    masks that mark with 1 or with the number of a class instead of 255.

    As PySODMetrics computes them, which stretches each map to its own minimum and maximum: s_measure,
    weighted_f, mae, e_mean, e_max, e_adaptive, f_mean, f_max, f_adaptive; over all 256 thresholds, dice_mean
    and iou_mean. Means and maxima of E and F are those of the curve that is the mean over the images. The
    E-measure may exceed 1, by the factor N/(N-1) for N pixels.

    Of the map as it is: mae_raw; and over 127, dice, iou, boundary_f and boundary_iou, the last two as means
    of boundaries of 1 to 5 px (JSON also lists each width, in ..._by_px).

    An image whose mask is empty scores 0 in weighted F, F, dice_mean and iou_mean; in dice, iou and the
    boundary figures 1 where its map finds nothing and 0 elsewhere. Maps of one pixel make the E-measure
    meaningless.

    Example: coilwatch evaluate maps/ masks/ --format json --per-image images.csv --plots plots/
    """
    if images is not None and plots is None:
        raise typer.BadParameter("--images is for worst.html: expected --plots as well")
    _check_per_image(per_image)
    pictures = images_by_stem(images) if images else {}
    folders = [folder for folder in (per_image and per_image.parent, plots) if folder is not None]
    evaluation = _evaluate(predictions, masks, folders)
    if per_image is not None:
        text = PER_IMAGE_WRITERS[per_image.suffix.lower()](evaluation.images)
        per_image.write_text(text, encoding="utf-8", newline="")
    if plots is not None:
        page = worst_page(evaluation.worst, evaluation.scores, predictions, masks, pictures)
        _write_plots(plots, evaluation, page)
    _print(evaluation.scores, output_format, predictions)


def _evaluate(predictions: Path, masks: Path, outputs: Sequence[Path]) -> FolderEvaluation:
    pairs = find_pairs(predictions, masks)
    with frames_progress() as progress:
        checking = progress.add_task("Checking", total=len(pairs), note="")
        check_pairs(pairs, lambda: progress.advance(checking))
        progress.remove_task(checking)
        for folder in outputs:
            made_folder(folder)
        scoring = progress.add_task("Scoring", total=len(pairs), note="")
        return evaluate_pairs(pairs, lambda: progress.advance(scoring))


def _check_per_image(file: Path | None) -> None:
    if file is None:
        return
    if file.suffix.lower() not in PER_IMAGE_WRITERS:
        raise typer.BadParameter(f"--per-image: expected a file ending in .csv or .json, got {file.name}")
    if file.is_dir():
        raise OutputError(f"output {file}: expected a file, got a folder")


def _write_plots(folder: Path, evaluation: FolderEvaluation, page: str) -> None:
    with activity("Drawing ..."):
        # matplotlib takes long to import, and most runs draw nothing.
        from models.evaluation.plots import f_measure_svg, precision_recall_svg  # noqa: PLC0415

        files = {
            "pr-curve.svg": precision_recall_svg(evaluation.curves),
            "f-curve.svg": f_measure_svg(evaluation.curves, evaluation.scores),
            "worst.html": page,
        }
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
    say(f"Wrote {folder}: {', '.join(files)}")


def _print(scores: SetScores, output_format: Format, predictions: Path) -> None:
    if output_format == "table":
        out.print(_table(scores))
    elif output_format == "json":
        typer.echo(set_json(scores).encode(), nl=False)
    elif output_format == "csv":
        typer.echo(set_csv(scores).encode(), nl=False)
    else:
        typer.echo(set_latex(scores, predictions.resolve().name).encode(), nl=False)


def _table(scores: SetScores) -> Table:
    table = Table("figure", "value", "computed on", title=f"{scores.images} images")
    for figure in FIGURES:
        table.add_row(figure.name, f"{getattr(scores, figure.key):.4f}", figure.basis)
    return table
