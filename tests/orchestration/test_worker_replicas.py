"""Replicas of the workers, in this process: what they find out before they begin."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from orchestration.application import CoilWorkerReplica, FrameWorkerReplica
from orchestration.errors import SettingsError
from orchestration.settings import Settings


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
