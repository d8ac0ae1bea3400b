from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from models.errors import TrainingError
from models.training.batches import Batches
from models.training.recipe import Recipe
from models.training.sharing import Member
from tests.models.samples import patch_sample
from tests.models.training.runs import DATA, STEEL, phase_of, recipe_of, two_phases

ALONE = Member()


def names_of(recipe: Recipe, steps: int, member: Member = ALONE) -> list[tuple[str, ...]]:
    batches = Batches(recipe, DATA, member)
    return [batches[step].names for step in range(steps)]


def test_a_batch_depends_on_its_step_alone() -> None:
    recipe = recipe_of(*two_phases(2, 2))
    forwards, backwards = Batches(recipe, DATA, ALONE), Batches(recipe, DATA, ALONE)
    expected = [forwards[step] for step in range(4)]
    found = [backwards[step] for step in reversed(range(4))][::-1]
    for one, other in zip(expected, found, strict=True):
        assert torch.equal(one.images, other.images)
        assert torch.equal(one.masks, other.masks)
    assert not torch.equal(expected[0].images, expected[1].images)


def test_strip_takes_its_share() -> None:
    names = names_of(recipe_of(*two_phases(1, 1)), 2)
    assert [sum(name in {"0", "1"} for name in batch) for batch in names] == [0, 2]


def test_what_a_teacher_marked_takes_its_share() -> None:
    taught = [patch_sample(f"taught {seed}", seed) for seed in range(3)]
    batches = Batches(recipe_of(phase_of(4, taught_share=0.25)), replace(STEEL, unlabelled=taught), ALONE)
    shares = [sum(name.startswith("taught") for name in batches[step].names) for step in range(4)]
    assert shares == [1, 1, 1, 1]


def test_frames_of_a_line_take_their_share() -> None:
    frame = replace(patch_sample("frame", 9), image=np.full((40, 300), 200, np.uint8))
    data = replace(DATA, frames=[replace(frame, mask=np.zeros((40, 300), np.uint8))])
    batch = Batches(recipe_of(phase_of(frames_share=0.5, strip_share=0.25)), data, ALONE)[0]
    assert [name == "frame" for name in batch.names] == [False, True, True, False]
    assert batch.images.shape[-2:] == (32, 32)
    assert not batch.masks[1:3].any()


@pytest.mark.parametrize("upright", [True, False])
def test_nothing_is_turned_upright(*, upright: bool) -> None:
    mask = np.zeros((64, 64), np.uint8)
    mask[:, :32] = 255
    left = [replace(patch_sample("left", 3), mask=mask)]
    data = replace(DATA, steel=left, strip=left, frames=left)
    recipe = recipe_of(phase_of(8, batch=6, strip_share=1 / 3, frames_share=1 / 3, upright=upright))
    masks = torch.stack([Batches(recipe, data, ALONE)[step].masks[:, 0] for step in range(8)])
    for kind in masks.split(2, dim=1):
        # Whatever was cropped: marked from the left on, and every row alike but for rounding.
        falls = kind.diff(dim=-1) < 0.01
        alike = (kind - kind[..., :1, :]).abs() < 0.01
        assert bool((falls & alike[..., 1:]).all()) == upright


def test_processes_share_every_kind_of_a_batch() -> None:
    data = replace(DATA, unlabelled=[patch_sample("taught", 7)], frames=[patch_sample("frame", 8)])
    recipe = recipe_of(phase_of(3, batch=8, strip_share=0.125, taught_share=0.25, frames_share=0.25))
    for step in range(3):
        parts = [Batches(recipe, data, Member(rank, 4))[step].names for rank in range(4)]
        together = [name for part in parts for name in part]
        assert [len(part) for part in parts] == [2, 2, 2, 2]
        assert together.count("taught") == 2
        assert together.count("frame") == 2
        assert sum(name in {"0", "1"} for name in together) == 1


def test_epochs_show_every_image_before_any_comes_again() -> None:
    names = names_of(recipe_of(phase_of(9, batch=2, order="epochs")), 9)
    drawn = [name for batch in names for name in batch]
    epochs = [drawn[start : start + 6] for start in (0, 6, 12)]
    assert all(sorted(epoch) == sorted(sample.name for sample in DATA.steel) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 1


def test_what_is_held_out_may_train_in_a_phase() -> None:
    recipe = recipe_of(
        phase_of(2, batch=7, order="epochs"), phase_of(2, name="b", batch=7, order="epochs", all_steel=True)
    )
    batches = names_of(recipe, 4)
    assert [("Pa_90" in batch) for batch in batches] == [False, False, True, True]
    assert all(len(set(batch)) == 7 for batch in batches[2:])


def test_processes_share_an_epoch() -> None:
    recipe = recipe_of(phase_of(3, batch=2, order="epochs"))
    parts = [names_of(recipe, 3, Member(rank, 2)) for rank in range(2)]
    together = [name for batches in parts for batch in batches for name in batch]
    assert sorted(together) == sorted(sample.name for sample in DATA.steel)


def test_processes_draw_apart() -> None:
    first, second = (Batches(recipe_of(phase_of()), DATA, Member(rank, 2))[0] for rank in range(2))
    assert len(first.names) == len(second.names) == 2
    assert not torch.equal(first.images, second.images)


def test_a_batch_that_does_not_part_evenly_is_refused() -> None:
    with pytest.raises(TrainingError, match="3 processes cannot share 4 images evenly"):
        Batches(recipe_of(phase_of()), DATA, Member(0, 3))


def test_a_phase_may_augment_as_a_paper_does() -> None:
    steps = [{"kind": "resize", "size_px": 40}, {"kind": "random-crop", "size_px": 32}]
    ours = Batches(recipe_of(phase_of()), DATA, ALONE)[0]
    papers = Batches(recipe_of(phase_of(augmentation=steps)), DATA, ALONE)[0]
    assert papers.images.shape == ours.images.shape == (4, 32, 32)
    assert papers.masks.shape == (4, 1, 32, 32)
    assert not torch.equal(papers.images, ours.images)
    too_large = Batches(recipe_of(phase_of(augmentation=steps[:1])), DATA, ALONE)
    with pytest.raises(TrainingError, match=r"expected augmented images \(32, 32\), got \(40, 40\)"):
        too_large[0]


def test_batches_of_many_sizes() -> None:
    recipe = recipe_of(phase_of(8, augmentation=[{"kind": "share-crop"}], multi_scale_px=[32, 64]))
    batches = Batches(recipe, DATA, ALONE)
    assert {batches[step].images.shape[1:] for step in range(8)} == {(32, 32), (64, 64)}
