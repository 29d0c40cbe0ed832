"""SARIF 2.1.0: one document, for GitHub code scanning and other viewers of static analysis.

A finding has no line of code: it is shown at the line of the configuration that sets its policy.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from auditor.formats.contract import Format
from auditor.formats.encoding import encoded
from auditor.formats.gaps import GapKind, gaps, scope_text
from auditor.formats.place import config_line, config_uri
from auditor.formats.sarif_gaps import gap_result, gap_rules, literal
from auditor.formats.unseen import Unseen
from auditor.model import ResolutionKind, Severity, Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from auditor.formats.gaps import Gap
    from auditor.formats.start import JudgedPolicy, RunStart
    from auditor.model import Finding

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_GITHUB = "github"
# GitHub's documentation, SARIF support for code scanning: results in a run, and how many of them are shown.
GITHUB_TAKES, GITHUB_KEEPS = 25_000, 5_000
_OF_GAPS = 1_000
"""How many results for GitHub may tell of gaps: many findings must not hide that something was not seen."""
_OF_FINDINGS = GITHUB_TAKES - _OF_GAPS

_LEVELS = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
    Severity.INFO: "note",
}
# GitHub reads critical from 9.0, high from 7.0, medium from 4.0, low from 0.1.
_SECURITY_SEVERITIES = {
    Severity.CRITICAL: "9.5",
    Severity.HIGH: "8.0",
    Severity.MEDIUM: "5.5",
    Severity.LOW: "2.0",
    Severity.INFO: "0.0",
}
_BASELINES = {
    Status.NEW: "new",
    Status.RECURRING: "unchanged",
    Status.REOPENED: "new",  # the run before did not have it
    Status.NOT_SEEN: "unchanged",
    Status.RESOLVED: "absent",
}


class OutputFormat(Format):
    """SARIF for viewers of static analysis; `sarif:github` is what GitHub code scanning takes."""

    file_name = "findings.sarif"
    variants = ("2.1.0", _GITHUB)

    def __init__(self, start: RunStart, variant: str | None = None) -> None:
        super().__init__(start, variant)
        self._separator = b"\n"
        self._is_for_github = self.variant == _GITHUB
        self._rules = {policy: index for index, policy in enumerate(start.policies)}
        self._found = 0
        self._uri = config_uri(start)

    def head(self) -> bytes:
        """Return the tool and its rules."""
        driver = {
            "name": "auditor",
            "version": self.start.auditor_version,
            "rules": [
                *(self._rule(policy) for policy in self.start.policies.values()),
                *(gap_rules() if self._is_for_github else ()),
            ],
        }
        beginning = {"$schema": _SCHEMA, "version": "2.1.0"}
        run = {"tool": {"driver": driver}, "columnKind": "utf16CodeUnits"}
        return encoded(beginning)[:-1] + b',"runs":[' + encoded(run)[:-1] + b',"results":['

    def findings(self, findings: Sequence[Finding]) -> bytes:
        """Return these items of the list of results."""
        return b"".join(self._item(self._result(finding)) for finding in findings if self._takes(finding))

    def tail(self, coverage: Iterable[Mapping[str, Any]], run: Mapping[str, Any]) -> Iterator[bytes]:
        """Yield what was not seen, as notifications of the one invocation, and for GitHub as results too."""
        told = gaps(self.start, coverage)
        if self._is_for_github:
            # GitHub shows no notification: a run that saw nothing would look like one that found nothing.
            unseen = Unseen()
            for gap in told:
                unseen.add(gap)
            for group in islice(unseen.groups(), _OF_GAPS):
                yield self._item(gap_result(group, self._uri))
            told = (group.first for group in unseen.groups())
        yield b'\n],"invocations":[{"toolExecutionNotifications":['
        self._separator = b"\n"
        whole = True
        for gap in told:
            # Who asks for a subset gets it: that run has failed in nothing.
            whole = whole and gap.kind is GapKind.SUBSET
            yield self._item(_of_gap(gap))
        for text in self._of_limits():
            yield self._item(_notification("github-limits", "warning", text))
        invocation = {
            "executionSuccessful": whole,
            "startTimeUtc": run["started_at"],
            "endTimeUtc": run["finished_at"],
        }
        properties = {
            "runId": self.start.run_id,
            "scope": scope_text(self.start),
            "isSubset": self.start.is_subset,
            "filters": self.start.filters,
            "coveragePercent": run["coverage_percent"],
        }
        yield b"\n]," + encoded(invocation)[1:] + b'],"properties":' + encoded(properties) + b"}]}\n"

    def _takes(self, finding: Finding) -> bool:
        """Count a finding that is written, and say whether it is."""
        if self._is_for_github:
            if finding.status is Status.RESOLVED:
                return False  # GitHub shows whatever is there as open, and closes what is not
            if self._found >= _OF_FINDINGS:
                self._found += 1
                return False
        self._found += 1
        return True

    def _item(self, value: Mapping[str, Any]) -> bytes:
        item = self._separator + encoded(value)
        self._separator = b",\n"
        return item

    def _rule(self, policy: JudgedPolicy) -> dict[str, Any]:
        return {
            "id": policy.id,
            "name": policy.id,
            "shortDescription": {"text": literal(policy.title)},
            "fullDescription": {"text": literal(policy.description)},
            "help": {"text": literal(policy.remediation)},
            "defaultConfiguration": {"level": _LEVELS[policy.severity]},
            "properties": {
                "tags": [
                    "security",
                    *dict.fromkeys(f"{each.framework} {each.id}" for each in policy.controls),
                ],
                "security-severity": _SECURITY_SEVERITIES[policy.severity],
                "version": policy.version,
            },
        }

    def _result(self, finding: Finding) -> dict[str, Any]:
        kind = "fail" if self._is_for_github else _kind(finding)
        index = self._rules.get(finding.policy)
        baseline = _BASELINES.get(finding.status)
        line = config_line(self.start, finding.policy)
        return {
            "ruleId": finding.policy,
            **({"ruleIndex": index} if index is not None else {}),
            "kind": kind,
            "level": _LEVELS[finding.severity] if kind == "fail" else "none",
            "message": {"text": literal(finding.message)},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": self._uri},
                        "region": {"startLine": line},
                    },
                    "logicalLocations": [
                        {
                            "name": finding.resource_name or finding.resource_arn,
                            "fullyQualifiedName": finding.resource_arn,
                            "kind": "resource",
                        }
                    ],
                }
            ],
            "fingerprints": {"auditor/v1": finding.finding_id},
            # GitHub tells results apart by this, and would hash the configuration's line without it.
            "partialFingerprints": {"primaryLocationLineHash": f"{finding.finding_id}:1"},
            **({"baselineState": baseline} if baseline else {}),
            **({"suppressions": [_suppression(finding)]} if finding.waiver is not None else {}),
            "properties": {
                "status": finding.status,
                "severity": finding.severity,
                "accountId": finding.account_id,
                "accountName": finding.account_name,
                "region": finding.region,
                "eventId": finding.event_id,
                "firstSeen": finding.first_seen,
                "resolution": finding.resolution,
                "remediation": finding.remediation,
                "evidence": finding.evidence,
                "related": finding.related,
                "cost": finding.cost,
            },
        }

    def _of_limits(self) -> Iterator[str]:
        if self._found > _OF_FINDINGS and self._is_for_github:
            yield (
                f"{self._found - _OF_FINDINGS:,} of {self._found:,} findings are left out here, since GitHub takes "
                f"{GITHUB_TAKES:,} results, gaps included; all of them stand in findings.jsonl."
            )
        elif self._found > GITHUB_TAKES:
            yield (
                f"GitHub code scanning refuses a run of more than {GITHUB_TAKES:,} results, and this one has "
                f"{self._found:,}; write -f sarif:github for it."
            )
        if self._found > GITHUB_KEEPS:
            yield f"GitHub code scanning keeps the {GITHUB_KEEPS:,} gravest results of a run."


def _kind(finding: Finding) -> str:
    if finding.status is Status.NOT_SEEN:
        return "open"
    if finding.status is not Status.RESOLVED:
        return "fail"
    # Only what was looked at and keeps the policy passes it.
    cleared = finding.resolution is not None and finding.resolution.kind is ResolutionKind.CONDITION_CLEARED
    return "pass" if cleared else "notApplicable"


def _suppression(finding: Finding) -> dict[str, Any]:
    reason = finding.waiver.reason if finding.waiver is not None else ""
    return {
        "kind": "external",
        "status": "accepted",
        "justification": reason,
        "properties": {"waiver": finding.waiver},
    }


def _of_gap(gap: Gap) -> dict[str, Any]:
    level = "warning" if gap.kind is GapKind.SUBSET or gap.accepted else "error"
    return _notification(gap.kind, level, gap.text) | {"properties": {"gap": gap}}


def _notification(kind: str, level: str, text: str) -> dict[str, Any]:
    return {"descriptor": {"id": kind}, "level": level, "message": {"text": literal(text)}}
