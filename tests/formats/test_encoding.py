from __future__ import annotations

import json
import sys
import unicodedata
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.formats import encoded, encoded_line
from auditor.model import Control, shown

if TYPE_CHECKING:
    from collections.abc import Callable

HOSTILE = {
    "escape": "\x1b",
    "nul": "\x00",
    "line feed": "\n",
    "carriage return": "\r",
    "del": "\x7f",
    "csi": "\x9b",
    "next line": "\x85",
    "line separator": "\u2028",
    "paragraph separator": "\u2029",
    "right-to-left override": "\u202e",
    "isolate": "\u2066",
    "zero width space": "\u200b",
    "byte order mark": "\ufeff",
    "language tag": "\U000e0001",
    "tag": "\U000e0041",
}

in_all_places = pytest.mark.parametrize(
    "around",
    [
        lambda text: text,
        lambda text: {"key": text},
        lambda text: {text: "value"},
        lambda text: [{"a": {"b" + text: [text, {text: None}]}}],
    ],
    ids=["alone", "value", "key", "nested"],
)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=list(HOSTILE))
@in_all_places
def test_what_is_hostile_is_escaped_and_means_the_same(around: Callable[[str], Any], text: str) -> None:
    raw = encoded(around(f"before {text} after"))
    assert text.encode() not in raw
    assert len(raw.decode().splitlines()) == 1
    assert json.loads(raw) == around(f"before {text} after")


def test_a_character_beyond_sixteen_bits_is_escaped_as_its_two_halves() -> None:
    assert encoded("\U000e0001") == rb'"\udb40\udc01"'
    assert encoded("\x7f\u202e") == rb'"\u007f\u202e"'


def test_whatever_is_not_fit_to_be_shown_is_escaped() -> None:
    everything = "".join(map(chr, (*range(0xD800), *range(0xE000, sys.maxunicode + 1))))
    raw = encoded(everything)
    written = raw.decode()
    assert {char for char in written if shown(char) != char} == set()
    assert {unicodedata.category(char) for char in set(written)} & {"Cc", "Zl", "Zp"} == set()
    assert json.loads(raw) == everything


def test_what_is_plainly_visible_is_written_as_it_is() -> None:
    assert encoded("Zürich 数据 עברית 🙂") == '"Zürich 数据 עברית 🙂"'.encode()


@in_all_places
def test_a_lone_surrogate_is_written_as_its_escape_since_no_utf_8_can_hold_it(
    around: Callable[[str], Any],
) -> None:
    raw = encoded(around("x\ud800y"))
    assert json.loads(raw) == around(r"x\ud800y")
    assert len(raw.decode("utf-8").splitlines()) == 1


@pytest.mark.parametrize("number", [2**64, -(2**63) - 1, 10**300, 2**64 - 1, -(2**63)])
@pytest.mark.parametrize("around", [lambda it: it, lambda it: {"a": [it, "x\ud800", True]}, lambda it: (it,)])
def test_a_whole_number_is_written_out_however_large(around: Callable[[Any], Any], number: int) -> None:
    raw = encoded(around(number))
    assert str(number).encode() in raw
    assert json.loads(raw) == json.loads(json.dumps(around(number)).replace(r"\u", r"\\u"))


def test_values_are_written_as_json_has_them() -> None:
    value = MappingProxyType({"control": Control("F", "1", "direct"), "none": None, "list": (1, 2.5, True)})
    assert json.loads(encoded(value)) == {
        "control": {"framework": "F", "id": "1", "mapping": "direct"},
        "none": None,
        "list": [1, 2.5, True],
    }


def test_a_line_ends_with_a_line_feed_and_has_no_other() -> None:
    assert encoded_line({"a": "b\nc"}) == b'{"a":"b\\nc"}\n'


_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | _text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=3),
)


@given(_json)
def test_any_json_comes_back_from_one_line(value: Any) -> None:
    raw = encoded_line(value)
    assert json.loads(raw) == value
    assert len(raw.decode().splitlines()) == 1


@given(
    st.dictionaries(st.text(st.characters(), max_size=4), st.text(st.characters(), max_size=4), max_size=3)
)
def test_any_text_at_all_can_be_written_on_one_line(value: dict[str, str]) -> None:
    raw = encoded_line(value)
    assert len(raw.decode("utf-8").splitlines()) == 1
    json.loads(raw)
