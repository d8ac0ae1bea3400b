from __future__ import annotations

import numpy as np
import pytest

from ingest.codecs import decode
from ingest.records import Encoding
from ingest.simulation import SimulatedCoil
from ingest.sources.simulated import SimulatedSource


@pytest.fixture(scope="module")
def coil() -> SimulatedCoil:
    return SimulatedCoil(length_m=0.6, seed=11)


@pytest.mark.parametrize("encoding", ["raw", "png", "zstd"])
def test_frames_are_those_of_the_coil(coil: SimulatedCoil, encoding: Encoding) -> None:
    source = SimulatedSource(coil, encoding)
    frames = list(source.frames())
    assert len(frames) == source.total_frames == 2 * coil.frames_per_camera
    cameras = [band.camera for band in coil.bands]
    for frame in frames:
        expected = coil.frame(cameras.index(frame.header.camera), frame.header.sequence)
        np.testing.assert_array_equal(decode(frame.data, frame.header), expected)
        assert frame.header.along_mm == coil.along_mm(frame.header.sequence)


def test_cameras_take_turns_along_the_strip(coil: SimulatedCoil) -> None:
    source = SimulatedSource(coil)
    headers = [frame.header for frame in source.frames()]
    order = [(header.along_mm, header.side, header.camera) for header in headers]
    assert order == sorted(order)
    last = coil.frames_per_camera - 1
    end_mm = coil.along_mm(last) + coil.rows_per_frame * coil.bands[0].mm_per_row
    assert [(closed.frames, closed.end_mm) for closed in source.closed()] == [(last + 1, end_mm)] * 2


def test_equal_coils_give_equal_bytes(coil: SimulatedCoil) -> None:
    again = SimulatedCoil(length_m=0.6, seed=11)
    assert list(SimulatedSource(coil).frames()) == list(SimulatedSource(again).frames())
