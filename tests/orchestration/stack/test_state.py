from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.errors import StackBusyError, StackError
from orchestration.stack.processes import ProcessId
from orchestration.stack.state import (
    PARTS,
    STATE_FILE,
    DeployedApplication,
    PartName,
    StackState,
    StartedPart,
    locked,
)

STARTED = st.builds(
    StartedPart,
    address=st.text(max_size=20),
    processes=st.lists(
        st.builds(ProcessId, pid=st.integers(1, 2**22), started_s=st.floats(0, 2e9)), max_size=3
    ).map(tuple),
    directory=st.just(Path("/run/kafka")),
)


APPLICATION = st.builds(
    DeployedApplication,
    digest=st.text(max_size=9),
    report_store=st.sampled_from(("/reports", "s3://bucket")),
    kafka=st.none() | st.just("kafka:9092"),
)


@given(parts=st.dictionaries(st.sampled_from(PARTS), STARTED), application=st.none() | APPLICATION)
def test_what_is_written_is_read(
    parts: dict[PartName, StartedPart],
    application: DeployedApplication | None,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("run")
    state = StackState(parts=parts, application=application)
    state.write(folder)
    assert StackState.read(folder) == state
    assert [path.name for path in folder.iterdir()] == [STATE_FILE]
    assert (folder / STATE_FILE).stat().st_mode & 0o077 == 0


def test_nothing_written_is_an_empty_state(tmp_path: Path) -> None:
    assert StackState.read(tmp_path) == StackState()


@pytest.mark.parametrize("content", ["", "{", '{"parts": {"zookeeper": {}}}', '{"schema_version": 2}'])
def test_a_foreign_state_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / STATE_FILE).write_text(content)
    with pytest.raises(StackError, match="is no state of a Coilwatch stack"):
        StackState.read(tmp_path)


def test_a_part_is_added_replaced_and_removed() -> None:
    first, second = (StartedPart(address=name, processes=(), directory=Path()) for name in ("a", "b"))
    deployed = StackState().with_application(DeployedApplication(digest="d", report_store="/reports"))
    state = deployed.with_part("kafka", first).with_part("kafka", second)
    assert state.parts == {"kafka": second}
    assert state.with_part("kafka", None).with_part("ray", None) == deployed
    assert deployed.with_application(None) == StackState()


def test_one_holder_at_a_time(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(StackBusyError, match="another process"), locked(tmp_path, 0.1):
        raise AssertionError
    with locked(tmp_path, 0.1):
        assert (tmp_path / "lock").exists()
