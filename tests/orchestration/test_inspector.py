"""The inspector that the settings describe."""

from __future__ import annotations

from orchestration.inspector import open_inspector
from orchestration.settings import Settings


def test_a_gate_is_part_of_what_made_a_result() -> None:
    plain, gated = (
        open_inspector(Settings.model_validate({"model": {"gate": gate}})).identity for gate in (None, "gate")
    )
    assert (plain.name, gated.name) == ("csnet-x1", "csnet-x1+gate")
    assert gated.version.startswith(f"{plain.version}+gate.")
    assert gated.digest != plain.digest
