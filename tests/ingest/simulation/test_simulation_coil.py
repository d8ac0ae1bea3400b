"""The simulated coil: the same strip whoever asks, and truth that is its own difference."""

from __future__ import annotations

import hashlib
import tracemalloc
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.simulation import SimulatedCoil, SimulatedTruth
from ingest.simulation.cameras import light_profiles
from ingest.simulation.crops import crop_index
from ingest.simulation.planting import difference
from ingest.simulation.truth import CONTRAST_FLOOR, Family

OVERLAP_COLUMNS = 40


@cache
def demo_coil() -> SimulatedCoil:
    return SimulatedCoil()


@cache
def demo_truth() -> SimulatedTruth:
    return demo_coil().truth()


def digest(coil: SimulatedCoil, camera_index: int, sequence: int) -> str:
    return hashlib.blake2b(coil.frame(camera_index, sequence).tobytes(), digest_size=8).hexdigest()


def test_geometry() -> None:
    coil = demo_coil()
    left, right = coil.bands
    assert (left.across_mm, left.right_mm, right.across_mm, right.right_mm) == (0, 240, 220, 460)
    assert (coil.frames_per_camera, coil.rows_per_frame) == (100, 480)
    assert coil.along_mm(3) == 720.0
    assert coil.frame(1, 99).shape == coil.mask(1, 99).shape == (480, 480)
    assert coil.frame(1, 99).dtype == coil.mask(1, 99).dtype == np.uint8


@pytest.mark.parametrize(
    ("length_m", "frames"), [(0.1, 1), (0.24, 1), (0.25, 2), (2.4, 10)], ids=["short", "one", "over", "ten"]
)
def test_length_is_rounded_up_to_whole_frames(length_m: float, frames: int) -> None:
    assert SimulatedCoil(length_m).frames_per_camera == frames


@pytest.mark.parametrize(("length_m", "seed"), [(0.0, 1), (-1.0, 1), (float("inf"), 1), (1.0, -1)])
def test_a_coil_that_cannot_be_is_refused(length_m: float, seed: int) -> None:
    with pytest.raises(ValueError, match="expected a length above 0 m and a seed from 0"):
        SimulatedCoil(length_m, seed)


@pytest.mark.parametrize(
    ("family", "expected"),
    [("scaled", "4af51799687ccecb"), ("brushed", "785775d0b810291b"), ("pickled", "8f331621cca0a36b")],
)
def test_pixels_are_the_same_on_every_machine(family: Family, expected: str) -> None:
    assert digest(SimulatedCoil(family=family), 0, 24) == expected


def test_frames_do_not_depend_on_the_order_asked() -> None:
    forward, backward = SimulatedCoil(2.4, 3), SimulatedCoil(2.4, 3)
    places = [(camera, sequence) for camera in (0, 1) for sequence in range(10)]
    first = {place: digest(forward, *place) for place in places}
    assert first == {place: digest(backward, *place) for place in reversed(places)}
    assert len(set(first.values())) == len(places)


def test_another_seed_is_another_coil() -> None:
    assert digest(SimulatedCoil(0.24, 1), 0, 0) != digest(SimulatedCoil(0.24, 2), 0, 0)


@settings(max_examples=25)
@given(st.integers(0, 1), st.integers(0, 47_000), st.integers(1, 900), st.integers(0, 900))
def test_any_stretch_joins_its_neighbours(camera: int, row: int, rows: int, cut: int) -> None:
    coil, cut = demo_coil(), min(cut, rows)
    whole = coil.picture(camera, row, rows)
    parts = [coil.picture(camera, row, cut), coil.picture(camera, row + cut, rows - cut)]
    assert np.array_equal(whole, np.concatenate(parts))
    truth = [coil.truth_picture(camera, row, cut), coil.truth_picture(camera, row + cut, rows - cut)]
    assert np.array_equal(coil.truth_picture(camera, row, rows), np.concatenate(truth))


def test_both_cameras_see_the_same_strip_in_the_overlap() -> None:
    coil = demo_coil()
    lights = light_profiles(coil.seed)
    for sequence in range(0, 100, 7):
        seen_left = coil.frame(0, sequence)[:, -OVERLAP_COLUMNS:] / lights[0][-OVERLAP_COLUMNS:]
        seen_right = coil.frame(1, sequence)[:, :OVERLAP_COLUMNS] / lights[1][:OVERLAP_COLUMNS]
        assert np.abs(seen_left - seen_right).max() < 1.5
        assert np.array_equal(
            coil.mask(0, sequence)[:, -OVERLAP_COLUMNS:], coil.mask(1, sequence)[:, :OVERLAP_COLUMNS]
        )


@pytest.mark.parametrize("camera", [0, 1])
def test_truth_is_the_difference_of_with_and_without(camera: int) -> None:
    coil, rows = demo_coil(), demo_coil().rows_per_frame
    shown = 0
    for sequence in range(coil.frames_per_camera):
        bare = coil.picture(camera, sequence * rows, rows, planted=False).astype(float)
        change = np.abs(coil.frame(camera, sequence) - bare)
        truth = coil.mask(camera, sequence) > 0
        above = change > CONTRAST_FLOOR * bare
        rounding = np.abs(change - CONTRAST_FLOOR * bare) <= 1.0 + CONTRAST_FLOOR
        assert (truth == above)[~rounding].all()
        shown += int((truth & above).sum())
    assert shown > 10_000


