"""Words for messages: text from the file made fit to be shown, and the nearest of what is known."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from auditor.model import shown

if TYPE_CHECKING:
    from collections.abc import Iterable

LONGEST_SHOWN = 80
"""Characters of a value that a message shows, and of a name compared with those known."""


def quoted(text: str) -> str:
    """Return `text` in single quotes, escaped, and cut where it is long."""
    return f"'{cut(text)}'"


def cut(text: str, length: int = LONGEST_SHOWN) -> str:
    """Return `text` escaped, and cut to about `length` characters."""
    return shown(text if len(text) <= length else text[:length] + "…")


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the one of `known` that `word` was most likely meant to be; None where none is near."""
    # People mix up cases and the two dashes. Comparing is quadratic in the length, and no known name is long.
    plain = {_plain(name): name for name in known}
    found = get_close_matches(_plain(word[:LONGEST_SHOWN]), plain, n=1)
    return plain[found[0]] if found else None


def _plain(name: str) -> str:
    return name.strip().lower().replace("-", "_")


def listed(names: Iterable[str]) -> str:
    """Return `names` as a sentence lists them: `a, b and c`."""
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
