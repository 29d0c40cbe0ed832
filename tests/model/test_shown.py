from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.model import shown

# Unicode Standard Annex 9: what turns text around.
BIDI = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


@pytest.mark.parametrize(
    ("raw", "fit"),
    [
        ("\x1b[31mred", r"\x1b[31mred"),
        ("a\r\nb\tc", r"a\r\nb\tc"),
        ("\x00\x7f\x9b", r"\x00\x7f\x9b"),
        ("\u2028\u2029\x85", r"\u2028\u2029\x85"),
        ("\u202egpj.exe", r"\u202egpj.exe"),
        ("\u200b\ufeff", r"\u200b\ufeff"),
        ("\U000e0041", r"\U000e0041"),
        ("\ud800", r"\ud800"),
    ],
)
def test_what_a_terminal_would_obey_is_written_as_its_escape(raw: str, fit: str) -> None:
    assert shown(raw) == fit


@pytest.mark.parametrize(
    "text", ["", "plain", "Ünïcödé", "数据", "עברית", "🙂", "a b", '"quoted" \\ <b> =1+1']
)
def test_what_is_plainly_visible_stays(text: str) -> None:
    assert shown(text) == text


def test_no_character_gets_through_that_moves_breaks_or_turns_text() -> None:
    for code in range(sys.maxunicode + 1):
        char = chr(code)
        hostile = (
            unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} or unicodedata.bidirectional(char) in BIDI
        )
        if hostile:
            assert shown(char).isascii(), f"U+{code:04X}"
        assert len(f"a{shown(char)}b".splitlines()) == 1, f"U+{code:04X}"


@given(st.text(st.characters()))
def test_what_is_shown_can_be_written_and_is_one_line(text: str) -> None:
    fit = shown(text)
    fit.encode("utf-8")
    assert len(fit.splitlines()) <= 1
    assert shown(fit) == fit
