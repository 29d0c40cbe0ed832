"""JUnit XML: what a CI server shows beside its tests: each finding fails one, each gap is an error of one.

A suite says how many of its tests failed before it tells of the first, so that findings are kept until there are
enough for one: a policy that finds more has several suites.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from auditor.formats.contract import Format
from auditor.formats.encoding import encoded
from auditor.formats.gaps import GapKind, accepted_text, gaps, scope_text
from auditor.formats.text import one_line
from auditor.model import ResolutionKind, Status, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from auditor.formats.gaps import Gap
    from auditor.formats.start import RunStart
    from auditor.model import Finding

_IN_A_SUITE = 200
_NAME, _MESSAGE, _DETAIL = 1_024, 2_048, 8_192
"""Bytes of a text: whole names and evidence stand in findings.jsonl."""
_COVERAGE = "coverage"


@dataclass(frozen=True, slots=True)
class _Case:
    """One test."""

    classname: str
    name: str
    outcome: str | None
    """`failure`, `error` or `skipped`, as the element is called; None where it passed."""
    type: str
    message: str
    detail: str


class OutputFormat(Format):
    """JUnit XML for CI servers: a finding is a failure, a gap an error."""

    file_name = "findings.junit.xml"

    def __init__(self, start: RunStart, variant: str | None = None) -> None:
        super().__init__(start, variant)
        self._kept: dict[str, list[_Case]] = {}
        self._suites: Counter[str] = Counter()

    def head(self) -> bytes:
        """Return the document's beginning."""
        return b'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="auditor">\n'

    def findings(self, findings: Sequence[Finding]) -> bytes:
        """Return the suites that these findings fill; the others are kept."""
        return b"".join(self._add(finding.policy, _of_finding(finding)) for finding in findings)

    def tail(self, coverage: Iterable[Mapping[str, Any]], run: Mapping[str, Any]) -> Iterator[bytes]:
        """Yield the suites that are not full, and what was not seen."""
        for name in sorted(self._kept):
            yield self._suite(name)
        read = True
        for gap in gaps(self.start, coverage):
            read = read and gap.kind is GapKind.SUBSET
            yield self._add(_COVERAGE, _of_gap(gap))
        yield self._add(_COVERAGE, _of_run(run, read=read))
        yield self._suite(_COVERAGE)
        yield b"</testsuites>\n"

    def _add(self, suite: str, case: _Case) -> bytes:
        kept = self._kept.setdefault(suite, [])
        kept.append(case)
        return self._suite(suite) if len(kept) >= _IN_A_SUITE else b""

    def _suite(self, name: str) -> bytes:
        """Return what was kept for a suite, and keep it no longer."""
        cases = self._kept.get(name)
        if not cases:
            return b""
        self._kept[name] = []
        self._suites[name] += 1
        outcomes = Counter(case.outcome for case in cases)
        number = self._suites[name]
        suite = ET.Element(
            "testsuite",
            name=one_line(name if number == 1 else f"{name} ({number})", _NAME),
            tests=str(len(cases)),
            failures=str(outcomes["failure"]),
            errors=str(outcomes["error"]),
            skipped=str(outcomes["skipped"]),
            time="0",
        )
        properties = ET.SubElement(suite, "properties")
        told = {
            "run_id": self.start.run_id,
            "scope": scope_text(self.start),
            "is_subset": str(self.start.is_subset).lower(),
        }
        for key, value in told.items():
            ET.SubElement(properties, "property", name=key, value=one_line(value, _MESSAGE))
        for case in cases:
            _add_case(suite, case)
        return f"{ET.tostring(suite, 'unicode')}\n".encode()


def _add_case(suite: ET.Element, case: _Case) -> None:
    name = one_line(case.name, _NAME)
    element = ET.SubElement(suite, "testcase", name=name, classname=one_line(case.classname, _NAME), time="0")
    if case.outcome is None:
        ET.SubElement(element, "system-out").text = case.detail
        return
    # What XML 1.0 can't hold is among what `shown` escapes.
    outcome = ET.SubElement(element, case.outcome, message=one_line(case.message, _MESSAGE))
    if case.outcome != "skipped":
        outcome.set("type", one_line(case.type, _NAME))
    outcome.text = case.detail


def _of_finding(finding: Finding) -> _Case:
    name = finding.resource_name or ""
    outcome, message = _outcome(finding)
    details = [
        f"severity: {finding.severity}",
        f"status: {finding.status}",
        f"finding_id: {finding.finding_id}",
        f"finding: {one_line(finding.message, _MESSAGE)}",
        f"remediation: {one_line(finding.remediation, _MESSAGE)}",
        f"evidence: {one_line(encoded(finding.evidence).decode(), _DETAIL)}",
    ]
    return _Case(
        classname=finding.policy,
        name=f"{finding.account_id} {finding.region} {name} {finding.resource_arn}",
        outcome=outcome,
        type=finding.severity,
        message=message,
        detail="\n".join(map(shown, details)),
    )


def _outcome(finding: Finding) -> tuple[str | None, str]:
    """Return the element that tells of the finding, and its message: none only where it is gone for good."""
    why = finding.resolution.why if finding.resolution is not None else ""
    if finding.status is Status.RESOLVED:
        kind = finding.resolution and finding.resolution.kind
        if kind is ResolutionKind.CONDITION_CLEARED:
            return None, why
        return "skipped", f"{kind}: {why}"
    if finding.waiver is not None:
        waiver = finding.waiver
        return "skipped", f"Waived by {waiver.owner} until {waiver.until}: {waiver.reason}; {finding.message}"
    if finding.status is Status.NOT_SEEN:
        return "error", f"Found before, and not seen in this run: {why}; {finding.message}"
    return "failure", finding.message


def _of_gap(gap: Gap) -> _Case:
    skipped = gap.kind is GapKind.SUBSET or gap.accepted is not None
    where = (gap.account_id, gap.region, gap.source, gap.policy)
    message = f"{accepted_text(gap.accepted)}; {gap.text}" if gap.accepted else gap.text
    return _Case(
        classname=_COVERAGE,
        name=" ".join(filter(None, where)) or gap.title,
        outcome="skipped" if skipped else "error",
        type=gap.reason or gap.kind,
        message=message,
        detail=f"gap_id: {gap.gap_id}",
    )


def _of_run(run: Mapping[str, Any], *, read: bool) -> _Case:
    """Return the test that passes where all that was planned was read and judged: it is there on clean nights too."""
    percent = f"{run['coverage_percent']} % of the targets were read to their end"
    return _Case(
        classname=_COVERAGE,
        name="everything planned was read and judged",
        outcome=None if read else "error",
        type="incomplete",
        message=f"not everything planned was read and judged: {percent}",
        detail=percent,
    )
