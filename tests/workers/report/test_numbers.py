from __future__ import annotations

import pytest

from workers.report import numbers


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (numbers.metres(12_345.6), "12.35"),
        (numbers.metres(1_234_567_890, 0), "1\u202f234\u202f568"),
        (numbers.millimetres(None), "\u2013"),
        (numbers.millimetres(9.94), "9.9"),
        (numbers.millimetres(9.96), "10"),
        (numbers.millimetres(-0.01), "0.0"),
        (numbers.area(0), "0 mm²"),
        (numbers.area(9_999), "9\u202f999 mm²"),
        (numbers.area(10_000), "100 cm²"),
        (numbers.percent(1), "100 %"),
        (numbers.percent(0.99999), "99.99 %"),
        (numbers.percent(0.994996), "99.49 %"),
        (numbers.percent(0.98999), "98.9 %"),
        (numbers.percent(0.9951), "99.51 %"),
        (numbers.percent(0.5), "50.0 %"),
        (numbers.count(10**24 + 1), "1" + "\u202f000" * 7 + "\u202f001"),
        (numbers.counted(1, "frame"), "1 frame"),
        (numbers.counted(2_000, "frame"), "2\u202f000 frames"),
    ],
)
def test_numbers_read_as_on_the_shop_floor(text: str, expected: str) -> None:
    assert text == expected
