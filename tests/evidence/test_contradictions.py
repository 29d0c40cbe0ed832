"""What findings and ledger say has to follow from the answers: whoever changes one of them and seals anew is named."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from auditor.audit.contradictions import contradictions
from auditor.cli.replays import own_configuration
from auditor.evidence.reading import Evidence
from auditor.simulator.faults import Fault, FaultKind
from tests.evidence.conftest import estate_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.evidence.conftest import Record


def resealed(folder: Path, name: str, change: Callable[[list[dict[str, Any]]], object]) -> Evidence:
    """The evidence after somebody has changed the lines of a file, and named its new digest."""
    path = folder / name
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    change(lines)
    path.write_bytes(b"".join(json.dumps(line, separators=(",", ":")).encode() + b"\n" for line in lines))
    evidence = Evidence.open(folder)
    subjects = {**evidence.manifest.subjects, name: sha256(path.read_bytes()).hexdigest()}
    evidence.manifest = replace(evidence.manifest, subjects=subjects)
    return evidence


def told(evidence: Evidence) -> Iterator[str]:
    return contradictions(evidence, own_configuration)


def test_what_a_run_found_follows_from_its_answers_whatever_went_wrong(record: Record) -> None:
    faults = (
        Fault(FaultKind.ACCESS_DENIED, region="us-east-1", page=2),
        Fault(FaultKind.ACCESS_DENIED, operation="DescribeSnapshots", region="eu-west-1"),
        Fault(FaultKind.THROTTLE, region="eu-west-1", page=1, times=1),
    )
    run = record(*faults, estate=estate_of(afterlife=True))
    assert list(told(Evidence.open(run.folder))) == []


@pytest.mark.parametrize(
    "hang",
    [
        Fault(FaultKind.HANG, page=2),
        Fault(FaultKind.HANG, operation="DescribeImages"),
        Fault(FaultKind.HANG, operation="DescribeVolumes"),
        Fault(FaultKind.HANG, operation="GetInstanceSnapshots", page=2),
    ],
    ids=lambda fault: str(fault.operation),
)
def test_so_it_does_where_the_deadline_came_while_it_was_read(record: Record, hang: Fault) -> None:
    run = record(hang, estate=estate_of(accounts=2, afterlife=True), deadline=timedelta(seconds=1.5))
    assert {line["reason"] for line in run.lines("coverage.jsonl")} >= {"deadline"}
    assert list(told(Evidence.open(run.folder))) == []


def test_so_it_does_with_a_history(record: Record) -> None:
    for name in ("first", "second"):
        run = record(estate=estate_of(seed=len(name)), extra="history: {}\n", into=name)
        assert list(told(Evidence.open(run.folder))) == []


FORGERIES: dict[str, tuple[Callable[[Any], object], str]] = {
    "milder": (lambda lines: lines[0].update(severity="info"), "is not what the answers say: severity"),
    "of-less": (lambda lines: lines[1]["evidence"].clear(), "is not what the answers say: evidence"),
    "taken-away": (lambda lines: lines.pop(2), "follows from the answers, and is not there"),
    "made-up": (
        lambda lines: lines.append(lines[0] | {"finding_id": "0" * 64, "policy": "made-up"}),
        "does not follow from the answers",
    ),
    "called-resolved": (lambda lines: lines[0].update(status="resolved"), "is not what the answers say"),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_finding_that_was_changed_is_named(record: Record, forgery: str) -> None:
    run = record(estate=estate_of(accounts=1))
    change, said = FORGERIES[forgery]
    (fault,) = told(resealed(run.folder, "findings.jsonl", change))
    assert fault.startswith("findings.jsonl: ")
    assert said in fault


@pytest.mark.parametrize(("field", "value"), [("records", 1), ("pages", 99), ("unjudged", {"x": 1})])
def test_a_ledger_line_that_was_changed_is_named(record: Record, field: str, value: object) -> None:
    run = record(estate=estate_of(accounts=1))
    (fault,) = told(resealed(run.folder, "coverage.jsonl", lambda lines: lines[0].update({field: value})))
    assert fault.startswith("coverage.jsonl: ")
    assert f"{field} is {value}, and by the answers" in fault


def test_policies_that_changed_since_are_said_and_nothing_is_called_false(record: Record) -> None:
    run = record(estate=estate_of(accounts=1))
    policies = run.folder / "evidence" / "policies.json"
    text = json.loads(policies.read_bytes())
    text["oversized-disk"]["digest"] = "0" * 64
    policies.write_bytes(json.dumps(text).encode())
    evidence = Evidence.open(run.folder)
    digest = sha256(policies.read_bytes()).hexdigest()
    evidence.manifest = replace(
        evidence.manifest, subjects={**evidence.manifest.subjects, "evidence/policies.json": digest}
    )
    (fault,) = told(evidence)
    assert "the run judged by other policies than this auditor has" in fault
