"""What AssumeRole is given beside the role: session tags and the source identity, and what a trust makes of them.

Source: STS API reference, AssumeRole and Tag; IAM user guide, "Pass session tags" and "Monitor and control actions
taken with assumed roles".
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

from auditor.simulator.answers import ApiError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditor.simulator.estate import SimAccount, SimHub
    from auditor.simulator.keys import Key

MAX_TAGS, MAX_TAG_KEY, MAX_TAG_VALUE = 50, 128, 256
_TAG = re.compile(r"[\w\s.:/=+\-@]*")
_SOURCE_IDENTITY = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)


def tags_of(form: Mapping[str, str]) -> dict[str, str]:
    """Return the session tags that are asked for."""
    numbers = itertools.takewhile(lambda n: f"Tags.member.{n}.Key" in form, itertools.count(1))
    return {form[f"Tags.member.{n}.Key"]: form.get(f"Tags.member.{n}.Value", "") for n in numbers}


def invalid_chain(form: Mapping[str, str]) -> ApiError | None:
    """Return what STS says of tags or a source identity that can't be."""
    tags = tags_of(form)
    if len(tags) > MAX_TAGS:
        return _invalid("tags", f"Member must have length less than or equal to {MAX_TAGS}")
    if len({key.lower() for key in tags}) < sum(name.endswith(".Key") for name in form):
        return ApiError("InvalidParameterValue", "Duplicate tag keys found. Tag keys are case insensitive.")
    for key, value in tags.items():
        if not 1 <= len(key) <= MAX_TAG_KEY or len(value) > MAX_TAG_VALUE:
            return _invalid("tags", "Member must have length within its limits")
        if not (_TAG.fullmatch(key) and _TAG.fullmatch(value)) or key.lower().startswith("aws:"):
            return _invalid(
                "tags", r"Member must satisfy regular expression pattern: [\p{L}\p{Z}\p{N}_.:/=+\-@]+"
            )
    identity = form.get("SourceIdentity")
    if identity is not None and not _SOURCE_IDENTITY.fullmatch(identity):
        return _invalid("sourceIdentity", r"Member must satisfy regular expression pattern: [\w+=,.@-]{2,64}")
    return None


def refused_by_trust(form: Mapping[str, str], caller: Key, role: SimAccount | SimHub) -> ApiError | None:
    """Return how a role refuses tags or a source identity that its trust does not allow, or that can't be changed."""
    identity = form.get("SourceIdentity")
    if tags_of(form) and "sts:TagSession" not in role.trust_actions:
        return _denied(caller, "sts:TagSession", role.role_arn)
    if identity is not None and "sts:SetSourceIdentity" not in role.trust_actions:
        return _denied(caller, "sts:SetSourceIdentity", role.role_arn)
    # What a session's source identity is, the roles assumed with it keep.
    if None not in (identity, caller.source_identity) and identity != caller.source_identity:
        return _denied(caller, "sts:SetSourceIdentity", role.role_arn)
    return None


def _denied(caller: Key, action: str, resource: str) -> ApiError:
    message = f"User: {caller.arn} is not authorized to perform: {action} on resource: {resource}"
    return ApiError("AccessDenied", message, 403)


def _invalid(member: str, constraint: str) -> ApiError:
    return ApiError(
        "ValidationError",
        f"1 validation error detected: Value at '{member}' failed to satisfy constraint: {constraint}",
    )
