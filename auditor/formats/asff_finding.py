"""One finding in the AWS Security Finding Format: of a policy that is broken, or a notice of what could not be seen."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from auditor.formats.encoding import encoded
from auditor.formats.text import ELLIPSIS, one_line
from auditor.model import PARTITION, ResolutionKind, Severity, Status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditor.model import Finding

_SCHEMA = "2018-10-08"
# Security Hub API reference, AwsSecurityFinding and the objects in it: the most characters of a text. What counts as
# one is not documented for those that are no ASCII, so that bytes are counted.
_ID, _TITLE, _DESCRIPTION, _RECOMMENDATION, _REQUIREMENT = 512, 256, 1_024, 512, 64
_REQUIREMENTS, _FIELDS = 32, 50
_FIELD_KEY, _FIELD_VALUE = 128, 2_048
_REASON = 1_024
_TRUNCATED = "auditor/truncated"
"""Says that a text was cut, or a field left out."""
_LARGEST, _ROOM = 240_000, 1_000
"""Bytes of a finding as it is sent, of which some are kept for what is added."""
_ESCAPED = 6
"""Bytes of a character as JSON escapes it, at the most for each unit of UTF-16."""
_SURELY_SMALLER = 150_000
"""Bytes of the product's fields: with so many nothing is too large, whatever else stands in a finding."""
_TRUNCATED = "auditor/truncated"
"""The field that says that a text was cut, or that others were left out."""
_TYPES = ["Software and Configuration Checks/AWS Security Best Practices"]

