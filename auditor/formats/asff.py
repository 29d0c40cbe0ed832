"""ASFF: one document of findings as AWS Security Hub imports them, each within the service's limits."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Any

from auditor.formats.contract import Format
from auditor.formats.encoding import encoded
from auditor.formats.gaps import GapKind, accepted_text, gaps, scope_text
from auditor.formats.text import one_line
from auditor.model import PARTITION, ResolutionKind, Severity, Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from auditor.formats.gaps import Gap
    from auditor.formats.start import RunStart
    from auditor.model import Finding

_SCHEMA = "2018-10-08"
# Security Hub API reference, AwsSecurityFinding and the objects in it: the most characters of a text. What counts as
# one is not documented for those that are no ASCII, so that bytes are counted.
_ID, _TITLE, _DESCRIPTION, _RECOMMENDATION, _REQUIREMENT = 512, 256, 1_024, 512, 64
_REQUIREMENTS, _FIELDS = 32, 50
_FIELD_KEY, _FIELD_VALUE = 128, 2_048
_REASON = 1_024
_TYPES = ["Software and Configuration Checks/AWS Security Best Practices"]
_ACCOUNT = re.compile(r"[0-9]{12}")
_OF_ARN = re.compile(r"arn:[^:]*:[^:]*:[^:]*:([0-9]{12}):")
_NOBODY = "000000000000"
"""Stands for an account where none is known: Security Hub refuses that finding, and says so."""

_LABELS = {each: each.upper() for each in Severity} | {Severity.INFO: "INFORMATIONAL"}


class OutputFormat(Format):
    """Findings in the AWS Security Finding Format, as Security Hub's BatchImportFindings takes them."""

    file_name = "findings.asff.json"

    def __init__(self, start: RunStart, variant: str | None = None) -> None:
        super().__init__(start, variant)
        self._separator = b"\n"

    def head(self) -> bytes:
        """Return the document's beginning."""
        return b'{"Findings":['

    def findings(self, findings: Sequence[Finding]) -> bytes:
        """Return these items of the list."""
        return b"".join(self._item(self._of_finding(finding)) for finding in findings)

    def tail(self, coverage: Iterable[Mapping[str, Any]], run: Mapping[str, Any]) -> Iterator[bytes]:
        """Yield a finding for each gap, and the document's end."""
        caller = _account_of(run["caller_arn"])
        region = "us-east-1"
        for gap in gaps(self.start, coverage):
            yield self._item(self._of_gap(gap, run["finished_at"], caller, gap.region or region))
        yield b"\n]}\n"

    def _item(self, value: Mapping[str, Any]) -> bytes:
        item = self._separator + encoded(value)
        self._separator = b",\n"
        return item

    def _of_finding(self, finding: Finding) -> dict[str, Any]:
        policy = self.start.policies.get(finding.policy)
        requirements = [
            one_line(f"{control.framework} {control.id}", _REQUIREMENT) for control in finding.controls
        ]
        why = finding.resolution.why if finding.resolution is not None else None
        return {
            **self._finding(
                known_as=finding.finding_id,
                generator=finding.policy,
                account_id=finding.account_id,
                account_name=finding.account_name,
                region=finding.region,
                created_at=finding.first_seen or finding.observed_at,
                updated_at=finding.observed_at,
                label=_LABELS[finding.severity],
            ),
            "Title": one_line(policy.title if policy else finding.policy, _TITLE),
            "Description": one_line(finding.message, _DESCRIPTION),
            "RecordState": "ARCHIVED" if finding.status is Status.RESOLVED else "ACTIVE",
            # Taken by Security Hub when it first sees the finding; later it is the customer's.
            **({"Workflow": {"Status": "SUPPRESSED"}} if finding.waiver is not None else {}),
            "Compliance": {
                "Status": _compliance(finding),
                **({"RelatedRequirements": requirements[:_REQUIREMENTS]} if requirements else {}),
                **(_reasons(finding.status.upper(), why) if why else {}),
            },
            "Remediation": {"Recommendation": {"Text": one_line(finding.remediation, _RECOMMENDATION)}},
            "Resources": [
                {
                    "Type": "Other",
                    "Id": one_line(finding.resource_arn, _ID),
                    "Partition": finding.partition,
                    "Region": finding.region,
                    "Details": {
                        "Other": {
                            "Name": one_line(finding.resource_name or "", _FIELD_VALUE),
                            "Type": one_line(finding.resource_type or "", _FIELD_VALUE),
                        }
                    },
                }
            ],
            "ProductFields": self._fields(
                {
                    "event_id": finding.event_id,
                    "status": finding.status,
                    "resolution": finding.resolution and finding.resolution.kind,
                    "waiver": finding.waiver,
                    "cost": finding.cost,
                    "evidence": finding.evidence,
                    **{f"related/{key}": value for key, value in finding.related.items()},
                }
            ),
        }

    def _of_gap(self, gap: Gap, time: str, caller: str, region: str) -> dict[str, Any]:
        account = gap.account_id if gap.account_id and _ACCOUNT.fullmatch(gap.account_id) else caller
        label = "INFORMATIONAL" if gap.kind is GapKind.SUBSET or gap.accepted else "MEDIUM"
        why = accepted_text(gap.accepted) if gap.accepted else gap.text
        return {
            **self._finding(
                known_as=gap.part_id,
                generator=f"coverage/{gap.kind}",
                account_id=account,
                account_name=gap.account_name,
                region=region,
                created_at=time,
                updated_at=time,
                label=label,
            ),
            "Title": one_line(gap.title, _TITLE),
            "Description": one_line(gap.text, _DESCRIPTION),
            "RecordState": "ACTIVE",
            **({"Workflow": {"Status": "SUPPRESSED"}} if gap.accepted else {}),
            "Compliance": {
                "Status": "NOT_AVAILABLE",
                **_reasons((gap.reason or gap.kind).replace("-", "_").upper(), why),
            },
            "Resources": [
                {
                    "Type": "AwsAccount",
                    "Id": f"AWS::::Account:{account}",
                    "Partition": PARTITION,
                    "Region": region,
                }
            ],
            "ProductFields": self._fields(
                {
                    "event_id": gap.event_id,
                    "gap_id": gap.gap_id,
                    "source": gap.source,
                    "verdict": gap.verdict,
                    "reason": gap.reason,
                    "error_code": gap.error_code,
                    "error_message": gap.error_message,
                    "policy": gap.policy,
                    "records": gap.records,
                    "asked_as": gap.account_id,
                }
            ),
        }

    def _finding(  # noqa: PLR0913 -- each is a field that both kinds have
        self,
        *,
        known_as: str,
        generator: str,
        account_id: str,
        account_name: str | None,
        region: str,
        created_at: str,
        updated_at: str,
        label: str,
    ) -> dict[str, Any]:
        """Return what every finding has."""
        return {
            "SchemaVersion": _SCHEMA,
            "Id": known_as,
            "ProductArn": f"arn:{PARTITION}:securityhub:{region}:{account_id}:product/{account_id}/default",
            "GeneratorId": one_line(f"auditor/{generator}", _ID),
            "AwsAccountId": account_id,
            **({"AwsAccountName": one_line(account_name, _TITLE)} if account_name else {}),
            "Region": region,
            "CreatedAt": created_at,
            "UpdatedAt": updated_at,
            "Severity": {"Label": label},
            "Types": _TYPES,
            "FindingProviderFields": {"Severity": {"Label": label, "Original": label}, "Types": _TYPES},
        }

    def _fields(self, values: Mapping[str, Any]) -> dict[str, str]:
        fields = {"run_id": self.start.run_id, "scope": scope_text(self.start), **values}
        told = ((key, value) for key, value in fields.items() if value is not None)
        return {
            one_line(f"auditor/{key}", _FIELD_KEY): one_line(
                value if isinstance(value, str) else encoded(value).decode(), _FIELD_VALUE
            )
            for key, value in islice(told, _FIELDS)
        }


def _compliance(finding: Finding) -> str:
    if finding.status not in {Status.NOT_SEEN, Status.RESOLVED}:
        return "FAILED"
    # Only what was looked at and keeps the policy passes it.
    cleared = finding.resolution is not None and finding.resolution.kind is ResolutionKind.CONDITION_CLEARED
    return "PASSED" if finding.status is Status.RESOLVED and cleared else "NOT_AVAILABLE"


def _reasons(code: str, why: str) -> dict[str, Any]:
    return {"StatusReasons": [{"ReasonCode": one_line(code, _REASON), "Description": one_line(why, _REASON)}]}


def _account_of(arn: str | None) -> str:
    """Return the account of an ARN, for what is said of no account."""
    found = _OF_ARN.match(arn or "")
    return found[1] if found else _NOBODY
