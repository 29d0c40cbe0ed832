"""What is to be written under each key of accounts.yaml, and where a key belongs that was written elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.config.durations import EXAMPLES
from auditor.config.history import STORES
from auditor.model import Severity

if TYPE_CHECKING:
    from collections.abc import Mapping

_RATE = "a number from 0.01 to 10000, such as 5 or 0.5"
_ROLE = "the role's name alone, 1 to 64 letters, digits or _+=,.@- (a role with a path goes into role_arn)"
EXPECTED: Mapping[str, str] = {
    "version": "version: 1",
    "organization": 'a mapping, such as {role_arn: "arn:aws:iam::111122223333:role/Lister"}, or {} for all accounts',
    "include": "a mapping of what is meant, such as {ous: [Root/Workloads]}",
    "exclude": "a mapping of what is left out, such as {names: [sandbox-*]}",
    "ous": "a list of organizational units, such as [Root/Workloads/Prod]",
    "names": "a list of patterns, such as [sandbox-*]",
    "tags": "a mapping of tags, such as {environment: [prod, staging]}",
    "defaults": "a mapping, such as {role_name: LightsailExportAuditor}",
    "accounts": 'a list with an entry for each account, such as - id: "111122223333"',
    "policies": "a mapping of policies, such as {stuck-export: {max_age: 24h}}",
    "limits": "a mapping, such as {concurrency: 64}",
    "destinations": "a mapping of destinations, each by a name of your own with its settings",
    "id": 'twelve digits in quotes, such as "111122223333"',
    "name": "1 to 256 visible characters, none of them a control or direction mark, no blanks around them",
    "role_name": _ROLE,
    "role_arn": 'one such as "arn:aws:iam::{account_id}:role/audit/Reader", its name at most 64 characters long',
    "external_id": "2 to 1224 letters, digits or _+=,.@:/-",
    "session_name": "2 to 64 letters, digits or _+=,.@-",
    "session_duration": "15m to 12h",
    "session_tags": "a mapping, such as {team: security}",
    "source_identity": "2 to 64 letters, digits or _+=,.@-",
    "session_policy": "true or false",
    "max_requests_per_second": _RATE,
    "max_requests_per_second_per_region": _RATE,
    "hub_role_arn": 'the ARN of one role, such as "arn:aws:iam::999988887777:role/AuditHub"',
    "hub_external_id": "2 to 1224 letters, digits or _+=,.@:/-",
    "concurrency": "a whole number from 1 to 1024",
    "request_timeout": EXAMPLES,
    "deadline": EXAMPLES,
    "organization role_arn": 'a role of one account, such as "arn:aws:iam::111122223333:role/OrganizationReader"',
    "organization ou": "a path of names such as Root/Workloads/Prod, or an id such as ou-ab12-cdefgh34",
    "organization accounts": 'a list of account ids in quotes, such as ["111122223333"]',
    "severity": f"one of {', '.join(Severity)}",
    "message": 'a text, such as "{record.name} is public"',
    "remediation": "a text that says what to do",
    "framework": "a text, such as NIST SP 800-53 r5",
    "control": "a mapping, such as {framework: NIST SP 800-53 r5, id: CM-8}",
    "control id": "the control's, such as CM-8",
    "tag value": 'a text in quotes, or a list of one or more such texts; "*" is any',
    "enabled": "true or false",
    "waivers": "a list with an entry for each waiver, each with an owner, a reason and an until",
    "accepted_gaps": "a list with an entry for each gap, each with an owner, an explanation and an until",
    "policy": "a policy's id, or a pattern",
    "account": 'twelve digits in quotes, such as "111122223333", or a pattern of them',
    "region": "a Region's name, or a pattern such as eu-*",
    "resource": "a finding's resource_arn, or a pattern such as *:ExportSnapshotRecord/0a1b*",
    "source": "what is read, such as lightsail:GetExportSnapshotRecords, or a pattern",
    "owner": "who answers for it",
    "waivers.reason": "why it is accepted",
    "accepted_gaps.reason": "a reason of the ledger, such as access-denied, or a pattern",
    "explanation": "why it is accepted",
    "ticket": "where it was agreed on",
    "history": "a mapping, such as {store: auditor-history.sqlite3}, or {} for a file of that name beside this one",
    "store": STORES,
    "wait": EXAMPLES,
    "until": "the last day on which it holds, such as 2027-03-31",
}
"""A key, or one of one list alone with that before it → what to write there."""

HOMES = {
    **dict.fromkeys(("role_name", "role_arn", "external_id"), "under defaults, or to an account"),
    **dict.fromkeys(("session_name", "session_duration", "regions"), "under defaults, or to an account"),
    **dict.fromkeys(
        ("session_tags", "source_identity", "session_policy"), "under defaults, or to an account"
    ),
    **dict.fromkeys(
        ("max_requests_per_second", "max_requests_per_second_per_region"), "under defaults, or to an account"
    ),
    **dict.fromkeys(("hub_role_arn", "hub_external_id"), "under defaults"),
    **dict.fromkeys(("concurrency", "request_timeout", "deadline"), "under limits"),
    **dict.fromkeys(("defaults", "accounts", "policies", "limits", "version"), "to the left margin"),
    **dict.fromkeys(("waivers", "accepted_gaps"), "to the left margin"),
    **dict.fromkeys(("destinations", "organization", "history"), "to the left margin"),
    **dict.fromkeys(("store", "wait"), "under history"),
    **dict.fromkeys(("include", "exclude"), "under organization"),
    **dict.fromkeys(("ous", "names", "tags"), "under include or exclude of organization"),
}
"""A key → where it belongs, for one that was written elsewhere."""
