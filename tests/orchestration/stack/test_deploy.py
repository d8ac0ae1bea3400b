"""When the application is deployed anew, and where it then writes reports; Ray itself is not asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestration.errors import UnusableLineError
from orchestration.settings import Settings
from orchestration.stack import Stack, serve


class Cluster:
    """What an application was deployed with, how it does, and how often it was withdrawn."""

    def __init__(self) -> None:
        self.health: str | None = None
        self.stores: list[str] = []
        self.withdrawals = 0

    def withdraw(self) -> None:
        self.withdrawals += 1
        self.health = None

    def deploy(self, settings: Settings) -> None:
        self.stores.append(settings.reports.store)
        self.health = serve.RUNNING


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    cluster = Cluster()
    monkeypatch.setattr(Stack, "connect_ray", lambda _stack: None)
    monkeypatch.setattr(serve, "health", lambda: cluster.health)
    monkeypatch.setattr(serve, "withdraw", cluster.withdraw)
    return cluster


def stack(folder: Path, store: str, **sections: dict[str, Any]) -> Stack:
    existing = {
        "kafka": {"bootstrap_servers": "kafka:9092"} | sections.pop("kafka", {}),
        "redis": {"url": "redis://redis:6379/0"} | sections.pop("redis", {}),
        "ray": {"address": "ray:6379"} | sections.pop("ray", {}),
    }
    return Stack(Settings.model_validate({"run_directory": folder, **existing}).with_reports(store))


def test_another_report_store_leaves_the_line_alone(tmp_path: Path, cluster: Cluster) -> None:
    first = stack(tmp_path, "/first").deploy(cluster.deploy)
    other = stack(tmp_path, "/other")
    assert other.report_store() == "/first"
    assert other.deploy(cluster.deploy) == first
    assert cluster.stores == ["/first"]


@pytest.mark.parametrize(
    "changed", [{"ray": {"inspectors": 5}}, {"redis": {"password": "new"}}], ids=["setting", "password"]
)
def test_other_settings_are_deployed_with_their_store(
    tmp_path: Path, cluster: Cluster, changed: dict[str, dict[str, Any]]
) -> None:
    stack(tmp_path, "/first", redis={"password": "old"}).deploy(cluster.deploy)
    other = stack(tmp_path, "/other", **({"redis": {"password": "old"}} | changed))
    assert other.deploy(cluster.deploy).reports.store == "/other"
    assert cluster.stores == ["/first", "/other"]
    assert other.report_store() == "/other"


def test_a_line_that_ended_is_deployed_with_the_store_that_is_wanted(
    tmp_path: Path, cluster: Cluster
) -> None:
    stack(tmp_path, "/first").deploy(cluster.deploy)
    cluster.health = None
    assert stack(tmp_path, "/other").deploy(cluster.deploy).reports.store == "/other"
    assert cluster.stores == ["/first", "/other"]


def test_who_rolls_out_nothing_uses_the_line_as_it_is(tmp_path: Path, cluster: Cluster) -> None:
    first = stack(tmp_path, "/first")
    assert first.runs_by(first.deploy(cluster.deploy))
    other = stack(tmp_path, "/other", ray={"inspectors": 5})
    used = other.deploy(cluster.deploy, roll_out=False)
    assert (used.reports.store, other.report_store(), cluster.stores) == ("/first", "/first", ["/first"])
    assert not other.runs_by(used)
    other.down_started()
    assert cluster.withdrawals == 0


@pytest.mark.parametrize(
    ("health", "changed", "place", "why"),
    [
        ("UNHEALTHY", {}, ".", "expected its application RUNNING, got UNHEALTHY"),
        ("RUNNING", {}, "other", "other, got one from elsewhere"),
        ("RUNNING", {"bootstrap_servers": "other:9092"}, ".", "from Kafka at other:9092, got kafka:9092"),
    ],
    ids=["unhealthy", "unknown", "another Kafka"],
)
def test_a_line_that_cannot_be_used_as_it_is_is_left_alone(
    tmp_path: Path, cluster: Cluster, *, health: str, changed: dict[str, Any], place: str, why: str
) -> None:
    stack(tmp_path, "/first").deploy(cluster.deploy)
    cluster.health = health
    other = stack(tmp_path / place, "/other", kafka=changed)
    with pytest.raises(UnusableLineError, match=why):
        other.deploy(cluster.deploy, roll_out=False)
    other.down_started()
    assert (cluster.stores, cluster.withdrawals) == (["/first"], 0)


def test_a_roll_out_that_was_cut_off_is_used_by_nobody(tmp_path: Path, cluster: Cluster) -> None:
    def cut_off(settings: Settings) -> None:
        cluster.deploy(settings)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stack(tmp_path, "/first").deploy(cut_off)
    with pytest.raises(UnusableLineError, match="got one that was cut off; `coilwatch up` rolls out"):
        stack(tmp_path, "/first").deploy(cluster.deploy, roll_out=False)


@pytest.mark.parametrize("recorded", [False, True], ids=["new", "once recorded"])
def test_who_rolls_out_nothing_starts_a_line_where_there_is_none_and_withdraws_it(
    tmp_path: Path, cluster: Cluster, recorded: bool
) -> None:
    if recorded:
        stack(tmp_path, "/first").deploy(cluster.deploy)
        cluster.health = None
    other = stack(tmp_path, "/other")
    assert other.deploy(cluster.deploy, roll_out=False).reports.store == "/other"
    other.down_started()
    assert cluster.withdrawals == 1


def test_the_store_of_the_settings_where_nothing_is_deployed(tmp_path: Path) -> None:
    assert stack(tmp_path, "/first").report_store() == "/first"


@pytest.mark.parametrize("weights", ["name", "gate"])
def test_the_content_of_weights_files_counts(tmp_path: Path, weights: str) -> None:
    file = tmp_path / "some.safetensors"
    settings = Settings.model_validate({"model": {weights: str(file)}})
    digests = set()
    for content in (b"one", b"other"):
        file.write_bytes(content)
        digests.add(serve.digest(settings))
    assert len(digests | {serve.digest(Settings())}) == 3


def test_the_content_of_grading_rules_counts(tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    settings = Settings.model_validate({"grading": {"file": str(file)}})
    file.write_text("one")
    first = serve.digest(settings)
    file.write_text("other")
    assert serve.digest(settings) != first


@pytest.mark.parametrize(
    "changed",
    [
        {"kafka": {"frames_retention_hours": 72}},
        {"redis": {"maxmemory_mb": 512}},
        {"ray": {"object_store_mb": 512}},
        {"spool": {"limit_bytes": "20GB"}},
    ],
    ids=["topics", "redis", "ray", "spool"],
)
def test_what_no_replica_reads_is_no_reason_to_deploy(changed: dict[str, dict[str, Any]]) -> None:
    assert serve.digest(Settings.model_validate(changed)) == serve.digest(Settings())


def test_a_deployment_that_was_cut_off_is_withdrawn(tmp_path: Path, cluster: Cluster) -> None:
    def cut_off(_settings: Settings) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stack(tmp_path, "/first").deploy(cut_off)
    stack(tmp_path, "/first").down()
    assert cluster.withdrawals == 1


def test_whoever_deploys_withdraws_from_the_cluster_of_others(tmp_path: Path, cluster: Cluster) -> None:
    first, other = stack(tmp_path, "/first"), stack(tmp_path, "/first")
    first.deploy(cluster.deploy)
    other.deploy(cluster.deploy)
    other.down_started()
    assert cluster.withdrawals == 0
    first.down_started()
    assert cluster.withdrawals == 1


def test_what_ran_before_is_not_withdrawn_by_whoever_replaced_it(tmp_path: Path, cluster: Cluster) -> None:
    stack(tmp_path, "/first").deploy(cluster.deploy)
    other = stack(tmp_path, "/first", ray={"inspectors": 5})
    other.deploy(cluster.deploy)
    other.down_started()
    assert cluster.withdrawals == 0


def test_no_secret_shows_in_the_digest(tmp_path: Path) -> None:
    settings = stack(tmp_path, "/first", redis={"password": "hunter2"}).settings
    assert "hunter2" not in serve.digest(settings)
    assert len(serve.digest(settings)) == 32
