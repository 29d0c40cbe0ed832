"""Which expressions are taken: those whose run time and memory a record's size bounds, and what they mention.

The library itself ends an evaluation after 10,000 turns of its loops, parses no deeper than 32 levels, and matches
regular expressions with RE2, in time linear in the text. What could still grow is refused here: joining texts and
lists (they double with each step of a chain), comparing lists (nested ones share their parts, and comparing does
not), building maps, patterns made at run time, and any function that is not listed. A pattern is compiled at every
turn of a loop, so that there it has to be short.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from auditor.expressions.schema import ROOTS, SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST = 2_000
"""Characters of an expression."""

MOST_SEARCHES = 8
"""Calls of `matches` and `contains` in an expression: the only ones whose time grows with two texts."""

LONGEST_IN_LOOP = 50
"""Characters of the one pattern that may stand inside of a loop: 10,000 turns of `.?` over and over take 2 s."""
_LARGE = re.compile(r"\{[0-9]|\\[pP]")
"""Short parts of patterns that are large once they are compiled: counted repetitions, classes of Unicode."""

_OPERATORS = frozenset(
    "_&&_ _||_ !_ _==_ _!=_ _<_ _<=_ _>_ _>=_ _+_ _-_ _*_ _/_ _%_ -_ _?_:_ _[_] @in "
    "@not_strictly_false __not_strictly_false__".split()
)
FUNCTIONS = frozenset(
    "size contains startsWith endsWith matches timestamp duration int double string days age getFullYear getMonth "
    "getDate getDayOfMonth getDayOfWeek getDayOfYear getHours getMinutes getSeconds getMilliseconds".split()
)
"""What can be called, beside the macros has, all, exists, exists_one, map and filter."""

_JOINS = frozenset({"add_string", "add_bytes", "add_list"})
_COMPARES = frozenset({"_==_", "_!=_", "@in"})
_SEARCHES = frozenset({"matches", "contains"})


@dataclass(slots=True)
class Inspection:
    """What was seen in one expression."""

    paths: dict[str, None] = field(default_factory=dict)
    """What it mentions, from its root: `record.sourceInfo.name`; in order of mention."""
    fields: set[str] = field(default_factory=set)
    """The name of every field that it reads, of whatever."""
    patterns: list[tuple[str, int]] = field(default_factory=list)
    """Each regular expression, and the place of its call."""
    loops: int = 0
    """The number of its all, exists, exists_one, map and filter."""
    clock: bool = False
    """Whether it asks how old something is."""
    faults: list[tuple[int, str]] = field(default_factory=list)
    """The offset in the text, and what is wrong there."""

    @property
    def roots(self) -> frozenset[str]:
        """What it begins with: `record` or `facts`, say."""
        return frozenset(path.partition(".")[0] for path in self.paths)

    @property
    def facts(self) -> frozenset[str]:
        """The names of the facts that it mentions."""
        return frozenset(path.split(".")[1] for path in self.paths if path.startswith("facts."))


def inspect(tree: Any) -> Inspection:
    """Return what is mentioned in a checked expression, and what can't be taken of it."""
    inspector = _Inspector(tree)
    inspector.walk(tree.expr)
    if inspector.searches > MOST_SEARCHES:
        inspector.seen.faults.append(
            (0, f"more than {MOST_SEARCHES} calls of matches and contains; write fewer")
        )
    return inspector.seen


