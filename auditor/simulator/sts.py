"""STS: AssumeRole and GetCallerIdentity. Source: STS API reference, AssumeRole; error texts are AWS's own."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from auditor.simulator.answers import STS, Answer, ApiError, element, xml_answer
from auditor.simulator.chains import invalid_chain, refused_by_trust, tags_of
from auditor.simulator.misbehaviour import access_denied
from auditor.simulator.permissions import may, refusal, session_policy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditor.simulator.estate import SimAccount, SimHub
    from auditor.simulator.keys import Key, Keys

MIN_SESSION, MAX_SESSION, MAX_CHAINED = 900, 43_200, 3_600
"""Seconds (STS API reference, AssumeRole, DurationSeconds)."""
_ROLE_ARN = re.compile(r"arn:aws:iam::(?P<account>\d{12}):role/(?:[\x21-\x7e]+/)?(?P<name>[\w+=,.@-]{1,64})")
_SECONDS = re.compile(r"[0-9]{1,9}")
_SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)
_EXTERNAL_ID = re.compile(r"[\w+=,.@:/-]{2,1224}", re.ASCII)


def account_of_role(form: Mapping[str, str]) -> str | None:
    """Return the account of the role that is asked for."""
    found = _ROLE_ARN.fullmatch(form.get("RoleArn", ""))
    return None if found is None else found["account"]


def caller_identity(key: Key, request_id: str) -> Answer:
    """Answer GetCallerIdentity, which needs no permission."""
    result = element("Arn", key.arn) + element("UserId", key.user_id) + element("Account", key.account_id)
    return xml_answer("GetCallerIdentity", result, request_id)


def assume_role(
    form: Mapping[str, str], caller: Key, keys: Keys, request_id: str, into: SimAccount | None = None
) -> Answer | ApiError:
    """Answer AssumeRole; `into` is the account whose credentials come, where it is not the one asked for."""
    role_arn, session = form.get("RoleArn", ""), form.get("RoleSessionName", "")
    duration = form.get("DurationSeconds", str(MAX_CHAINED))
    invalid = _invalid(form, role_arn, session, duration)
    policy = session_policy(form.get("Policy"))
    if invalid is not None:
        return invalid
    if isinstance(policy, ApiError):
        return policy
    role = _role(role_arn, keys)
    # STS does not say which it was: no such role, no trust, or not the ExternalId that the trust asks for.
    if role is None or not _trusts(role, caller, keys, form.get("ExternalId")):
        return access_denied(STS, caller.arn, role_arn)
    refused = refused_by_trust(form, caller, role) or _too_long(role, caller, int(duration))
    if refused is None and not may(caller, "sts:AssumeRole", role_arn):
        refused = refusal(caller, STS, "AssumeRole", role_arn)
    if refused is not None:
        return refused
    owner = into.id if into is not None else role_arn.split(":")[4]
    key = keys.mint(
        owner,
        role.role_name,
        session,
        int(duration),
        role_actions=role.role_actions,
        policy=policy,
        tags=tags_of(form),
        source_identity=form.get("SourceIdentity") or caller.source_identity,
    )
    return xml_answer("AssumeRole", _result(key), request_id)


def _role(role_arn: str, keys: Keys) -> SimAccount | SimHub | None:
    if keys.hub is not None and keys.hub.role_arn == role_arn:
        return keys.hub
    account = keys.account(role_arn.split(":")[4])
    return account if account is not None and account.role_arn == role_arn else None


def _trusts(role: SimAccount | SimHub, caller: Key, keys: Keys, external_id: str | None) -> bool:
    hub = keys.hub
    by_hub = hub is not None and role is not hub
    right = caller.role_arn == hub.role_arn if hub is not None and by_hub else caller is keys.base
    return right and "sts:AssumeRole" in role.trust_actions and role.external_id in (None, external_id)


def _too_long(role: SimAccount | SimHub, caller: Key, seconds: int) -> ApiError | None:
    if ":assumed-role/" in caller.arn and seconds > MAX_CHAINED:
        return _validation(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."
        )
    if seconds > role.max_session_duration:
        return _validation("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
    return None


def _result(key: Key) -> str:
    # A millisecond is not lost on whoever reads whole seconds: expiry is rounded down.
    expiry = datetime.fromtimestamp(int(key.expires_at or 0), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    user = element("AssumedRoleId", key.user_id) + element("Arn", key.arn)
    credentials = (
        element("AccessKeyId", key.id)
        + element("SecretAccessKey", key.secret)
        + element("SessionToken", key.token or "")
        + element("Expiration", expiry)
    )
    return f"<AssumedRoleUser>{user}</AssumedRoleUser><Credentials>{credentials}</Credentials>"


def _invalid(form: Mapping[str, str], role_arn: str, session: str, duration: str) -> ApiError | None:
    if _ROLE_ARN.fullmatch(role_arn) is None:
        return _validation(f"{role_arn} is invalid")
    if _SESSION_NAME.fullmatch(session) is None:
        return _constraint(
            session, "roleSessionName", r"Member must satisfy regular expression pattern: [\w+=,.@-]{2,64}"
        )
    external_id = form.get("ExternalId")
    if external_id is not None and _EXTERNAL_ID.fullmatch(external_id) is None:
        pattern = r"Member must satisfy regular expression pattern: [\w+=,.@:\/-]{2,1224}"
        return _constraint(external_id, "externalId", pattern)
    if _SECONDS.fullmatch(duration) is None or int(duration) < MIN_SESSION:
        return _constraint(duration, "durationSeconds", "Member must have value greater than or equal to 900")
    if int(duration) > MAX_SESSION:
        return _constraint(duration, "durationSeconds", "Member must have value less than or equal to 43200")
    return invalid_chain(form)


def _constraint(value: str, member: str, constraint: str) -> ApiError:
    return _validation(
        f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: {constraint}"
    )


def _validation(message: str) -> ApiError:
    return ApiError("ValidationError", message)
