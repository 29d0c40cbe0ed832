"""A finding as the history keeps it: as JSON, and back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import orjson

from auditor.model import Control, Cost, Finding, Resolution, ResolutionKind, Severity, Status, Waived

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
"""What no UTF-8 can hold, and what PostgreSQL has no room for."""


class Damaged(ValueError):  # noqa: N818 -- the state of what was read
    """What the database holds is not what was written to it."""


def storable(text: str) -> str:
    """Return `text` with what no database takes written as its escape."""
    if is_storable(text):
        return text
    return _UNSTORABLE.sub(lambda match: rf"\u{ord(match[0]):04x}", text)


def is_storable(text: str) -> bool:
    """Say whether every database gives `text` back as it is."""
    return (text.isascii() and "\0" not in text) or _UNSTORABLE.search(text) is None


def document(finding: Finding) -> bytes:
    """Return the finding as JSON."""
    try:
        return orjson.dumps(finding, default=dict)  # of a mapping that is no dict
    except orjson.JSONEncodeError:
        return orjson.dumps(_storable(finding), default=dict)


def read_finding(body: bytes) -> Finding:
    """Return the finding that `document` has written.

    :raises Damaged: where it is none.
    """
    try:
        return finding_of_document(orjson.loads(body))
    except (ValueError, TypeError, KeyError) as error:
        raise Damaged("no finding") from error


def finding_of_document(told: Mapping[str, Any]) -> Finding:
    """Return the finding that such a document tells of; what else stands in it is left out.

    :raises ValueError, TypeError, KeyError: where it tells of none.
    """
    waiver, cost, resolution = told["waiver"], told["cost"], told["resolution"]
    return Finding(
        **{each.name: told[each.name] for each in fields(Finding)}
        | {
            "severity": Severity(told["severity"]),
            "status": Status(told["status"]),
            "controls": tuple(Control(**each) for each in told["controls"]),
            "cost": cost and Cost(**cost),
            "waiver": waiver and Waived(**waiver),
            "resolution": resolution and read_resolution(**resolution),
        }
    )


def read_status(text: str) -> Status:
    """Return the status of this name.

    :raises Damaged: where there is none.
    """
    try:
        return Status(text)
    except ValueError as error:
        raise Damaged("no status") from error


def read_resolution(kind: str | None, why: str) -> Resolution:
    """Return the resolution that these words tell of.

    :raises Damaged: where there is none of this kind.
    """
    try:
        return Resolution(None if kind is None else ResolutionKind(kind), why)
    except ValueError as error:
        raise Damaged("no resolution") from error


def read_json(text: str | bytes | None) -> Any:
    """Return what JSON says; None where there is none.

    :raises Damaged: where it is no JSON.
    """
    try:
        return None if text is None else orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Damaged("no JSON") from error


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value)
    if is_dataclass(value) and not isinstance(value, type):
        value = {each.name: getattr(value, each.name) for each in fields(value)}
    if isinstance(value, Mapping):
        return {_storable(key): _storable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_storable(item) for item in value]
    return value
