from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from tests.workers.inspection.segmentations import SIZE, DarkIsDefect, Pixels, WideIsScratch, frame, strip
from workers.errors import BadSettingsError, SegmentationError
from workers.inspection.inspector import Inspector
from workers.inspection.records import Inspection
from workers.inspection.settings import InspectionSettings
from workers.inspection.stages import StageTimes


def spotted(sequence: int) -> Pixels:
    pixels = strip(100, 150)
    pixels[20 + sequence : 30 + sequence, 60:80] = 30
    return pixels


def test_a_dark_spot_is_found_where_it_is() -> None:
    (result,) = Inspector(DarkIsDefect()).analyse([frame(spotted(0))])

    assert (result.status, result.strip_left, result.strip_right) == ("inspected", None, None)
    (region,) = result.regions
    assert (region.top, region.left, region.bottom, region.right) == (20, 60, 30, 80)
    assert (region.area_px, region.score) == (200, 1)


def test_inspections_carry_identity_edges_and_findings() -> None:
    pixels = strip(100, 150, 40)
    pixels[50:60, 100:120] = 30
    inspector = Inspector(DarkIsDefect())

    (inspection,) = inspector.inspect([frame(pixels, 3)])

    assert (inspection.sequence, inspection.along_mm, inspection.model) == (3, 1150, inspector.identity)
    # Columns are 0.25 mm, from 200 mm.
    assert (inspection.left_edge_mm, inspection.right_edge_mm) == (210, None)
    (finding,) = inspection.findings
    assert (finding.start_mm, finding.end_mm) == (1175, 1180)
    assert (finding.left_mm, finding.right_mm) == (225, 230)


def test_findings_have_the_classes_of_the_classifier() -> None:
    pixels = spotted(0)
    pixels[60:90, 20:30] = 30
    inspector = Inspector(DarkIsDefect(), classification=WideIsScratch(), threads=2)

    first, second = inspector.inspect([frame(pixels), frame(pixels, 1)])

    for inspection in (first, second):
        classes = [(finding.defect_class, finding.class_confidence) for finding in inspection.findings]
        assert classes == [("scratch", 0.875), ("unknown", 0.25)]
    assert inspector.identity.classifier == "wide-is-scratch 2"


def test_without_a_classifier_every_class_is_unknown() -> None:
    (inspection,) = Inspector(DarkIsDefect()).inspect([frame(spotted(0))])
    (finding,) = inspection.findings
    assert (finding.defect_class, finding.class_confidence) == ("unknown", None)
    assert inspection.model is not None
    assert inspection.model.classifier is None


def test_records_of_before_there_were_classes_are_read() -> None:
    (inspection,) = Inspector(DarkIsDefect(), classification=WideIsScratch()).inspect([frame(spotted(0))])
    old = inspection.model_dump(mode="json")
    for finding in old["findings"]:
        del finding["defect_class"], finding["class_confidence"]
    del old["model"]["classifier"]

    read = Inspection.from_json(json.dumps(old).encode())

    assert [(one.defect_class, one.class_confidence) for one in read.findings] == [("unknown", None)]
    assert read.model is not None
    assert read.model.classifier is None


def test_an_unreadable_frame_costs_only_itself() -> None:
    frames = [frame(spotted(n), n) for n in range(3)]
    frames[1] = replace(frames[1], data=frames[1].data[:20])

    first, broken, last = Inspector(DarkIsDefect()).inspect(frames)

    assert broken.status == "unreadable"
    assert broken.reason
    assert "\n" not in broken.reason
    assert (broken.model, broken.findings) == (None, ())
    assert [len(inspection.findings) for inspection in (first, last)] == [1, 1]


def test_results_are_the_same_for_any_number_of_threads() -> None:
    frames = [frame(spotted(n % 7), n) for n in range(20)]
    frames[5] = replace(frames[5], data=b"")

    alone = [Inspector(DarkIsDefect()).analyse([one])[0] for one in frames]

    assert Inspector(DarkIsDefect()).analyse(frames) == alone
    assert Inspector(DarkIsDefect(), threads=4).analyse(frames) == alone
    assert len({result.to_json() for result in alone}) == 8


def test_no_frames_have_no_results() -> None:
    assert Inspector(DarkIsDefect(), threads=2).analyse([]) == []


def test_a_frame_without_strip_is_inspected_and_has_no_findings() -> None:
    network = DarkIsDefect()

    (result,) = Inspector(network).analyse([frame(np.full((100, 150), 5, np.uint8))])

    assert (result.status, result.strip_left, result.strip_right) == ("inspected", 0, 0)
    assert result.regions == ()
    assert network.seen == [], "there is nothing to show to the network"


def test_the_gap_beside_the_strip_is_no_defect() -> None:
    (result,) = Inspector(DarkIsDefect()).analyse([frame(strip(100, 150, 40, 120))])

    assert (result.strip_left, result.strip_right) == (40, 120)
    assert result.regions == ()