class _Inspector:
    def __init__(self, tree: Any) -> None:
        self.seen = Inspection()
        self.searches = 0
        self._matched_in_loops = 0
        self._types = {entry.key: entry.value for entry in tree.types}
        self._overloads = {entry.key: frozenset(entry.value.overloads) for entry in tree.references}
        self._positions = {entry.key: entry.value for entry in tree.source.positions}
        self._results: list[str] = []
        """The names under which the loops around gather their results."""

    def walk(self, expr: Any) -> None:
        """Look at an expression, and all that is in it."""
        if expr.HasField("select"):
            self._select(expr)
        elif expr.HasField("ident"):
            self._ident(expr)
        elif expr.HasField("call"):
            self._call(expr)
        elif expr.HasField("loop"):
            self._loop(expr)
        elif expr.HasField("struct"):
            self._refuse(expr, "maps and messages can't be made here; compare field by field")
        elif expr.HasField("list"):
            for each in expr.list.elements:
                self.walk(each)

    def _select(self, expr: Any) -> None:
        names: list[str] = []
        inner = expr
        while inner.HasField("select"):
            names.append(inner.select.field)
            inner = inner.select.operand
        self.seen.fields.update(names)
        if inner.HasField("ident") and inner.ident.name in ROOTS:
            self.seen.paths[".".join([inner.ident.name, *reversed(names)])] = None
        else:
            self.walk(inner)

    def _ident(self, expr: Any) -> None:
        name = expr.ident.name
        kind = ROOTS.get(name)
        if kind in SCHEMA:
            self._refuse(
                expr, f"{name} can't be used as a whole; write one of its fields, such as {_such_as(name)}"
            )
        elif kind is not None:
            self.seen.paths[name] = None

    def _call(self, expr: Any) -> None:
        call, function = expr.call, expr.call.function
        joined = self._gathered(call)
        if joined is not None:
            self.walk(joined)
            return
        if function not in _OPERATORS and function not in FUNCTIONS:
            self._refuse(expr, f"{function}() can't be called here; there are {', '.join(sorted(FUNCTIONS))}")
        if function == "_+_" and self._overloads.get(expr.id, _JOINS) & _JOINS:
            self._refuse(expr, "texts and lists can't be joined with +; compare their parts one by one")
        if function in _COMPARES:
            self._compare(expr)
        if function in _SEARCHES:
            self.searches += 1
        if function == "matches":
            self._matches(expr)
        self.seen.clock |= function == "age"
        for each in _operands(call):
            self.walk(each)

    def _gathered(self, call: Any) -> Any:
        """Return what a loop adds to its result at one turn, where that is what the call does, and None otherwise."""
        if call.function != "_+_" or not call.args[0].HasField("ident"):
            return None
        if call.args[0].ident.name not in self._results:
            return None
        return call.args[1]

    def _compare(self, expr: Any) -> None:
        types = [self._types.get(each.id) for each in expr.call.args]
        if expr.call.function == "@in":
            types = types[:1]
        elif any(type_ is not None and type_.HasField("null") for type_ in types):
            return
        if any(type_ is not None and (type_.HasField("list") or type_.HasField("map")) for type_ in types):
            self._refuse(expr, "lists can't be compared; use size(), in, exists() or all()")
        elif any(type_ is not None and type_.HasField("dyn") for type_ in types):
            self._refuse(expr, "the types here are not known before the run; write a list of one type")
        elif any(type_ is not None and type_.HasField("message") for type_ in types):
            self._refuse(expr, "such a thing can only be compared with null; compare one of its fields")

    def _matches(self, expr: Any) -> None:
        pattern = list(_operands(expr.call))[-1]
        if pattern.HasField("constant") and pattern.constant.HasField("text"):
            self.seen.patterns.append((pattern.constant.text, self._position(expr)))
            if self._results:
                self._matches_in_loop(expr, pattern.constant.text)
        else:
            self._refuse(expr, "the pattern of matches() has to be a text in quotes")

    def _matches_in_loop(self, expr: Any, pattern: str) -> None:
        self._matched_in_loops += 1
        if len(pattern) > LONGEST_IN_LOOP or _LARGE.search(pattern):
            self._refuse(
                expr,
                f"a pattern inside of a loop has at most {LONGEST_IN_LOOP} characters, no counted repetition such as "
                "{2,9}, and no class of Unicode such as \\pL; write a shorter one, or startsWith(), endsWith() or contains()",
            )
        elif self._matched_in_loops > 1:
            self._refuse(expr, "more than one matches() inside of loops; write startsWith() or contains()")

    def _loop(self, expr: Any) -> None:
        loop = expr.loop
        self.seen.loops += 1
        if loop.variable in ROOTS:
            self._refuse(expr, f"{loop.variable} is taken; give the variable another name")
        self.walk(loop.range)
        self._results.append(loop.result_name)
        for each in (loop.begin, loop.condition, loop.step, loop.result):
            self.walk(each)
        self._results.pop()

    def _refuse(self, expr: Any, why: str) -> None:
        self.seen.faults.append((self._position(expr), why))

    def _position(self, expr: Any) -> int:
        return int(self._positions.get(expr.id, 0))


def _operands(call: Any) -> Iterator[Any]:
    if call.HasField("target"):
        yield call.target
    yield from call.args


def _such_as(root: str) -> str:
    return f"{root}.{next(iter(SCHEMA[ROOTS[root]]))}"
