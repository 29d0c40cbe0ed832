"""Durations, as the file and the command line take them."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.config import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90s", timedelta(seconds=90)),
        ("30m", timedelta(minutes=30)),
        ("24h", timedelta(days=1)),
        ("3d", timedelta(days=3)),
        ("36500d", timedelta(days=36_500)),
    ],
)
def test_a_number_and_a_unit_are_a_duration(text: str, expected: timedelta) -> None:
    assert parse_duration(text) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("30", "'30' has no unit; write 30s, 30m, 30h or 30d"),
        ("", "'' is no duration; write a whole number and one unit, such as 90s, 30m, 24h or 3d"),
        ("0s", "'0s' is not above zero; write"),
        ("-5m", "'-5m' is not above zero; write"),
        ("+5m", "'+5m' is no duration"),
        ("05m", "'05m' is no duration"),
        ("1.5h", "'1.5h' is no duration"),
        ("1h30m", "'1h30m' is no duration"),
        ("3 d", "'3 d' is no duration"),
        ("3D", "'3D' is no duration"),
        ("3weeks", "'3weeks' is no duration"),
        ("٣d", "'٣d' is no duration"),
        ("36501d", "'36501d' is too long; write 36500d or less"),
        ("9" * 5000 + "s", "is too long"),
        ("3d\n", r"'3d\n' is no duration"),
        ("\x1b[31m", r"'\x1b[31m' is no duration"),
    ],
)
def test_anything_else_is_refused_with_what_to_write(text: str, said: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 -- the text is compared below
        parse_duration(text)
    assert said in str(caught.value)
    assert len(str(caught.value)) < 200


@given(st.integers(min_value=1, max_value=36_500 * 86_400))
def test_what_is_written_is_read_back(seconds: int) -> None:
    duration = timedelta(seconds=seconds)
    assert parse_duration(format_duration(duration)) == duration


@given(st.text())
def test_any_text_is_a_duration_or_a_value_error(text: str) -> None:
    with suppress(ValueError):
        assert parse_duration(text) > timedelta(0)