@pytest.mark.parametrize(("margin", "left"), [(0, 40), (4, 44), (10, 50)])
def test_the_strip_edge_itself_is_left_out(margin: int, left: int) -> None:
    class Everything(DarkIsDefect):
        def segment(self, tiles: Sequence[Pixels]) -> list[Pixels]:
            return [np.full(tile.shape, 255, np.uint8) for tile in tiles]

    inspector = Inspector(Everything(), InspectionSettings(edge_margin_px=margin))

    (result,) = inspector.analyse([frame(strip(100, 150, 40, 120))])

    (region,) = result.regions
    assert (region.left, region.right) == (left, 160 - left)


def test_strip_no_wider_than_its_margins_is_inspected_and_has_no_findings() -> None:
    network = DarkIsDefect()

    (result,) = Inspector(network, InspectionSettings(edge_margin_px=30)).analyse(
        [frame(strip(100, 150, 60, 118))]
    )

    assert (result.status, result.strip_left, result.strip_right) == ("inspected", 60, 118)
    assert result.regions == ()
    assert network.seen == []


@pytest.mark.parametrize(
    ("peak", "found"), [(None, 0), (DarkIsDefect.peak, 0), (DarkIsDefect.peak - 20, 1)], ids=str
)
def test_a_finding_reaches_the_peak_of_the_settings_or_else_that_of_the_network(
    peak: int | None, found: int
) -> None:
    class Faint(DarkIsDefect):
        def segment(self, tiles: Sequence[Pixels]) -> list[Pixels]:
            return [np.minimum(saliency, self.peak - 1) for saliency in super().segment(tiles)]

    (result,) = Inspector(Faint(), InspectionSettings(peak=peak)).analyse([frame(spotted(0))])
    assert len(result.regions) == found


def test_the_digest_changes_with_every_setting_and_with_the_network() -> None:
    changes: list[dict[str, int]] = [
        {"tile_overlap_px": 8},
        {"threshold": 100},
        {"peak": 200},
        {"min_area_px": 1},
        {"max_regions": 7},
        {"max_outline_points": 20},
        {"max_thumbnail_bytes": 2048},
        {"thumbnail_margin_px": 3},
        {"edge_margin_px": 9},
    ]
    assert {name for change in changes for name in change} == set(InspectionSettings.model_fields)
    other = DarkIsDefect()
    other.digest = "1" * 32

    sharper = DarkIsDefect()
    sharper.peak = 254

    another = WideIsScratch()
    another.digest = "b" * 32

    digests = [
        Inspector(DarkIsDefect()).identity.digest,
        Inspector(DarkIsDefect(), classification=WideIsScratch()).identity.digest,
        Inspector(DarkIsDefect(), classification=another).identity.digest,
        Inspector(other).identity.digest,
        Inspector(sharper).identity.digest,
        *(Inspector(DarkIsDefect(), InspectionSettings(**change)).identity.digest for change in changes),
    ]

    assert len(set(digests)) == len(digests)
    assert Inspector(DarkIsDefect(), threads=3).identity == Inspector(DarkIsDefect()).identity


@pytest.mark.parametrize(
    ("maps", "came"),
    [([], r"\[\]"), ([np.zeros((3, 5), np.uint8)], r"\[\(3, 5\)\]")],
    ids=["too-few", "another-shape"],
)
def test_a_network_that_breaks_its_contract_is_named(maps: list[Pixels], came: str) -> None:
    class Broken(DarkIsDefect):
        def segment(self, tiles: Sequence[Pixels]) -> list[Pixels]:  # noqa: ARG002
            return maps

    with pytest.raises(SegmentationError, match=rf"expected 1 maps of 64 x 64, got {came}") as caught:
        Inspector(Broken()).analyse([frame(strip(SIZE, SIZE))])
    assert not caught.value.retriable


def test_tiles_that_only_overlap_are_refused() -> None:
    with pytest.raises(
        BadSettingsError, match="tile_overlap_px: expected less than the tile size 64, got 64"
    ):
        Inspector(DarkIsDefect(), InspectionSettings(tile_overlap_px=SIZE))


def test_the_time_of_each_stage_is_counted() -> None:
    times = StageTimes()

    inspector = Inspector(DarkIsDefect(), classification=WideIsScratch(), threads=2, times=times)
    inspector.analyse([frame(spotted(n), n) for n in range(4)])

    assert set(times.seconds) == {"decode", "edges", "tile", "network", "components", "classes"}
    assert min(times.seconds.values()) > 0


def test_the_record_of_a_frame_full_of_defects_stays_under_a_mebibyte() -> None:
    grain = np.random.default_rng(3).integers(0, 256, (1600, 1600), dtype=np.uint8)
    pixels = np.where(grain < 110, 30, grain).astype(np.uint8)
    rows, columns = np.indices(pixels.shape)
    pixels[(rows % 80 < 60) & (columns % 80 < 60) & (grain < 200)] = 30

    (inspection,) = Inspector(DarkIsDefect(), InspectionSettings(min_area_px=1)).inspect([frame(pixels)])

    assert len(inspection.findings) == 200
    assert inspection.further_findings > 0
    assert len(inspection.to_json()) < 1024 * 1024