_LABELS = {each: each.upper() for each in Severity} | {Severity.INFO: "INFORMATIONAL"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What is told of an account and is no policy's finding: a gap, or a run."""

    known_as: str
    """Its Id: the same whenever the same is told."""
    generator: str
    account_id: str
    """Twelve digits."""
    account_name: str | None = None
    region: str
    created_at: str
    """RFC 3339."""
    updated_at: str
    label: str
    """The severity's."""
    title: str
    text: str
    code: str
    """Why nothing is available, as a word."""
    why: str
    is_suppressed: bool = False
    """Whether it is known and accepted."""
    fields: Mapping[str, Any] = field(default_factory=dict)


def finding_of(finding: Finding, *, title: str, updated_at: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a finding of a policy.

    :param updated_at: RFC 3339; Security Hub ignores an update that is no newer than what it has.
    :param fields: what else is told in the product's fields.
    """
    texts = _Texts()
    requirements = [texts(f"{control.framework} {control.id}", _REQUIREMENT) for control in finding.controls]
    why = finding.resolution.why if finding.resolution is not None else None
    told = {
        **_head(
            texts,
            known_as=finding.finding_id,
            generator=finding.policy,
            account_id=finding.account_id,
            account_name=finding.account_name,
            region=finding.region,
            created_at=finding.first_seen or finding.observed_at,
            updated_at=updated_at,
            label=_LABELS[finding.severity],
        ),
        "Title": texts(title, _TITLE),
        "Description": texts(finding.message, _DESCRIPTION),
        "RecordState": "ARCHIVED" if finding.status is Status.RESOLVED else "ACTIVE",
        # Taken by Security Hub when it first sees the finding; later it is the customer's.
        **({"Workflow": {"Status": "SUPPRESSED"}} if finding.waiver is not None else {}),
        "Compliance": {
            "Status": _compliance(finding),
            **({"RelatedRequirements": requirements[:_REQUIREMENTS]} if requirements else {}),
            **(_reasons(texts, finding.status.upper(), why) if why else {}),
        },
        "Remediation": {"Recommendation": {"Text": texts(finding.remediation, _RECOMMENDATION)}},
        "Resources": [
            {
                "Type": "Other",
                "Id": texts(finding.resource_arn, _ID),
                "Partition": finding.partition,
                "Region": finding.region,
                "Details": {
                    "Other": {
                        "Name": texts(finding.resource_name or "", _FIELD_VALUE),
                        "Type": texts(finding.resource_type or "", _FIELD_VALUE),
                    }
                },
            }
        ],
        "ProductFields": _fields(
            texts,
            {
                **fields,
                "event_id": finding.event_id,
                "status": finding.status,
                "resolution": finding.resolution and finding.resolution.kind,
                "waiver": finding.waiver,
                "cost": finding.cost,
                "evidence": finding.evidence,
                **{f"related/{key}": value for key, value in finding.related.items()},
            },
        ),
    }
    return _within(told, texts)


def notice_of(notice: Notice) -> dict[str, Any]:
    """Return a notice: nothing in it can be taken for a pass."""
    texts = _Texts()
    told = {
        **_head(
            texts,
            known_as=notice.known_as,
            generator=notice.generator,
            account_id=notice.account_id,
            account_name=notice.account_name,
            region=notice.region,
            created_at=notice.created_at,
            updated_at=notice.updated_at,
            label=notice.label,
        ),
        "Title": texts(notice.title, _TITLE),
        "Description": texts(notice.text, _DESCRIPTION),
        "RecordState": "ACTIVE",
        **({"Workflow": {"Status": "SUPPRESSED"}} if notice.is_suppressed else {}),
        "Compliance": {
            "Status": "NOT_AVAILABLE",
            **_reasons(texts, notice.code.replace("-", "_").upper(), notice.why),
        },
        "Resources": [
            {
                "Type": "AwsAccount",
                "Id": f"AWS::::Account:{notice.account_id}",
                "Partition": PARTITION,
                "Region": notice.region,
            }
        ],
        "ProductFields": _fields(texts, notice.fields),
    }
    return _within(told, texts)


class _Texts:
    """Fits texts, and knows whether one of them was cut."""

    __slots__ = ("any_cut",)

    def __init__(self) -> None:
        self.any_cut = False

    def __call__(self, text: str, most: int) -> str:
        """Return `text` as one line of at most `most` bytes."""
        line = one_line(text, most)
        self.any_cut |= line.endswith(ELLIPSIS) and not text.rstrip().endswith(ELLIPSIS)
        return line


def _within(told: dict[str, Any], texts: _Texts) -> dict[str, Any]:
    """Return a finding that Security Hub takes, less the last of its product's fields where it would be too large."""
    fields: dict[str, str] = told["ProductFields"]
    if sum(map(len, fields.values())) > _SURELY_SMALLER // _ESCAPED:
        while len(json.dumps(told)) > _LARGEST - _ROOM:
            fields.popitem()
            texts.any_cut = True
    if texts.any_cut:
        fields[_TRUNCATED] = "true"
    return told


def _head(  # noqa: PLR0913 -- each is a field that both kinds have
    texts: _Texts,
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
        "GeneratorId": texts(f"auditor/{generator}", _ID),
        "AwsAccountId": account_id,
        **({"AwsAccountName": texts(account_name, _TITLE)} if account_name else {}),
        "Region": region,
        "CreatedAt": created_at,
        "UpdatedAt": updated_at,
        "Severity": {"Label": label},
        "Types": _TYPES,
        "FindingProviderFields": {"Severity": {"Label": label, "Original": label}, "Types": _TYPES},
    }


def _fields(texts: _Texts, values: Mapping[str, Any]) -> dict[str, str]:
    told = ((key, value) for key, value in values.items() if value is not None)
    return {
        texts(f"auditor/{key}", _FIELD_KEY): texts(
            value if isinstance(value, str) else encoded(value).decode(), _FIELD_VALUE
        )
        for key, value in islice(told, _FIELDS - 1)
    }


def _compliance(finding: Finding) -> str:
    if finding.status not in {Status.NOT_SEEN, Status.RESOLVED}:
        return "FAILED"
    # Only what was looked at and keeps the policy passes it.
    cleared = finding.resolution is not None and finding.resolution.kind is ResolutionKind.CONDITION_CLEARED
    return "PASSED" if finding.status is Status.RESOLVED and cleared else "NOT_AVAILABLE"


def _reasons(texts: _Texts, code: str, why: str) -> dict[str, Any]:
    return {"StatusReasons": [{"ReasonCode": texts(code, _REASON), "Description": texts(why, _REASON)}]}
