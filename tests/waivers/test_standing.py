from __future__ import annotations

from datetime import date, timedelta

import pytest

from auditor.waivers import Standing, standing

TODAY = date(2025, 3, 1)


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (-400, Standing.ENDED),
        (-1, Standing.ENDED),
        (0, Standing.ENDS_SOON),  # its last day, to whose end it holds
        (14, Standing.ENDS_SOON),
        (15, Standing.HOLDS),
        (4_000, Standing.HOLDS),
    ],
)
def test_it_holds_to_the_end_of_its_last_day_and_is_announced_14_days_before(
    days: int, expected: Standing
) -> None:
    assert standing(TODAY + timedelta(days=days), TODAY) is expected
