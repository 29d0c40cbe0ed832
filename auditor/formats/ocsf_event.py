"""What every OCSF event of ours has, whatever its class and the version that its receiver speaks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from auditor.formats.text import cut

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditor.formats.start import JudgedPolicy

VERSIONS = ("1.8.0", "1.6.0", "1.3.0")
"""Newest first."""
OLDEST = VERSIONS[-1]
LONGEST = 65_535
"""Characters of a text: what 1.3.0 takes; later versions set no bound."""

Caption = tuple[int, str]
"""A value of an enumeration, and what the schema calls it."""

UNKNOWN: Caption = (0, "Unknown")
CREATE, UPDATE, CLOSE = (1, "Create"), (2, "Update"), (3, "Close")

_AWS_ACCOUNT = {"type_id": 10, "type": "AWS Account"}


@dataclass(frozen=True, slots=True)
class EventClass:
    """A class of OCSF."""

    uid: int
    name: str
    category_uid: int
    category: str


COMPLIANCE_FINDING = EventClass(2003, "Compliance Finding", 2, "Findings")
"""https://schema.ocsf.io/classes/compliance_finding"""
SCAN_ACTIVITY = EventClass(6007, "Scan Activity", 6, "Application Activity")
"""https://schema.ocsf.io/classes/scan_activity"""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a receiver is spoken to."""

    version: str
    """One of `VERSIONS`."""
    auditor_version: str
    policies: Mapping[str, JudgedPolicy]
    """By id; a finding of a policy that is not there is told without its title."""

    @property
    def is_oldest(self) -> bool:
        """Whether it is 1.3.0, which names some things otherwise."""
        return self.version == OLDEST


def event(  # noqa: PLR0913 -- each is a field that every event has
    dialect: Dialect,
    of: EventClass,
    *,
    activity: Caption,
    severity: Caption,
    status: Caption,
    time: int,
    uid: str,
    run_id: str,
) -> dict[str, Any]:
    """Return what every event has.

    :param time: milliseconds since the epoch.
    :param uid: what a receiver drops copies by.
    """
    return {
        "activity_id": activity[0],
        "activity_name": activity[1],
        "category_uid": of.category_uid,
        "category_name": of.category,
        "class_uid": of.uid,
        "class_name": of.name,
        "type_uid": of.uid * 100 + activity[0],
        "type_name": f"{of.name}: {activity[1]}",
        "severity_id": severity[0],
        "severity": severity[1],
        "status_id": status[0],
        "status": status[1],
        "time": time,
        "metadata": {
            "version": dialect.version,
            "product": {
                "name": "auditor",
                "vendor_name": "auditor",
                "version": dialect.auditor_version,
            },
            "profiles": ["cloud"],
            "uid": uid,
            "correlation_uid": run_id,
        },
    }


def cloud(account_id: str | None, account_name: str | None, region: str | None) -> dict[str, Any]:
    """Return where in AWS something is, as far as it is known."""
    account: dict[str, Any] = {}
    if account_id is not None:
        name = {"name": cut(account_name, LONGEST)} if account_name else {}
        account = {"account": {"uid": account_id, **name, **_AWS_ACCOUNT}}
    return {"provider": "AWS", **account, **({"region": region} if region else {})}


def compliance(  # noqa: PLR0913, PLR0917 -- each is a field of the object
    dialect: Dialect,
    policy: str | None,
    status: Caption,
    detail: str | None,
    standards: list[str],
    requirements: list[str],
) -> dict[str, Any]:
    """Return whether something complies, with what, and why."""
    why: dict[str, Any] = {}
    if detail:
        text = cut(detail, LONGEST)
        why = {"status_detail": text} if dialect.is_oldest else {"status_details": [text]}
    return {
        "status_id": status[0],
        "status": status[1],
        **({"control": policy} if policy else {}),
        # 1.3.0 asks for one at the least: where no framework is cited, the rules are our own.
        "standards": [cut(each, LONGEST) for each in dict.fromkeys(standards)] or ["auditor"],
        "requirements": [cut(each, LONGEST) for each in requirements],
        **why,
    }
