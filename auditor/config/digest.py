"""One number for what a configuration means, whatever way it is written."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from auditor.config.entries import ACCOUNT_ID

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from auditor.config.acceptances import AcceptedGap, Waiver
    from auditor.config.organization import Filter, Organization
    from auditor.config.settings import Limits, PolicySettings
    from auditor.model import Account


def digest(
    accounts: Iterable[Account],
    policies: Mapping[str, PolicySettings],
    limits: Limits,
    accepted: Sequence[Waiver | AcceptedGap] = (),
    organization: Organization | None = None,
) -> str:
    """Return the SHA-256, in hex, of the effective configuration, ExternalIds left out.

    The order of keys, accounts and Regions, comments, and defaults written out change nothing in it.
    """
    meaning: dict[str, Any] = {
        "version": 1,
        "accounts": [_account(account) for account in sorted(accounts, key=lambda account: account.id)],
        "policies": {
            policy: _numbers(settings.model_dump(mode="json")) for policy, settings in policies.items()
        },
        "limits": limits.model_dump(mode="json"),
        # In the file's order: where two hold, the first is the one that is shown.
        "accepted": [_meaning(each) for each in accepted],
    }
    if organization is not None:
        meaning["organization"] = {
            "role_arn": organization.role_arn,
            "include": sorted(map(_filter, organization.include)),
            "exclude": sorted(map(_filter, organization.exclude)),
            "found": _account(organization.found(ACCOUNT_ID, None)),
        }
    written = json.dumps(meaning, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(written.encode("ascii")).hexdigest()


def settings_digest(settings: PolicySettings, version: str) -> str:
    """Return the SHA-256, in hex, of what a policy judges by: its settings, and the version of its code."""
    meaning = {"version": version, "settings": _numbers(settings.model_dump(mode="json"))}
    written = json.dumps(meaning, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(written.encode("ascii")).hexdigest()


def _meaning(accepted: Waiver | AcceptedGap) -> dict[str, Any]:
    written = asdict(accepted) | {"kind": type(accepted).__name__, "until": accepted.until.isoformat()}
    return {key: value for key, value in written.items() if key != "line"}


def _account(account: Account) -> dict[str, Any]:
    return {
        "id": account.id,
        "name": account.name,
        "role_arn": account.role_arn,
        "session_name": account.session_name,
        "session_duration": account.session_duration,
        "regions": sorted(account.regions),
        "hub_role_arn": account.hub.role_arn if account.hub else None,
        "session_tags": dict(account.session_tags),
        "source_identity": account.source_identity,
        "session_policy": account.session_policy,
        "max_requests_per_second": account.max_requests_per_second,
        "max_requests_per_second_per_region": account.max_requests_per_second_per_region,
    }


def _filter(one: Filter) -> list[Any]:
    return [one.kind, one.value, sorted(one.tag_values)]


def _numbers(value: Any) -> Any:
    """Return `value` with 640.0 as 640: they mean the same."""
    if isinstance(value, dict):
        return {key: _numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_numbers(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
