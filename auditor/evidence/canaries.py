"""Whether a secret stands in what was received: an answer that tells one is not kept."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import quote
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Iterable

_SHORTEST = 6
"""Characters: a shorter ExternalId stands in many a body by chance, and is looked for in error answers alone."""
_PART = 40
"""Characters of a long secret that tell it by themselves."""


def holds_secret(text: bytes, secrets: Iterable[str], *, is_page: bool = False) -> bool:
    """Say whether one of the secrets stands in `text`, as it is or as URLs, JSON and XML write it.

    :param is_page: whether it is a page of records, in which a short text says nothing.
    """
    least = _SHORTEST if is_page else 1
    return any(form in text for secret in secrets if len(secret) >= least for form in _forms(secret))


@lru_cache(maxsize=8192)
def _forms(secret: str) -> tuple[bytes, ...]:
    part = secret[:_PART]
    written = (part, quote(part, safe=""), part.replace("/", "\\/"), escape(part, {'"': "&quot;"}))
    return tuple({form.encode("utf-8", "surrogatepass"): None for form in written})
