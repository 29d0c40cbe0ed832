"""A record and its facts as an expression reads them: mappings of what it mentions, each value of its kind.

A field that is missing, null, or that EC2 did not tell is left out, so that reading it is an error. One that holds
another type than AWS documents, and that the expression reads, leaves the record unjudged: it would be unequal to
anything, and pass for that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditor.errors import UnusableField
from auditor.expressions.schema import FACT_FIELDS, SCHEMA, element
from auditor.model import known

if TYPE_CHECKING:
    from datetime import datetime

    from auditor.expressions.rules import Inspection
    from auditor.model import ExportRecord, Target

LONGEST_TEXT = 2_048
"""Characters of a text that an expression reads; AWS's names are far shorter."""
LONGEST_LIST = 1_000
"""Elements of a list that an expression reads. The library's map and filter copy what they have at each turn, so that
over 10,000 they would take 5 s and 1.6 GB."""

_INT64 = 2**63
_LAST_EPOCH = 253_402_300_799


def mapping_of(
    mentions: Inspection, record: ExportRecord, target: Target | None, now: datetime
) -> dict[str, Any]:
    """Return the variables of an expression that mentions these.

    :raises UnusableField: where one of its fields is of another type.
    :raises UnknownFact: where one of its facts is unknown.
    """
    roots = mentions.roots
    data: dict[str, Any] = {"now": now}
    if "record" in roots:
        data["record"] = _message(record.raw, "Record", "record", mentions.fields)
    if "facts" in roots:
        data["facts"] = {name: _fact(record, name, mentions.fields) for name in mentions.facts}
    if target is not None:
        data["region"] = target.region
        data["account"] = _message(
            {"id": target.account.id, "name": target.account.name}, "Account", "account", mentions.fields
        )
    return data


def _fact(record: ExportRecord, name: str, fields: set[str]) -> Any:
    kind = FACT_FIELDS[name]
    value = known(getattr(record.facts, name))
    if value is None:
        # Absent: a list of none, and null for what there is one of; CEL compares no list with null.
        return [] if element(kind) else None
    return _value(value, kind, f"facts.{name}", fields)


def _message(value: Any, message: str, path: str, fields: set[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, kind in SCHEMA[message].items():
        if name in fields:
            each = value.get(name) if isinstance(value, dict) else getattr(value, name)
            if each is not None:
                found[name] = _value(each, kind, f"{path}.{name}", fields)
    return found


def _value(value: Any, kind: str, path: str, fields: set[str]) -> Any:
    one = element(kind)
    if one is not None:
        if not isinstance(value, (list, tuple, frozenset)) or len(value) > LONGEST_LIST:
            raise UnusableField(path)
        listed = sorted(value) if isinstance(value, frozenset) else value
        return [_value(each, one, path, fields) for each in listed]
    if kind in SCHEMA:
        # JSON gives mappings, the model its own classes; a number or text is neither.
        if not isinstance(value, dict) and isinstance(value, (str, int, float, list)):
            raise UnusableField(path)
        return _message(value, kind, path, fields)
    scalar = _scalar(value, kind)
    if scalar is None:
        raise UnusableField(path)
    return scalar


def _scalar(value: Any, kind: str) -> Any:
    """Return `value` as the library takes it; None where it is not of its kind."""
    if kind == "bool" or isinstance(value, bool):
        return value if kind == "bool" and isinstance(value, bool) else None
    if kind == "string":
        if not isinstance(value, str) or len(value) > LONGEST_TEXT:
            return None
        # A name from AWS may hold lone surrogates, which no library written in C takes.
        return value.encode("utf-8", "replace").decode("utf-8")
    if not isinstance(value, (int, float)):
        return None
    if kind == "time":
        from auditor.expressions.protos import timestamp  # noqa: PLC0415 -- the library is an extra

        return timestamp(value) if 0 < value <= _LAST_EPOCH else None
    return int(value) if value == value // 1 and -_INT64 <= value < _INT64 else None
