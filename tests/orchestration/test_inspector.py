"""The inspector that the settings describe, and what tells one application from another."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.classes.weights import locate_classifier
from models.errors import WeightsError
from orchestration.inspector import open_classifier, open_inspector
from orchestration.settings import ModelSettings, Settings
from orchestration.stack import serve


def settings(classifier: str) -> Settings:
    return Settings(model=ModelSettings(classifier=classifier))


def test_the_classifier_is_part_of_the_identity() -> None:
    with_classes = open_inspector(Settings()).identity
    without = open_inspector(settings("none")).identity
    assert (with_classes.classifier or "").startswith("steel-classes ")
    assert without.classifier is None
    assert (with_classes.name, with_classes.version) == (without.name, without.version)
    assert with_classes.digest != without.digest


def test_no_such_classifier_is_one_line() -> None:
    with pytest.raises(WeightsError, match=r"no weights steel: .*steel-classes"):
        open_classifier(settings("steel"))


def test_another_file_of_classes_is_another_application(tmp_path: Path) -> None:
    file = tmp_path / "mine.safetensors"
    content = locate_classifier("steel-classes").read_bytes()
    digests = set()
    for changed in (content, content + b" "):
        file.write_bytes(changed)
        digests.add(serve.digest(settings(str(file))))
    digests.add(serve.digest(settings("none")))
    assert len(digests) == 3


def test_a_gate_is_part_of_what_made_a_result() -> None:
    plain, gated = (
        open_inspector(Settings.model_validate({"model": {"gate": gate}})).identity for gate in (None, "gate")
    )
    assert (plain.name, gated.name) == ("coilnet-m", "coilnet-m+gate")
    assert gated.version.startswith(f"{plain.version}+gate.")
    assert gated.digest != plain.digest


def test_a_gate_inspects_nothing_by_itself() -> None:
    with pytest.raises(WeightsError, match=r"model\.name: expected .* got the gate gate"):
        open_inspector(Settings(model=ModelSettings(name="gate")))
