"""The policy of a session: what narrows it to the calls that are made with it, whatever else its role may do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from auditor.model import Account

MOST_CHARACTERS = 2048
"""STS API reference, AssumeRole, Policy."""


def chain_actions(*, tags: bool, source_identity: bool) -> tuple[str, ...]:
    """Return what assuming a role needs, on both sides, where the session is tagged or says who is behind it."""
    return (
        "sts:AssumeRole",
        *(("sts:TagSession",) if tags else ()),
        *(("sts:SetSourceIdentity",) if source_identity else ()),
    )


def policy_document(*statements: dict[str, Any]) -> dict[str, Any]:
    """Return a policy document of IAM's."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def session_policy(actions: Iterable[str]) -> str:
    """Return the session policy that allows these actions, and nothing else."""
    # Not one of the operations that are read can be confined to a resource (Service Authorization Reference).
    allow = {"Effect": "Allow", "Action": sorted(actions), "Resource": "*"}
    return json.dumps(policy_document(allow), separators=(",", ":"))


def assume_arguments(account: Account, duration: int, actions: Iterable[str]) -> dict[str, Any]:
    """Return what AssumeRole is asked for an account's role.

    :param duration: seconds.
    :param actions: what the session is for; none leaves it all that the role may do.
    """
    asked: dict[str, Any] = {
        "RoleArn": account.role_arn,
        "RoleSessionName": account.session_name,
        "DurationSeconds": duration,
    }
    if account.external_id is not None:
        asked["ExternalId"] = account.external_id
    if account.session_tags:
        asked["Tags"] = [{"Key": key, "Value": value} for key, value in account.session_tags]
    if account.source_identity is not None:
        asked["SourceIdentity"] = account.source_identity
    if account.session_policy and actions:
        asked["Policy"] = session_policy(actions)
    return asked
