"""A message with fields in it: `"{record.name} is public"`. Each `{…}` is an expression; `{{` and `}}` are braces."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

from auditor.errors import Unjudgeable
from auditor.expressions.checking import Fault, checked
from auditor.expressions.evaluating import Program
from auditor.model import shown

if TYPE_CHECKING:
    from auditor.model import ExportRecord, Target

UNKNOWN = "?"
"""What stands for a part that can't be evaluated: a finding is not lost for its words."""

_PARTS = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]|[^{}]+")
_SINGLE = frozenset({"STRING", "INT", "DOUBLE", "BOOL", "TIMESTAMP", "DURATION"})
_LONGEST = 2_000
_MOST_LOOPS = 4
"""All, exists, map and so on in a message, whose parts are evaluated one by one."""
_CHANGING = "the message may not change from night to night: leave out now and age()"


class Template:
    """A message's template that was checked, ready for records."""

    def __init__(self, text: str, now: datetime) -> None:
        self._parts: list[str | Program] = [
            part if isinstance(part, str) else Program(part[0], now) for part in _split(text)
        ]

    def message(self, record: ExportRecord, target: Target | None) -> str:
        """Return the message about this record."""
        return "".join(part if isinstance(part, str) else _told(part, record, target) for part in self._parts)


def template_faults(text: str) -> list[Fault]:
    """Return what is wrong with a template."""
    if len(text) > _LONGEST:
        return [Fault(f"is longer than {_LONGEST:,} characters; shorten it")]
    faults: list[Fault] = []
    loops = 0
    for part in _split(text):
        if isinstance(part, str):
            continue
        expression, column = part
        if not expression.strip():
            text = "nothing stands between the braces; write an expression there, or {{}} for braces"
            faults.append(Fault(text, None, column))
            continue
        if expression in "{}":
            faults.append(Fault(f"a brace that stands alone; write {expression} twice", None, column))
            continue
        seen = checked(expression)
        faults += [_moved(fault, column) for fault in seen.faults]
        if not seen.faults and seen.kind not in _SINGLE:
            faults.append(Fault("a list or a thing of several fields; write one of its fields", None, column))
        if "now" in seen.mentions.paths or seen.mentions.clock:
            faults.append(Fault(_CHANGING, None, column))
        loops += seen.mentions.loops
        if loops > _MOST_LOOPS >= loops - seen.mentions.loops:
            faults.append(
                Fault(
                    f"more than {_MOST_LOOPS} calls of all, exists, map or filter; write fewer", None, column
                )
            )
    return faults


def template_facts(text: str) -> frozenset[str]:
    """Return the names of the facts that a template without faults mentions."""
    parts = [part for part in _split(text) if not isinstance(part, str)]
    return frozenset().union(*(checked(expression).mentions.facts for expression, _ in parts))


def _split(text: str) -> list[str | tuple[str, int]]:
    """Return the texts, and the expressions with the columns at which they begin."""
    found: list[str | tuple[str, int]] = []
    for match in _PARTS.finditer(text):
        if match[0] in {"{{", "}}"}:
            found.append(match[0][0])
        elif match[1] is not None:
            found.append((match[1], match.start() + 2))
        elif match[0] in {"{", "}"}:
            found.append((match[0], match.start() + 1))
        else:
            found.append(match[0])
    return found


def _moved(fault: Fault, column: int) -> Fault:
    inside = fault.column or 1
    return Fault(fault.text, None, column + inside - 1, fault.unknown, fault.known)


def _told(program: Program, record: ExportRecord, target: Target | None) -> str:
    try:
        value: Any = program.value(program.data(record, target))
    except Unjudgeable:
        return UNKNOWN
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return UNKNOWN if value is None else shown(str(value))
