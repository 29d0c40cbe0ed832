"""Page tokens that only the server can make: each names a page of one listing, and is good for no other."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

_NUMBER = re.compile(r"[1-9][0-9]{0,8}")
PAGE, EMPTY = "p", "e"
"""What a token leads to: a page, or the page that an empty one was put in before."""


@dataclass(frozen=True, slots=True)
class PageAsked:
    """The page that a request asks for."""

    number: int
    """Counted from 1."""
    token: str | None
    after_empty: bool = False


FIRST_PAGE = PageAsked(1, None)


def token_for(listing: str, number: int, mark: str = PAGE) -> str:
    """Return the token of a page of `listing`, a text that tells it from all others."""
    seal = hashlib.sha256(f"{listing}/{mark}.{number}".encode()).hexdigest()
    return f"{mark}.{number}-{seal}"


def looped(number: int, first: int | None) -> int:
    """Return the page that follows where, from page `first` on, two lead to each other, whatever is in them."""
    return number + 1 if number < (first or 1) + 2 else number - 1


def page_of(listing: str, token: str) -> PageAsked | None:
    """Return the page that `token` names; None where it is no token of `listing`."""
    mark, _, number = token.partition("-")[0].partition(".")
    if not _NUMBER.fullmatch(number) or token != token_for(listing, int(number), mark):
        return None
    return PageAsked(int(number), token, after_empty=mark == EMPTY)
