"""`coilwatch models`: every network with its published size, and the weights that ship."""

from __future__ import annotations

import json

import pytest

from models.networks.build import NETWORKS
from models.networks.cost import parameters_of
from models.weights import available, load
from tests.models.networks.published import GIGA_MACS, PARAMETERS
from tests.orchestration.cli.conftest import Coilwatch

KEYS = ["name", "parameters", "macs", "native_size", "weights", "source"]


def test_json_has_every_network_as_published(coilwatch: Coilwatch) -> None:
    ran = coilwatch("models", "--json")
    assert ran.code == 0
    entries = {entry["name"]: entry for entry in json.loads(ran.out)}
    assert list(entries) == list(NETWORKS)
    assert all(list(entry) == KEYS for entry in entries.values())
    assert {name: entries[name]["parameters"] for name in PARAMETERS} == PARAMETERS
    for name, spec in NETWORKS.items():
        entry = entries[name]
        assert (entry["native_size"], entry["source"]) == (spec.native_size, spec.paper)
        if published := GIGA_MACS.get((name, spec.native_size)):
            assert entry["macs"] == pytest.approx(published * 1e9, rel=0.005)
    shipped = {weights["name"]: (name, weights) for name in entries for weights in entries[name]["weights"]}
    assert sorted(shipped) == available()
    for name, (network, weights) in shipped.items():
        loaded, info = load(name)
        assert (network, weights["width"], weights["version"]) == (info.network, info.width, info.version)
        assert weights["metrics"] == info.metrics
        assert weights["parameters"] == parameters_of(loaded)


def test_the_table_names_networks_and_weights(coilwatch: Coilwatch) -> None:
    ran = coilwatch("models")
    assert ran.code == 0
    for name in (*NETWORKS, *available()):
        assert name in ran.out
    assert f"{PARAMETERS['csnet-x1']:,}" in ran.out
