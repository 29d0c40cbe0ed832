"""Whatever an expression in CEL says, it is refused in plain lines, or evaluated within bounds; so are messages."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from auditor.errors import Unjudgeable
from auditor.expressions import SCHEMA, Program, Template, checked, template_faults
from auditor.expressions.rules import FUNCTIONS
from auditor.expressions.schema import ROOTS, element
from auditor.model import EXPORT_RECORDS, Account, ExportRecord, Target, shown
from tests.fuzz.campaign import campaign, limited
from tests.fuzz.mutating import ODD, changed, edited
from tests.fuzz.records import ACCOUNT, FACTS, RECORDS

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from hypothesis.strategies import SearchStrategy

    from auditor.model import Facts

pytestmark = limited

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
TARGET = Target(EXPORT_RECORDS, Account(ACCOUNT, None, "arn:r", None, "s", 900, ("us-east-1",)), "us-east-1")
PATIENCE = 5.0
"""Seconds: the bound of tests/expressions/test_hostile_expressions.py, of the largest that a record can be."""

_LITERALS: dict[str, list[str]] = {
    "string": ['"Failed"', '""', "'web'", 'r"\\d+"', '"\\u202e"', "'''a\nb'''", '"a" + "b"', "string(1)"],
    "int": ["0", "1", "-1", "640", "9223372036854775807", "0x7f", "1 / 0", "size(record.name)", "1 % 7"],
    "bool": ["true", "false", "!true", "true == false"],
    "time": ["now", 'timestamp("2026-01-01T00:00:00Z")', "record.createdAt"],
    "duration": ["days(7)", 'duration("36h")', "age(record.createdAt)", "days(9223372036854775807)"],
}
_ARITHMETIC = ["+", "-", "*", "/", "%"]
_COMPARISONS = ["==", "!=", "<", "<=", ">", ">="]
_PATTERNS = ["^web-[0-9]+$", ".*", "(a+)+$", "a{1,100}", "\\\\pL", "(", "[", "x*" * 20, ".?" * 24]
_TESTS_OF_LISTS = ["exists", "all", "exists_one"]


class _Writer:
    """Writes expressions of a type, by CEL's grammar and what there is to name."""

    def __init__(self, chance: Random) -> None:
        self._chance = chance
        self._variables: list[tuple[str, str]] = [*ROOTS.items()]
        """What can be named here, and its kind."""

    def any_of(self, kind: str, depth: int) -> str:
        """Return an expression of this kind, no deeper than `depth`; now and then one of another kind."""
        if self._chance.random() < 0.02:
            kind = self._chance.choice([*_LITERALS, "[DiskInfo]", "Image"])
        make = getattr(self, f"_{kind}", None)
        if make is None or depth <= 0 or self._chance.random() < 0.2:
            return self._simple(kind)
        return str(make(depth - 1))

    def _simple(self, kind: str) -> str:
        found = self._path(kind)
        literals = _LITERALS.get(kind, ["[]"])
        return found if found and self._chance.random() < 0.7 else self._chance.choice(literals)

    def _path(self, kind: str) -> str | None:
        """Return a way from what can be named to something of this kind."""
        ways: list[str] = []
        for name, of in self._variables:
            ways += _ways(name, of, kind)
        return self._chance.choice(ways) if ways else None

    def _bool(self, depth: int) -> str:  # noqa: PLR0911 -- one for each way to say it
        chance = self._chance
        match chance.randrange(12):
            case 0 | 1:
                return f"({self.any_of('bool', depth)} {chance.choice(['&&', '||'])} {self.any_of('bool', depth)})"
            case 2:
                return f"!({self.any_of('bool', depth)})"
            case 3 | 4:
                kind = chance.choice(["string", "int", "time", "duration"])
                return f"{self.any_of(kind, depth)} {chance.choice(_COMPARISONS)} {self.any_of(kind, depth)}"
            case 5:
                test = chance.choice(["startsWith", "endsWith", "contains"])
                return f"{self.any_of('string', depth)}.{test}({self.any_of('string', depth)})"
            case 6:
                return f'{self.any_of("string", depth)}.matches("{chance.choice(_PATTERNS)}")'
            case 7 | 8:
                return self._loop(chance.choice(_TESTS_OF_LISTS), "bool", depth)
            case 9:
                return f"{self.any_of('string', depth)} in [{self.any_of('string', depth)}, 'b']"
            case 10:
                return f"has({self._path(chance.choice(['string', 'int', 'bool', 'time'])) or 'record.name'})"
            case _:
                return f"({self.any_of('bool', depth)} ? {self.any_of('bool', depth)} : {self.any_of('bool', depth)})"

    def _int(self, depth: int) -> str:
        match self._chance.randrange(4):
            case 0:
                return f"size({self.any_of('string', depth)})"
            case 1:
                return f"{self._loop('filter', 'bool', depth)}.size()"
            case 2:
                return f"{self._loop('map', self._chance.choice(['string', 'int']), depth)}.size()"
            case _:
                operator = self._chance.choice(_ARITHMETIC)
                return f"({self.any_of('int', depth)} {operator} {self.any_of('int', depth)})"

    def _string(self, depth: int) -> str:
        if self._chance.random() < 0.3:
            return f"string({self.any_of(self._chance.choice(['int', 'time', 'bool', 'duration']), depth)})"
        return f"({self.any_of('bool', depth)} ? {self.any_of('string', depth)} : {self.any_of('string', depth)})"

    def _duration(self, depth: int) -> str:
        if self._chance.random() < 0.5:
            return f"days({self.any_of('int', depth)})"
        return f"({self.any_of('time', depth)} - {self.any_of('time', depth)})"

    def _time(self, depth: int) -> str:
        return f"({self.any_of('time', depth)} {self._chance.choice('+-')} {self.any_of('duration', depth)})"

    def _loop(self, macro: str, kind: str, depth: int) -> str:
        of = self._chance.choice(["DiskInfo", "Snapshot", "Volume", "StackRecord", "string"])
        listed = self._path(f"[{of}]") or "[]"
        name = self._chance.choice(["a", "b", "c", "record"])
        self._variables.append((name, of))
        inner = self.any_of(kind, depth)
        self._variables.pop()
        return f"{listed}.{macro}({name}, {inner})"


