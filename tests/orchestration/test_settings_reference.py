from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.settings import Settings
from orchestration.settings_layers import leaves
from orchestration.settings_reference import reference

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


def row(setting: str) -> list[str]:
    (line,) = (line for line in reference().splitlines() if line.startswith(f"| `{setting}` |"))
    return line.strip("| ").split(" | ")


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference(), "run scripts/reference-docs"


@pytest.mark.parametrize("setting", [key for key, _ in leaves(Settings())])
def test_every_setting_has_a_meaning(setting: str) -> None:
    assert len(row(setting)[1].split()) > 2


@pytest.mark.parametrize(
    ("setting", "values", "default"),
    [
        ("inspection.threshold", "whole number from 1 to 255", "`128`"),
        ("joining.along_gap_mm", "number above 0 and up to 1000", "`15.0`"),
        ("model.precision", "`auto`, `fp32`, `bf16`", "`auto`"),
        ("redis.embedded", "`true`, `false`", "`true`"),
        ("spool.limit_bytes", "whole number from 33554432", "`10000000000`"),
    ],
)
def test_a_row_says_what_its_setting_takes(setting: str, values: str, default: str) -> None:
    assert row(setting)[2:] == [values, default]


def test_an_inherited_setting_has_the_meaning_of_its_model() -> None:
    assert row("kafka.bootstrap_servers")[1].startswith("`host:port` of one broker at least")
