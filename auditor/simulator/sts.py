"""STS: AssumeRole and GetCallerIdentity. Source: STS API reference, AssumeRole; error texts are AWS's own."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from auditor.simulator.answers import STS, Answer, ApiError, element, xml_answer
from auditor.simulator.misbehaviour import access_denied

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditor.simulator.estate import SimAccount
    from auditor.simulator.keys import Key, Keys

MIN_SESSION, MAX_SESSION, MAX_CHAINED = 900, 43_200, 3_600
"""Seconds (STS API reference, AssumeRole, DurationSeconds)."""
MAX_POLICY = 2048
"""Characters of a session policy."""
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
    if invalid is not None:
        return invalid
    account = keys.account(account_of_role(form) or "")
    trusted = caller is keys.base and account is not None and account.role_arn == role_arn
    # STS does not say which it was: no such role, no trust, or not the ExternalId that the trust asks for.
    if account is None or not trusted or account.external_id not in (None, form.get("ExternalId")):
        return access_denied(STS, caller.arn, role_arn)
    if ":assumed-role/" in caller.arn and int(duration) > MAX_CHAINED:
        return _validation(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."
        )
    if int(duration) > account.max_session_duration:
        return _validation("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
    key = keys.mint((into or account).id, account.role_name, session, int(duration))
    return xml_answer("AssumeRole", _result(key), request_id)


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
    return _invalid_policy(form.get("Policy"))


def _invalid_policy(policy: str | None) -> ApiError | None:
    if policy is None:
        return None
    if len(policy) > MAX_POLICY:
        return ApiError("PackedPolicyTooLarge", "Packed size of session policies exceeds the limit.")
    try:
        json.loads(policy)
    except ValueError:
        return ApiError("MalformedPolicyDocument", "This policy contains invalid Json")
    return None


def _constraint(value: str, member: str, constraint: str) -> ApiError:
    return _validation(
        f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: {constraint}"
    )


def _validation(message: str) -> ApiError:
    return ApiError("ValidationError", message)