def _ways(path: str, of: str, kind: str, levels: int = 4) -> list[str]:
    if of == kind:
        return [path]
    if levels == 0 or element(of) is not None:
        return []
    return [
        way
        for name, inner in SCHEMA.get(of, {}).items()
        for way in _ways(f"{path}.{name}", inner, kind, levels - 1)
    ]


def _written(chance: Random) -> str:
    kind = chance.choice(["bool"] * 6 + ["int", "string", "time", "duration"])
    return _Writer(chance).any_of(kind, chance.randint(1, 6))


def _message(chance: Random) -> str:
    parts = [f"{{{_Writer(chance).any_of('string', 2)}}}" for _ in range(chance.randint(1, 3))]
    return chance.choice([" of ", "{{", "}", "{", ""]).join(["A record", *parts])


WORDS = [
    *(function.encode() + b"(" for function in sorted(FUNCTIONS)),
    *b"record|facts|.|(|)|[|]|{|}|?|:|&&|||!|+|-|'|\"|\\|in|null|now|0|1u|1.5|b'x'|//|\n|`|has(|.map(a, |dyn(|type(".split(
        b"|"
    ),
    *"\u202e|\0|\u00e9|\U0001f600".encode().split(b"|"),
    b"(" * 40,
    b"!" * 200,
    b"1+" * 50,
    b"[" * 30,
]
RANDOM = st.randoms(use_true_random=True)
EXPRESSIONS: SearchStrategy[str] = st.one_of(
    RANDOM.map(_written),
    RANDOM.map(_written),
    RANDOM.map(_written)
    .flatmap(lambda text: edited(text.encode(), WORDS, most=3))
    .map(lambda text: text.decode("utf-8", "surrogateescape")),
    edited(b"", WORDS, most=15).map(lambda text: text.decode("utf-8", "replace")),
    st.text(max_size=40),
)
_MANY = {
    "sourceInfo": {"instanceSnapshotInfo": {"fromDiskInfo": [{"name": "a" * 200, "sizeInGb": 1}] * 1_000}}
}
RAWS = st.one_of(
    st.sampled_from(RECORDS),
    st.sampled_from(RECORDS).flatmap(lambda raw: changed(raw, ODD)),
    st.just(RECORDS[0] | {"name": "a" * 2_048} | _MANY),
    ODD,
)


def _evaluated(text: str, record: ExportRecord) -> str:
    seen = checked(text)
    for fault in seen.faults:
        assert shown(fault.text) == fault.text
        assert len(fault.text) < 1_000
        assert fault.line is None or 1 <= fault.line <= text.count("\n") + 1
    if seen.faults:
        return "refused"
    program = Program(text, NOW)
    try:
        data = program.data(record, TARGET)
        value = program.value(data)
        program.evidence(data)
    except Unjudgeable as error:
        why = str(error)
    else:
        return "true" if value is True else "evaluated"
    assert shown(why) == why
    return "unjudged"


def _told(text: str, record: ExportRecord) -> str:
    if template_faults(text):
        return "message refused"
    message = Template(text, NOW).message(record, TARGET)
    assert len(message) < 100_000
    return "message"


MESSAGES = st.one_of(RANDOM.map(_message), EXPRESSIONS.map(lambda text: f"{{{text}}}"))
SAID: SearchStrategy[tuple[Callable[[str, ExportRecord], str], str]] = st.one_of(
    st.tuples(st.just(_evaluated), EXPRESSIONS),
    st.tuples(st.just(_evaluated), EXPRESSIONS),
    st.tuples(st.just(_told), MESSAGES),
)


def test_an_expression_or_a_message_is_refused_or_evaluated_within_bounds() -> None:
    def judge(given: tuple[Any, Any, Facts]) -> str:
        (use, text), raw, facts = given
        return str(use(text, ExportRecord(raw, facts)))

    outcomes = {"refused", "unjudged", "true", "evaluated", "message", "message refused"}
    campaign(st.tuples(SAID, RAWS, FACTS), judge, patience=PATIENCE, outcomes=outcomes)
