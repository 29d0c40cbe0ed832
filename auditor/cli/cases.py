"""Cases of policies as their users write them in YAML: a record, its facts, and what must be found.

Each fault of a file is told with its line, as those of the configuration are.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from auditor.config.faults import Faults, FileKind
from auditor.config.nodes import Child, ListNode, MappingNode, Scalar
from auditor.config.reading import read_text
from auditor.config.text import listed, nearest, quoted
from auditor.config.tree import read_tree
from auditor.config.values import plain
from auditor.config.wording import key_of_no_use
from auditor.expressions import FACT_FIELDS, SCHEMA
from auditor.model import (
    ABSENT,
    NOT_ASKED,
    Fact,
    Facts,
    Image,
    Known,
    Operation,
    Snapshot,
    SourceSnapshot,
    StackRecord,
    Volume,
    epoch,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from auditor.policies import Entry

T = TypeVar("T")

_CASES = FileKind(
    begin="write cases: and a list below it, as docs/own-policies.md shows",
    name="name a file of cases, as docs/own-policies.md shows one",
    split="split the cases over several files",
)
EXPECTATIONS = ("finding", "none", "unjudged")
_OF_A_FILE = ("policy", "now", "account", "region", "cases")
_OF_A_CASE = (
    "name", "policy", "now", "account", "region", "record", "records", "facts", "expect", "message", "evidence",
)  # fmt: skip
_CLASSES: Mapping[str, type[Any]] = {
    each.__name__: each for each in (Image, Operation, Snapshot, SourceSnapshot, StackRecord, Volume)
}
_NEVER_MISSING = ("id", "snapshot_id")
ACCOUNT = "111122223333"
REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class Case:
    """One case."""

    file: str
    line: int
    name: str
    policy: str
    now: datetime
    account_id: str
    account_name: str | None
    region: str
    records: tuple[Any, ...]
    facts: Facts
    expect: str
    message: str | None
    """What the finding must say; None where any message will do."""
    evidence: Any
    """What has to stand in the evidence, among other things."""


def read_cases(path: Path, entries: Mapping[str, Entry]) -> list[Case]:
    """Return the cases in the file at `path`, in its order.

    :raises ConfigError: with every fault of the file.
    """
    faults = Faults(str(path), _CASES)
    root = read_tree(read_text(path, faults), faults)
    cases = _Reader(str(path), entries, faults).file(root)
    faults.check()
    return cases


class _Reader:
    def __init__(self, file: str, entries: Mapping[str, Entry], faults: Faults) -> None:
        self._file = file
        self._entries = entries
        self._faults = faults

    def file(self, root: Child) -> list[Case]:
        whole = self._mapping(root, "the file", "keys, one of them cases")
        self._known(whole, _OF_A_FILE)
        listed_cases = whole.get("cases")
        if (
            listed_cases is None
            or not isinstance(listed_cases.node, ListNode)
            or not listed_cases.node.children
        ):
            line = root.line if listed_cases is None else listed_cases.line
            self._faults.add(line, "there are no cases; write cases: and a list below it")
            return []
        found: list[Case] = []
        for number, child in enumerate(listed_cases.node.children, 1):
            case = self._mapping(child, f"case {number}", "keys, such as record and expect")
            self._known(case, _OF_A_CASE)
            if isinstance(child.node, MappingNode):
                found.append(self._case(number, child, {**whole, **case}))
        return found

    def _case(self, number: int, child: Child, keys: dict[str, Child]) -> Case:
        account_id, account_name = self._account(keys.get("account"))
        region = self._text(keys, "region", child) or REGION
        expect = self._text(keys, "expect", child, required="finding, none or unjudged")
        if expect and expect not in EXPECTATIONS:
            self._faults.add(
                keys["expect"].line, f"expect {quoted(expect)} is unknown; write finding, none or unjudged"
            )
        for key in ("message", "evidence"):
            if key in keys and expect in {"none", "unjudged"}:
                self._faults.add(
                    keys[key].line, f"{key} has no place where nothing is to be found; remove it"
                )
        evidence = keys.get("evidence")
        return Case(
            file=self._file,
            line=child.line,
            name=self._text(keys, "name", child) or f"case {number}",
            policy=self._policy(keys, child),
            now=self._now(keys, child),
            account_id=account_id,
            account_name=account_name,
            region=region,
            records=self._records(
                keys, child, f"arn:aws:lightsail:{region}:{account_id}:ExportSnapshotRecord/{number}"
            ),
            facts=self._facts(keys.get("facts")),
            expect=expect,
            message=self._text(keys, "message", child) or None,
            evidence=None if evidence is None else plain(evidence.node, null=None),
        )

    def _policy(self, keys: dict[str, Child], child: Child) -> str:
        policy = self._text(keys, "policy", child, required="a policy's id, here or for the whole file")
        if policy and policy not in self._entries:
            near = nearest(policy, self._entries)
            hint = f"write {near}" if near else f"the policies are {', '.join(sorted(self._entries))}"
            self._faults.add(
                keys["policy"].line,
                f"unknown policy {quoted(policy)}; {hint}, or name the configuration that has it with -c",
            )
        return policy

    def _now(self, keys: dict[str, Child], child: Child) -> datetime:
        written = self._text(keys, "now", child, required="a time, such as 2026-11-23T12:00:00Z")
        seconds = _seconds(written)
        if written and seconds is None:
            self._faults.add(
                keys["now"].line, f"now {quoted(written)} is no time; write one such as 2026-11-23T12:00:00Z"
            )
        return datetime.fromtimestamp(seconds or 0, UTC)

    def _account(self, child: Child | None) -> tuple[str, str | None]:
        if child is None:
            return ACCOUNT, None
        keys = self._mapping(child, "account", '{id: "111122223333", name: payments-prod}')
        self._known(keys, ("id", "name"))
        return self._text(keys, "id", child) or ACCOUNT, self._text(keys, "name", child) or None

    def _records(self, keys: dict[str, Child], child: Child, arn: str) -> tuple[Any, ...]:
        one, several = keys.get("record"), keys.get("records")
        if (one is None) == (several is None):
            self._faults.add(
                child.line, "write one of record, and records with a list: what the policy is to judge"
            )
            return ()
        if one is not None:
            found = [one]
        elif several is not None and isinstance(several.node, ListNode):
            found = several.node.children
            if not found:
                self._faults.add(several.line, "records is empty; write a record below it")
        else:
            self._faults.add((several or child).line, "records is no list; write one record under record")
            return ()
        return tuple(self._record(each, f"{arn}-{number}") for number, each in enumerate(found, 1))

    def _record(self, child: Child, arn: str) -> Any:
        if not isinstance(child.node, MappingNode):
            self._faults.add(child.line, "a record is a mapping; write it as AWS's command line shows one")
            return {}
        raw = plain(child.node, null=None)
        raw.setdefault("arn", arn)
        for level in (raw, raw.get("sourceInfo")):
            # AWS's command line shows times as text, and Lightsail sends them as seconds.
            if isinstance(level, dict) and isinstance(level.get("createdAt"), str):
                level["createdAt"] = seconds = _seconds(level["createdAt"])
                if seconds is None:
                    self._faults.add(
                        child.line, "createdAt is no time; write one such as 2026-11-23T12:00:00Z"
                    )
        return raw

    def _facts(self, child: Child | None) -> Facts:
        if child is None:
            return Facts()
        keys = self._mapping(child, "facts", "a mapping, such as {image: absent}")
        self._known(keys, tuple(FACT_FIELDS))
        return Facts(**{name: self._fact(name, fact) for name, fact in keys.items() if name in FACT_FIELDS})

    def _fact(self, name: str, child: Child) -> Fact[Any]:
        kind = FACT_FIELDS[name]
        if isinstance(child.node, Scalar):
            if child.node.value in {"absent", "unknown"}:
                return ABSENT if child.node.value == "absent" else NOT_ASKED
        elif not kind.startswith("["):
            return Known(self._thing(kind, name, child))
        elif isinstance(child.node, ListNode):
            things = [self._element(kind[1:-1], name, each) for each in child.node.children]
            if not things:
                self._faults.add(child.line, f"{name} is an empty list; write absent")
            return Known(frozenset(things) if kind == "[string]" else tuple(things))
        what = "a list" if kind.startswith("[") else "a mapping of its fields"
        self._faults.add(child.line, f"{name} can't be used; write absent, unknown, or {what}")
        return NOT_ASKED

    def _element(self, kind: str, name: str, child: Child) -> Any:
        if kind != "string":
            return self._thing(kind, name, child)
        if isinstance(child.node, Scalar) and isinstance(child.node.value, str):
            return child.node.value
        self._faults.add(child.line, f"an entry of {name} is no text; write it in quotes")
        return ""

    def _thing(self, kind: str, name: str, child: Child) -> Any:
        fields = SCHEMA[kind]
        keys = self._mapping(child, name, f"its fields: {listed(fields)}")
        self._known(keys, tuple(fields))
        values: dict[str, Any] = {}
        for field, of in fields.items():
            values[field] = () if of.startswith("[") else None
            if field in keys:
                values[field] = self._field(name, field, of, keys[field])
            elif field in _NEVER_MISSING or (kind, field) == ("SourceSnapshot", "arn"):
                self._faults.add(child.line, f"{name} has no {field}; write one")
        return _CLASSES[kind](**values)

    def _field(self, name: str, field: str, kind: str, child: Child) -> Any:
        value = plain(child.node, null=None)
        taken: dict[str, Any] = {
            "string": value if isinstance(value, str) else None,
            "bool": value if isinstance(value, bool) else None,
            "int": value if isinstance(value, (int, float)) and not isinstance(value, bool) else None,
            "time": _seconds(value),
            "[string]": tuple(value) if isinstance(value, list) and _all_text(value) else None,
        }
        if value is not None and taken[kind] is None:
            self._faults.add(child.line, f"{field} of {name} can't be used; write {_WANTED[kind]}")
        return () if kind.startswith("[") and taken[kind] is None else taken[kind]

    def _mapping(self, child: Child, what: str, expected: str) -> dict[str, Child]:
        if isinstance(child.node, MappingNode):
            return child.node.children
        self._faults.add(child.line, f"{what} is {child.node.kind}; write {expected}")
        return {}

    def _known(self, keys: Collection[str], known: Collection[str]) -> None:
        for key in keys:
            if key not in known:
                line = keys[key].line if isinstance(keys, dict) else None
                self._faults.add(line, key_of_no_use(key, known))

    def _text(self, keys: dict[str, Child], key: str, at: Child, *, required: str | None = None) -> str:
        child = keys.get(key)
        if child is None:
            if required is not None:
                self._faults.add(at.line, f"this case has no {key}; write {key}: {required}")
            return ""
        if isinstance(child.node, Scalar) and isinstance(child.node.value, str) and child.node.value:
            return child.node.value
        self._faults.add(child.line, f"{key} is no text; write it in quotes")
        return ""


_WANTED = {
    "string": "a text in quotes",
    "bool": "true or false",
    "int": "a number",
    "time": "a time, such as 2026-11-23T12:00:00Z",
    "[string]": "a list of texts",
}


def _seconds(value: Any) -> float | None:
    """Return a time as seconds since the epoch; one without a zone is in UTC."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    if not isinstance(value, str):
        return None
    zoned = value if value.endswith("Z") or "+" in value[10:] or "-" in value[10:] else f"{value}Z"
    return epoch(zoned)


def _all_text(values: list[Any]) -> bool:
    return all(isinstance(value, str) for value in values)
