"""What STS gives for a role: a session's keys, how long they are to be used, and whose they are."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from auditor.aws.credentials import SessionCredentials
from auditor.aws.failures import BadResponse
from auditor.errors import CallFailed
from auditor.model import Failure, Reason, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditor.model import Account

_REFRESH_SHARE = (0.1, 0.2)
"""Which share of a session's life is left when it is refreshed, drawn anew for each so that not all come at once."""
MOST_MARGIN = 300.0
"""Seconds before the end at which any session is refreshed at the latest, jitter apart."""


def prove_given(answer: Mapping[str, Any]) -> None:
    """Take nothing for a session that has no credentials, or is nobody's.

    :raises BadResponse: where it is such.
    """
    keys = answer.get("Credentials") or {}
    missing = {"AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"} - {
        k for k, v in keys.items() if v
    }
    if missing or not (answer.get("AssumedRoleUser") or {}).get("Arn"):
        raise BadResponse("an answer to AssumeRole without credentials or without the role's ARN")


def credentials_of(answer: Mapping[str, Any]) -> SessionCredentials:
    """Return the session's keys."""
    keys = answer["Credentials"]
    return SessionCredentials(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])


def usable_for(answer: Mapping[str, Any]) -> float:
    """Return the seconds after which a session is refreshed; endless where its end makes no sense here."""
    expiration: datetime = answer["Credentials"]["Expiration"]
    life = (expiration - datetime.now(UTC)).total_seconds()
    if life <= 0:
        return float("inf")  # the clocks differ: AWS will say when it has expired
    share = random.uniform(*_REFRESH_SHARE)  # noqa: S311 -- spreads load, guards nothing
    return life - min(life * share, MOST_MARGIN * (1 + share))


def check_account(account: Account, answer: Mapping[str, Any]) -> None:
    """Compare the account that was assumed with the one that was planned, before anything is read in it."""
    arn = str(answer["AssumedRoleUser"]["Arn"])
    found = [*arn.split(":"), "", "", "", "", ""][4]
    if found != account.id:
        text = f"the role assumed is of account {shown(found)[:40] or 'unknown'}, not of {account.id}"
        raise CallFailed(Failure(Reason.WRONG_ACCOUNT, None, text))
