"""Replicas of the workers, in this process: what they find out before they begin."""

from __future__ import annotations

from pathlib import Path
from queue import Queue
from typing import Any, cast
from unittest.mock import MagicMock

import pytest

from orchestration import application
from orchestration.application import CoilWorkerReplica, FrameWorkerReplica
from orchestration.errors import SettingsError
from orchestration.settings import Settings

WAIT_S = 20.0


@pytest.mark.parametrize("replica", [FrameWorkerReplica, CoilWorkerReplica])
def test_a_worker_without_its_certificate_does_not_begin(
    tmp_path: Path, replica: type[FrameWorkerReplica | CoilWorkerReplica]
) -> None:
    kafka = {
        "bootstrap_servers": "127.0.0.1:1",
        "security_protocol": "SSL",
        "tls_ca_file": tmp_path / "ca.pem",
    }
    with pytest.raises(SettingsError, match=r"^kafka\.tls_ca_file .*: expected a file"):
        replica(Settings.model_validate({"kafka": kafka}), cast("Any", None))


def test_a_recall_beats_the_pulse_of_the_coil_workers_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    histories: Queue[dict[str, Any]] = Queue()
    monkeypatch.setattr(application, "CoilHistory", lambda _connection, **options: histories.put(options))
    for name in ("_listening_kafka", "group_consumer", "transactional_producer", "CoilLoop"):
        monkeypatch.setattr(application, name, MagicMock())
    monkeypatch.setattr(application, "end_on_sigterm", lambda _stop: None)
    replica = CoilWorkerReplica(Settings().with_reports(tmp_path), cast("Any", None))
    try:
        assert histories.get(timeout=WAIT_S)["moved"] == replica._thread._pulse.beat
    finally:
        replica._thread.stop()
