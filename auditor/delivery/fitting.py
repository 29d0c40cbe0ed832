"""An event too large for its receiver, cut by one rule for all.

A finding loses its `evidence` first, then the end of its `message`. A gap loses the end of its `error_message`, then the
list of its `accounts`; the event of a run loses what is listed one by one: `scope`'s lists, and those of `waivers` and
`accepted_gaps`. What was cut says so: `truncated` is true. What is too large even so is not sent, and is a dead letter.
An event that is told in another form is cut in the same way before it is put into that form.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from auditor.formats import encoded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from auditor.delivery.forms import Form
    from auditor.history import Event

_LONG_TEXT = {"auditor.finding/1": "message", "auditor.gap/1": "error_message"}
"""Schema → the text that is cut."""
_ELLIPSIS = "…"
_SHORTEST = 64
"""Characters of a text that are left at the least."""


def body_of(event: Event, form: Form | None = None) -> bytes:
    """Return the event as it is sent: one line of JSON, in which nothing hostile is left unescaped.

    :param form: puts it into that which its destination is told in.
    """
    if form is not None:
        return encoded(form(orjson.loads(event.body)))
    if event.body.isascii() and b"\x7f" not in event.body:
        return event.body  # as nearly all is
    return encoded(orjson.loads(event.body))


def fitted(body: bytes, most: int, form: Form | None = None) -> bytes | None:
    """Return the event within `most` bytes, cut where it has to be; None where that can't be done.

    :param body: as the outbox has it; or as it is sent, in whatever form, where nothing is said of one.
    """
    if form is None and len(body) <= most:
        return body

    def said(told: dict[str, Any]) -> bytes:
        return encoded(told if form is None else form(told))

    told: dict[str, Any] = orjson.loads(body)
    if form is not None and len(whole := said(told)) <= most:
        return whole
    if "class_uid" in told:
        told = told | {"unmapped": told["unmapped"] | {"truncated": True}}
    else:
        told["truncated"] = True
    return next((cut for cut in map(said, _ever_less(told, most, said)) if len(cut) <= most), None)


def _ever_less(
    told: dict[str, Any], most: int, said: Callable[[dict[str, Any]], bytes]
) -> Iterator[dict[str, Any]]:
    schema = told.get("schema")
    if schema is None:
        yield from _ever_less_ocsf(told, most, said)
        return
    if schema == "auditor.run/1":
        for key in ("waivers", "accepted_gaps", "scope"):
            told = told | {key: _without_lists(told.get(key))}
            yield told
        return
    if told.get("evidence"):
        told = told | {"evidence": {}}
        yield told
    for cut in _ever_shorter(told, _LONG_TEXT.get(schema, ""), most, said):
        told = cut
        yield told
    if told.get("accounts"):
        yield told | {"accounts": []}


def _ever_less_ocsf(
    told: dict[str, Any], most: int, said: Callable[[dict[str, Any]], bytes]
) -> Iterator[dict[str, Any]]:
    """Yield an event that is in OCSF already with ever less: what an envelope of its own leaves no room for."""
    unmapped = told["unmapped"]
    if "run" in unmapped:
        told = told | {"unmapped": _without_lists(unmapped)}
        yield told
    if unmapped.get("evidence"):
        told = told | {"unmapped": unmapped | {"evidence": {}}}
        yield told
    yield from _ever_shorter(told, "message", most, said)


def _ever_shorter(
    told: dict[str, Any], key: str, most: int, said: Callable[[dict[str, Any]], bytes]
) -> Iterator[dict[str, Any]]:
    """Yield the event with ever less of one of its texts."""
    text = told.get(key)
    if not isinstance(text, str):
        return
    over = len(said(told)) - most
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