def test_areas_and_extents_are_those_of_the_masks() -> None:
    coil, truth = demo_coil(), demo_truth()
    pixels = sum(
        int((coil.mask(0, sequence) > 0).sum()) + int((coil.mask(1, sequence)[:, OVERLAP_COLUMNS:] > 0).sum())
        for sequence in range(coil.frames_per_camera)
    )
    assert pixels * 0.25 == pytest.approx(sum(defect.area_mm2 for defect in truth.defects))
    for defect in truth.defects:
        first, last = round(defect.start_mm * 2), round(defect.end_mm * 2)
        strip = np.hstack(
            [
                coil.truth_picture(0, first, last - first),
                coil.truth_picture(1, first, last - first)[:, OVERLAP_COLUMNS:],
            ]
        )
        box = strip[:, round(defect.left_mm * 2) : round(defect.right_mm * 2)] > 0
        assert box[0].any()
        assert box[-1].any()
        assert box[:, 0].any()
        assert box[:, -1].any()
        assert box.sum() * 0.25 == pytest.approx(defect.area_mm2)


def test_edges_lie_where_truth_says() -> None:
    coil = demo_coil()
    for sample in demo_truth().edges[:-1:15]:
        row = round(sample.along_mm * 2)
        left = coil.picture(0, row, 1)[0].astype(float)
        right = coil.picture(1, row, 1)[0].astype(float)
        level = left[60:200].mean() / 2
        assert np.argmax(left > level) * 0.5 == pytest.approx(sample.left_mm, abs=1.0)
        assert 460 - np.argmax(right[::-1] > level) * 0.5 == pytest.approx(sample.right_mm, abs=1.0)


def test_planted_defects_meet_borders_and_leave_clean_strip() -> None:
    coil, truth = demo_coil(), demo_truth()
    assert 40 <= len(truth.defects) <= 62
    single = [defect for defect in truth.defects if defect.kind not in ("long-scratch", "roll-mark")]
    assert sum(one.start_mm // 240 < (one.end_mm - 1) // 240 for one in single) >= 6
    assert sum(one.left_mm < 219 and one.right_mm > 241 for one in single) >= 2
    assert sum(one.left_mm < 240 - 2 and one.right_mm > 240 + 2 for one in single) >= 3
    sizes = [max(one.length_mm, one.width_mm) for one in single]
    assert min(sizes) < 10
    assert max(sizes) > 50
    clean = [not (coil.mask(0, at).any() or coil.mask(1, at).any()) for at in range(100)]
    assert sum(clean) >= 25


def test_one_scratch_is_many_frames_long() -> None:
    (scratch,) = [defect for defect in demo_truth().defects if defect.kind == "long-scratch"]
    assert scratch.length_mm >= 1000
    (planting,) = [one for one in demo_coil().plantings if one.kind == "long-scratch"]
    assert (np.abs(difference(planting)).max(axis=1)[200:-200] > 2 * CONTRAST_FLOOR).all()


@pytest.mark.parametrize("seed", [7, 8, 21])
def test_the_roll_mark_repeats_at_the_circumference(seed: int) -> None:
    truth = SimulatedCoil(seed=seed).truth()
    marks = [defect for defect in truth.defects if defect.kind == "roll-mark"]
    assert len(marks) >= 12
    starts = np.array([mark.start_mm for mark in marks])
    assert np.abs(starts - starts[0] - np.arange(len(marks)) * np.pi * 600).max() <= 0.5
    assert len({(mark.crop, mark.left_mm, mark.right_mm, mark.area_mm2) for mark in marks}) == 1


@pytest.mark.parametrize("half", ["train", "judge"])
def test_a_coil_keeps_to_its_half_of_the_crops(half: str) -> None:
    names = {entry.name for entry in crop_index() if entry.half == half}
    coil = SimulatedCoil(12.0, 5, "train" if half == "train" else "judge")
    assert {planting.crop for planting in coil.plantings} <= names
    assert {defect.half for defect in coil.truth().defects} == {half}


def test_defects_keep_their_distance() -> None:
    plantings = demo_coil().plantings
    for number, one in enumerate(plantings):
        assert all(one.keeps_off(other, 60) for other in plantings[number + 1 :])


def test_truth_survives_its_json() -> None:
    truth = demo_truth()
    assert SimulatedTruth.from_json(truth.to_json()) == truth
    assert [defect.id for defect in truth.defects] == list(range(len(truth.defects)))


def test_a_long_coil_holds_no_frames_in_memory() -> None:
    coil = SimulatedCoil(240.0)
    coil.frame(0, 0)
    tracemalloc.start()
    for sequence in range(0, 1000, 25):
        coil.frame(sequence % 2, sequence)
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert coil.frames_per_camera == 1000
    assert kept < 8e6
    assert peak < 16e6
