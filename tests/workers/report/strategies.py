"""Hypothesis strategies for coil reports."""

from __future__ import annotations

import hypothesis.strategies as st

from tests.workers.report import example
from workers.coil.records import CoilReport, DefectEvent, Grade, Hole
from workers.inspection.records import ModelIdentity

identifiers = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)
texts = st.text(st.characters(codec="utf-8"), max_size=40)
millimetres = st.floats(-1e6, 1e6, allow_nan=False)
digests = st.from_regex(r"[0-9a-f]{32}", fullmatch=True)
shares = st.floats(0, 1)
outlines = st.lists(st.lists(st.tuples(millimetres, millimetres), max_size=4).map(tuple), max_size=2).map(
    tuple
)

events = st.builds(
    DefectEvent,
    id=digests,
    start_mm=millimetres,
    end_mm=millimetres,
    left_mm=millimetres,
    right_mm=millimetres,
    area_mm2=st.floats(0, 1e9),
    score=shares,
    defect_class=st.text(st.characters(codec="utf-8"), min_size=1, max_size=40),
    class_confidence=st.none() | shares,
    from_left_edge_mm=st.none() | millimetres,
    from_right_edge_mm=st.none() | millimetres,
    findings=st.integers(1, 9),
    frames=st.integers(1, 9),
    cameras=st.lists(texts, max_size=2).map(tuple),
    outlines=outlines,
    thumbnail=st.just(example.thumbnail()) | texts,
)
holes = st.builds(
    Hole,
    camera=identifiers,
    start_mm=st.floats(0, 1e6),
    end_mm=st.floats(0, 1e6),
    frames=st.integers(0, 9),
    detail=texts,
)
grades = st.builds(Grade, reasons=st.lists(texts, max_size=3).map(tuple))
models = st.builds(ModelIdentity, name=texts, version=texts, digest=digests, classifier=st.none() | texts)


@st.composite
def reports(draw: st.DrawFn) -> CoilReport:
    return example.report(
        *draw(st.lists(events, max_size=4)),
        line=draw(identifiers),
        coil=draw(identifiers),
        run=draw(st.integers(1, 1000)),
        length_mm=draw(st.floats(0, 1e7)),
        strip_left_mm=draw(st.none() | millimetres),
        strip_right_mm=draw(st.none() | millimetres),
        grade=draw(grades),
        models=tuple(draw(st.lists(models, max_size=2))),
        coverage_share=draw(shares),
        cameras=draw(st.sampled_from(((), example.report().cameras))),
        holes=tuple(draw(st.lists(holes, max_size=3))),
        conflicts=draw(st.integers(0, 5)),
        further_findings=draw(st.integers(0, 5)),
        further_area_mm2=draw(st.floats(0, 1e6)),
    )
