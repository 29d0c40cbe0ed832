"""Text from outside, made fit to be shown."""

from __future__ import annotations

import re

# They change what stands before them, and can carry text that nobody sees; all the same Python calls them printable.
_VARIATION_SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")


def is_plain(text: str) -> bool:
    """Say whether every character of `text` is plainly visible, or a space.

    What is not: all that can move a cursor, break a line, turn text around or hide in it. Control and format
    characters, separators but the space, surrogates, and what no font has (Unicode categories C and Z).
    """
    return text.isprintable() and not _VARIATION_SELECTORS.search(text)


def shown(text: str) -> str:
    r"""Return `text` with every character that is not plainly visible written as its escape, such as `\x1b`."""
    if is_plain(text):
        return text
    return "".join(character if is_plain(character) else _escaped(character) for character in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
