"""An event too large for its receiver, cut by one rule for all.

A finding loses its `evidence` first, then the end of its `message`. A gap loses the end of its `error_message`; the
event of a run loses what is listed one by one: `scope`'s lists, and those of `waivers` and `accepted_gaps`. What was
cut says so: `truncated` is true. What is too large even so is not sent, and is a dead letter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from auditor.formats import encoded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditor.history import Event

_LONG_TEXT = {"auditor.finding/1": "message", "auditor.gap/1": "error_message"}
"""Schema → the text that is cut."""
_ELLIPSIS = "…"
_SHORTEST = 64
"""Characters of a text that are left at the least."""


def body_of(event: Event) -> bytes:
    """Return the event as it is sent: one line of JSON, in which nothing hostile is left unescaped."""
    if event.body.isascii() and b"\x7f" not in event.body:
        return event.body  # as nearly all is
    return encoded(orjson.loads(event.body))


def fitted(body: bytes, most: int) -> bytes | None:
    """Return the event within `most` bytes, cut where it has to be; None where that can't be done."""
    if len(body) <= most:
        return body
    told: dict[str, Any] = orjson.loads(body)
    told["truncated"] = True
    return next((cut for cut in map(encoded, _ever_less(told, most)) if len(cut) <= most), None)


def _ever_less(told: dict[str, Any], most: int) -> Iterator[dict[str, Any]]:
    schema = told["schema"]
    if schema == "auditor.run/1":
        for key in ("waivers", "accepted_gaps", "scope"):
            told = told | {key: _without_lists(told.get(key))}
            yield told
        return
    if told.get("evidence"):
        told = told | {"evidence": {}}
        yield told
    key = _LONG_TEXT.get(schema, "")
    text = told.get(key)
    if not isinstance(text, str):
        return
    over = len(encoded(told)) - most
    # A character is a byte at the least: so many have to go, and perhaps more where what is left is no ASCII.
    keep = max(len(text) - over - len(_ELLIPSIS.encode()), _SHORTEST)
    while True:
        yield told | {key: text[:keep] + _ELLIPSIS} if keep < len(text) else told
        if keep <= _SHORTEST:
            return
        keep = max(keep // 2, _SHORTEST)


def _without_lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: [] if isinstance(item, list) else _without_lists(item) for key, item in value.items()}
    return value
