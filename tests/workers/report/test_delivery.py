from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from workers.report.delivery import Delivery, delivery_json

START = datetime(2025, 5, 4, 6, 0, tzinfo=UTC)


def test_delivery_survives_its_json() -> None:
    delivery = Delivery(path="distributed", started_at=START, frames_sent=12, cache_hits=5)
    assert Delivery.from_json(delivery_json(delivery)) == delivery
    assert json.loads(delivery_json(Delivery()))["frames_sent"] is None


def test_elapsed_needs_both_ends() -> None:
    assert Delivery(started_at=START, closed_at=START + timedelta(seconds=2.5)).elapsed_s == 2.5
    assert Delivery(started_at=START).elapsed_s is None


def test_a_count_below_zero_and_a_time_without_zone_are_refused() -> None:
    with pytest.raises(ValidationError):
        Delivery(duplicates=-1)
    with pytest.raises(ValidationError):
        Delivery(started_at=datetime(2025, 5, 4, 6, 0))  # noqa: DTZ001 - what is being refused
