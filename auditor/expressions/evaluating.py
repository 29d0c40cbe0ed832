"""An expression in the run: evaluated for one record, from no more than the fields that it reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditor.errors import Unjudgeable
from auditor.expressions.checking import checked, untyped_environment
from auditor.expressions.values import mapping_of
from auditor.model import rfc3339, shown

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from auditor.model import ExportRecord, Target

_MOST_SHOWN = 100
"""Elements of a list that evidence shows."""
_LONGEST_REASON = 200


class Program:
    """One checked expression, ready for records."""

    def __init__(self, text: str, now: datetime) -> None:
        self._mentions = checked(text).mentions
        self._now = now
        # Checked with types before; here without, so that what a record lacks is an error and no default.
        self._compiled = untyped_environment(now).compile(text, True)  # noqa: FBT003 -- the library's positional flag

    def data(self, record: ExportRecord, target: Target | None) -> Mapping[str, Any]:
        """Return what the expression reads of this record.

        :raises Unjudgeable: where a field that it reads is of another type, or a fact is unknown.
        """
        return mapping_of(self._mentions, record, target, self._now)

    def value(self, data: Mapping[str, Any]) -> Any:
        """Return what the expression yields.

        :raises Unjudgeable: where it can't be evaluated: a field is missing, a number divided by zero…
        """
        try:
            result = self._compiled.eval(data=data)
            kind, value = str(result.type().name()), result.plain_value()
        except (RuntimeError, TypeError, ValueError, OverflowError) as error:
            raise Unjudgeable(_said(error)) from None
        if kind == "ERROR":
            raise Unjudgeable(_said(value))
        return value

    def evidence(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields that the expression rests on, those that are missing left out."""
        found: dict[str, Any] = {}
        for path in self._mentions.paths:
            value: Any = data
            for name in path.split("."):
                value = value.get(name, _MISSING) if isinstance(value, dict) else _MISSING
            if value is not _MISSING and path != "now":
                found[path] = _plain(value)
        return found


_MISSING = object()


def _plain(value: Any) -> Any:
    """Return a value as JSON can say it."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value[:_MOST_SHOWN]]
    if hasattr(value, "ToDatetime"):
        return (
            rfc3339(value.ToDatetime()) if value.ToDatetime().tzinfo else f"{value.ToDatetime().isoformat()}Z"
        )
    return value


def _said(error: object) -> str:
    return shown(str(error)[:_LONGEST_REASON])
