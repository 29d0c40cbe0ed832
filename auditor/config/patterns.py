"""Names as people write them for several things at once: * stands for any characters, ? for any one."""

from __future__ import annotations

import re
from fnmatch import translate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_WILD = re.compile(r"[*?]")


def is_pattern(text: str) -> bool:
    """Say whether `text` means more than the one thing of this name."""
    return _WILD.search(text) is not None


def matcher(pattern: str) -> Callable[[str], bool]:
    """Return what says whether a whole name matches `pattern`, upper and lower case apart.

    Python's pattern never goes back over what a * has taken, so that no pattern takes long.
    """
    match = re.compile(translate(pattern.replace("[", "[[]"))).match  # brackets mean themselves
    return lambda name: match(name) is not None
