"""Cases of policies as their users write them in YAML: a record, its facts, and what must be found.

Each fault of a file is told with its line, as those of the configuration are.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from auditor.cli.case_facts import FactsReader
from auditor.cli.case_nodes import CaseNodes, seconds_of
from auditor.config.faults import Faults, FileKind
from auditor.config.nodes import Child, ListNode, MappingNode
from auditor.config.reading import read_text
from auditor.config.text import nearest, quoted
from auditor.config.tree import read_tree
from auditor.config.values import plain

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from auditor.model import (
        Facts,
    )
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
        self._nodes = CaseNodes(faults)

    def file(self, root: Child) -> list[Case]:
        whole = self._nodes.mapping(root, "the file", "keys, one of them cases")
        self._nodes.check_known(whole, _OF_A_FILE)
        listed_cases = whole.get("cases")
        if (
            listed_cases is None
            or not isinstance(listed_cases.node, ListNode)
            or not listed_cases.node.children
        ):
            line = root.line if listed_cases is None else listed_cases.line
            self._nodes.note(line, "there are no cases; write cases: and a list below it")
            return []
        found: list[Case] = []
        for number, child in enumerate(listed_cases.node.children, 1):
            case = self._nodes.mapping(child, f"case {number}", "keys, such as record and expect")
            self._nodes.check_known(case, _OF_A_CASE)
            if isinstance(child.node, MappingNode):
                found.append(self._case(number, child, {**whole, **case}))
        return found

    def _case(self, number: int, child: Child, keys: dict[str, Child]) -> Case:
        account_id, account_name = self._account(keys.get("account"))
        region = self._nodes.text(keys, "region", child) or REGION
        expect = self._nodes.text(keys, "expect", child, required="finding, none or unjudged")
        if expect and expect not in EXPECTATIONS:
            self._nodes.note(
                keys["expect"].line, f"expect {quoted(expect)} is unknown; write finding, none or unjudged"
            )
        for key in ("message", "evidence"):
            if key in keys and expect in {"none", "unjudged"}:
                self._nodes.note(
                    keys[key].line, f"{key} has no place where nothing is to be found; remove it"
                )
        evidence = keys.get("evidence")
        return Case(
            file=self._file,
            line=child.line,
            name=self._nodes.text(keys, "name", child) or f"case {number}",
            policy=self._policy(keys, child),
            now=self._now(keys, child),
            account_id=account_id,
            account_name=account_name,
            region=region,
            records=self._records(
                keys, child, f"arn:aws:lightsail:{region}:{account_id}:ExportSnapshotRecord/{number}"
            ),
            facts=FactsReader(self._nodes).facts(keys.get("facts")),
            expect=expect,
            message=self._nodes.text(keys, "message", child) or None,
            evidence=None if evidence is None else plain(evidence.node, null=None),
        )

    def _policy(self, keys: dict[str, Child], child: Child) -> str:
        policy = self._nodes.text(keys, "policy", child, required="a policy's id, here or for the whole file")
        if policy and policy not in self._entries:
            near = nearest(policy, self._entries)
            hint = f"write {near}" if near else f"the policies are {', '.join(sorted(self._entries))}"
            self._nodes.note(
                keys["policy"].line,
                f"unknown policy {quoted(policy)}; {hint}, or name the configuration that has it with -c",
            )
        return policy

    def _now(self, keys: dict[str, Child], child: Child) -> datetime:
        written = self._nodes.text(keys, "now", child, required="a time, such as 2026-11-23T12:00:00Z")
        seconds = seconds_of(written)
        if written and seconds is None:
            self._nodes.note(
                keys["now"].line, f"now {quoted(written)} is no time; write one such as 2026-11-23T12:00:00Z"
            )
        return datetime.fromtimestamp(seconds or 0, UTC)

    def _account(self, child: Child | None) -> tuple[str, str | None]:
        if child is None:
            return ACCOUNT, None
        keys = self._nodes.mapping(child, "account", '{id: "111122223333", name: payments-prod}')
        self._nodes.check_known(keys, ("id", "name"))
        return self._nodes.text(keys, "id", child) or ACCOUNT, self._nodes.text(keys, "name", child) or None

    def _records(self, keys: dict[str, Child], child: Child, arn: str) -> tuple[Any, ...]:
        one, several = keys.get("record"), keys.get("records")
        if (one is None) == (several is None):
            self._nodes.note(
                child.line, "write one of record, and records with a list: what the policy is to judge"
            )
            return ()
        if one is not None:
            found = [one]
        elif several is not None and isinstance(several.node, ListNode):
            found = several.node.children
            if not found:
                self._nodes.note(several.line, "records is empty; write a record below it")
        else:
            self._nodes.note((several or child).line, "records is no list; write one record under record")
            return ()
        return tuple(self._record(each, f"{arn}-{number}") for number, each in enumerate(found, 1))

    def _record(self, child: Child, arn: str) -> Any:
        if not isinstance(child.node, MappingNode):
            self._nodes.note(child.line, "a record is a mapping; write it as AWS's command line shows one")
            return {}
        raw = plain(child.node, null=None)
        raw.setdefault("arn", arn)
        for level in (raw, raw.get("sourceInfo")):
            # AWS's command line shows times as text, and Lightsail sends them as seconds.
            if isinstance(level, dict) and isinstance(level.get("createdAt"), str):
                level["createdAt"] = seconds = seconds_of(level["createdAt"])
                if seconds is None:
                    self._nodes.note(
                        child.line, "createdAt is no time; write one such as 2026-11-23T12:00:00Z"
                    )
        return raw
