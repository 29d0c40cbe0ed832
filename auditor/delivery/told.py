"""What a destination reads from an event for an envelope of its own, whether the body is ours or OCSF."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

from auditor.delivery.events import GAP, RUN
from auditor.model import Severity

if TYPE_CHECKING:
    from auditor.history import Due

_PLAIN_EXITS = frozenset({0, 1})
"""A run that audited all it had planned: what it found is told by its findings."""
# https://schema.ocsf.io/classes/compliance_finding, severity_id.
_OCSF_SEVERITIES = {
    5: Severity.CRITICAL,
    4: Severity.HIGH,
    3: Severity.MEDIUM,
    2: Severity.LOW,
    1: Severity.INFO,
}

_SUPPRESSED = 3


@dataclass(frozen=True, slots=True)
class Told:
    """An event in the few words that receivers index it by; None where it does not say."""

    schema: str | None
    """What the body is, and in which version."""
    severity: Severity
    """A finding's own. Of a gap `high`, for nobody looked there, or `low` where that is accepted; of a run `info`, or
    `high` where it could not do all of its work."""
    time: datetime | None
    """When it was observed, in UTC."""
    gap_id: str | None
    account_id: str | None
    region: str | None
    policy: str | None
    status: str | None
    resource_arn: str | None
    """What a finding is about."""


def told_of(due: Due) -> Told:
    """Return what the body of an event says, as far as it says it."""
    body = orjson.loads(due.event.body)
    return _of_ocsf(due, body) if "class_uid" in body else _of_ours(due, body)


def _of_ours(due: Due, body: dict[str, Any]) -> Told:
    regions = body.get("regions")
    return Told(
        schema=_text(body.get("schema")),
        severity=_severity(due.event.kind, body),
        time=_parsed(body.get("observed_at") or body.get("finished_at")),
        gap_id=_text(body.get("gap_id")),
        account_id=_text(body.get("account_id")),
        region=_text(regions[0] if isinstance(regions, list) and len(regions) == 1 else body.get("region")),
        policy=_text(body.get("policy")),
        status=_text(body.get("status")),
        resource_arn=_text(body.get("resource_arn")),
    )


def _of_ocsf(due: Due, body: dict[str, Any]) -> Told:
    cloud = _mapping(body, "cloud")
    uid = _text(_mapping(body, "finding_info").get("uid"))
    milliseconds = body.get("time")
    resources = body.get("resources") or [{}]
    is_gap = due.event.kind == GAP
    severity = _OCSF_SEVERITIES.get(body.get("severity_id", 0))
    version = _text(_mapping(body, "metadata").get("version"))
    return Told(
        schema=f"ocsf/{version}" if version else "ocsf",
        severity=severity or _severity(due.event.kind, {"accepted": body.get("status_id") == _SUPPRESSED}),
        time=datetime.fromtimestamp(milliseconds / 1000, UTC) if isinstance(milliseconds, int) else None,
        gap_id=uid if is_gap else None,
        account_id=_text(_mapping(cloud, "account").get("uid")),
        region=_text(cloud.get("region")),
        policy=_text(_mapping(body, "compliance").get("control")),
        status=_text(_mapping(body, "unmapped").get("auditor_status")),
        resource_arn=_text(resources[0].get("uid")),
    )


def _severity(kind: str, body: dict[str, Any]) -> Severity:
    if kind == GAP:
        return Severity.LOW if body.get("accepted") else Severity.HIGH
    if kind == RUN:
        return Severity.INFO if body.get("exit_code", 0) in _PLAIN_EXITS else Severity.HIGH
    try:
        return Severity(str(body.get("severity")))
    except ValueError:
        return Severity.INFO


def _parsed(time: object) -> datetime | None:
    try:
        parsed = datetime.fromisoformat(str(time))
    except ValueError:
        return None
    return parsed.astimezone(UTC) if parsed.tzinfo is not None else None


def _mapping(of: dict[str, Any], key: str) -> dict[str, Any]:
    value = of.get(key)
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
