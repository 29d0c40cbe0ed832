"""An expression before the run: parsed, type-checked against what there is, and held to the rules."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache, lru_cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from auditor.expressions.rules import LONGEST, Inspection, inspect
from auditor.expressions.schema import ROOTS, SCHEMA
from auditor.model import shown

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

LIBRARY = "cel_expr_python"

# cel-cpp's own form: ERROR: <input>:1:7: undefined field 'stat' not found in struct 'auditor.Record'
_ERROR = re.compile(r"^(?:INVALID_ARGUMENT: )?ERROR: <input>:(-?\d+):(-?\d+): (.*)$", re.MULTILINE)
_STATUS = re.compile(r"^[A-Z_]+: | \[[A-Z_]+\]$")
_FIELD = re.compile(r"undefined field '([^']*)' not found in struct 'auditor\.(\w+)'")
_NAME = re.compile(r"undeclared reference to '([^']*)'")
_EXPECTED = re.compile(r" expecting (?:\{.*\}|'.*')$")
_NO_TEXT = re.compile("[\\0\ud800-\udfff]")
_LONGEST_FAULT = 300


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with an expression."""

    text: str
    line: int | None = None
    """Counted from 1, in the expression; None where it is the whole of it."""
    column: int | None = None
    """Counted from 1."""
    unknown: str | None = None
    """A name that there is not."""
    known: tuple[str, ...] = ()
    """The names that could stand in its place."""


@dataclass(frozen=True, slots=True)
class Checked:
    """An expression that was looked at."""

    text: str
    kind: str
    """What it yields, in CEL's words: `BOOL`, `STRING`…; empty where that is not known."""
    mentions: Inspection = field(default_factory=Inspection)
    faults: tuple[Fault, ...] = ()


def library_is_there() -> bool:
    """Say whether expressions can be used: the library is an extra."""
    try:
        return find_spec(LIBRARY) is not None and find_spec("google.protobuf") is not None
    except ModuleNotFoundError:  # find_spec imports what stands above the dot
        return False


@lru_cache(maxsize=4096)
def checked(text: str) -> Checked:
    """Return what is to be known of an expression without evaluating it."""
    if (amiss := _unfit(text)) is not None:
        return Checked(text, "", faults=(Fault(amiss),))
    from auditor.expressions.protos import read_tree  # noqa: PLC0415 -- the library is an extra

    try:
        compiled = typed_environment().compile(text)
        kind = str(compiled.return_type().name())
    except RuntimeError as error:
        return Checked(text, "", faults=tuple(_faults(str(error))))
    try:
        mentions = inspect(read_tree(compiled.serialize()))
    except ValueError:
        return Checked(text, kind, faults=(Fault("is nested too deeply; write it flatter"),))
    faults = [Fault(why, *_place(text, offset)) for offset, why in mentions.faults]
    faults += [
        Fault(
            f"{shown(pattern)} is no pattern that RE2 takes; see github.com/google/re2/wiki/Syntax",
            *_place(text, at),
        )
        for pattern, at in mentions.patterns
        if not _is_pattern(pattern)
    ]
    return Checked(text, kind, mentions, tuple(faults))


def _unfit(text: str) -> str | None:
    """Return why the library need not even be asked; None where it has to be."""
    if not text.strip():
        return 'is empty; write one, such as record.state == "Failed"'
    if len(text) > LONGEST:
        return f"is longer than {LONGEST:,} characters; shorten it, or make two policies of it"
    if _NO_TEXT.search(text):
        return "holds a character that no text can hold; remove it"
    return "has a backtick, which no name needs; leave it out" if "`" in text else None


@cache
def typed_environment() -> Any:
    """Return the environment in which expressions are type-checked."""
    from auditor.expressions.protos import PACKAGE, field_types  # noqa: PLC0415 -- as above

    cel = _library()
    types = {"string": cel.Type.STRING, "time": cel.Type.TIMESTAMP}
    variables = {name: types.get(kind) or cel.Type(f"{PACKAGE}.{kind}") for name, kind in ROOTS.items()}
    return cel.NewEnv(field_types(), variables=variables, functions=_functions(None))


def untyped_environment(now: datetime) -> Any:
    """Return the environment in which expressions are evaluated.

    Its records are mappings, in which a missing field is an error: a message would give a default in its place.
    """
    cel = _library()
    types = {"string": cel.Type.STRING, "time": cel.Type.TIMESTAMP}
    variables = {name: types.get(kind, cel.Type.DYN) for name, kind in ROOTS.items()}
    return cel.NewEnv(variables=variables, functions=_functions(now))


def _library() -> Any:
    from cel_expr_python import cel  # noqa: PLC0415 -- an extra, and of no use to a run without expressions

    return cel


def _functions(now: datetime | None) -> list[Any]:
    cel = _library()

    def declared(name: str, takes: Any, gives: Any, function: Callable[[Any], Any]) -> Any:
        return cel.FunctionDecl(name, [cel.Overload(name, gives, [takes], impl=function)])

    return [
        declared("days", cel.Type.INT, cel.Type.DURATION, lambda days: timedelta(days=days)),
        declared("age", cel.Type.TIMESTAMP, cel.Type.DURATION, lambda then: now - then),
    ]


def _faults(said: str) -> list[Fault]:
    found = [_fault(int(line), int(column), text) for line, column, text in _ERROR.findall(said)]
    # One slip makes the checker say several things: what it says of a place first is what counts.
    return found[:1] or [Fault(_tidy(said))]


def _fault(line: int, column: int, said: str) -> Fault:
    place: tuple[int | None, int | None] = (line, column) if line > 0 else (None, None)
    if match := _FIELD.search(said):
        return Fault(
            f"there is no field {shown(match[1])} here",
            *place,
            unknown=match[1],
            known=tuple(SCHEMA[match[2]]),
        )
    if match := _NAME.search(said):
        return Fault(
            f"there is nothing called {shown(match[1])}", *place, unknown=match[1], known=tuple(ROOTS)
        )
    return Fault(_tidy(said), *place)


def _tidy(said: str) -> str:
    """Return what the library said without its own names of things."""
    text = _STATUS.sub("", _STATUS.sub("", said.partition("\n")[0])).replace("auditor.", "")
    text = _EXPECTED.sub("", text).replace("'<EOF>'", "the end")
    return shown(text if len(text) <= _LONGEST_FAULT else f"{text[:_LONGEST_FAULT]}…")


def _place(text: str, offset: int) -> tuple[int, int]:
    before = text[:offset]
    return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1


def _is_pattern(pattern: str) -> bool:
    cel = _library()
    program = cel.NewEnv(variables={"p": cel.Type.STRING}).compile('"".matches(p)')
    return str(program.eval(data={"p": pattern}).type().name()) == "BOOL"
