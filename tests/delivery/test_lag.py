from __future__ import annotations

from datetime import datetime

from auditor.delivery.lag import Lag
from auditor.history import Due, Event

BEGAN = "2026-11-25T01:00:00Z"
AT = datetime.fromisoformat(BEGAN).timestamp()


def due(began: str | None) -> Due:
    return Due(1, Event("e", "finding", b"{}"), "run-1", 0, None, began)


def test_the_lag_is_counted_from_the_start_of_the_run_that_tells_of_each() -> None:
    lag = Lag()
    lag.took([due(BEGAN), due("2026-11-24T01:00:00Z")], AT + 60)
    lag.took([due(BEGAN)], AT + 120)
    assert lag.longest == 86_460
    assert lag.mean == (60 + 86_460 + 120) / 3


def test_where_nothing_was_taken_there_is_none() -> None:
    lag = Lag()
    lag.took([due(None)], AT)
    assert (lag.longest, lag.mean) == (None, None)


def test_a_clock_that_was_set_back_makes_no_lag_of_less_than_nothing() -> None:
    lag = Lag()
    lag.took([due(BEGAN)], AT - 3_600)
    assert (lag.longest, lag.mean) == (0, 0)
