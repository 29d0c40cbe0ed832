"""Whether the verdict of a target follows from its answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditor.coverage import dependency_failed
from auditor.model import NOT_OF_AN_ACCOUNT, Reason, shown

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from auditor.evidence.following import Followed

    Why = tuple[str | None, str | None]
    """AWS's code, and its text."""

_CUT_OFF = frozenset({Reason.DEADLINE, Reason.INTERRUPTED, Reason.INTERNAL_ERROR})
"""Reasons that the run itself gave, whatever was answered last."""


def target_faults(
    target: dict[str, Any], kept: Followed, refusals: Collection[Why], records: dict[str, Any] | None
) -> Iterator[str]:
    """Yield how one target of the ledger does not follow from its answers.

    :param refusals: what was said of each call for an account as a whole that came to nothing.
    :param records: the target of the records of its account and Region.
    """
    name = shown(f"{target.get('account_id')} {target.get('region')} {target.get('source')}")
    if kept.is_damaged:
        return  # what can't be read can't be counted; it was named
    for what, found in (
        ("requests", kept.requests),
        ("pages", kept.pages),
        ("records", kept.records),
    ):
        if target.get(what) != found:
            yield f"{name}: the ledger says {target.get(what)} {what}, and the answers are {found}"
    yield from _verdict_faults(name, target, kept)
    if target.get("verdict") == "complete":
        if target is records and not kept.pages:
            yield f"{name}: the ledger says complete, and no page of it was kept"
        if records is not None and records.get("verdict") != "complete":
            yield f"{name}: the ledger says complete, though the records that it depends on are not"
    elif not (_as_records(target, records) and kept.reason is None):
        yield from _reason_faults(name, target, kept, refusals, records)


def _verdict_faults(name: str, target: dict[str, Any], kept: Followed) -> Iterator[str]:
    verdict, reason = target.get("verdict"), target.get("reason")
    if (verdict == "complete") != (reason is None):
        yield f"{name}: the ledger says {verdict} for {reason}"
    if verdict in ("failed", "skipped") and kept.pages:
        yield f"{name}: the ledger says {verdict}, and pages of it were read"
    if verdict == "partial" and not kept.pages:
        yield f"{name}: the ledger says partial, and no page of it was read"
    if verdict == "complete" and (kept.reason is not None or kept.expects is not None):
        yield f"{name}: the ledger says complete, and the last page is missing"


def _as_records(target: dict[str, Any], records: dict[str, Any] | None) -> bool:
    """Say whether a source of facts ended as the records did, which kept it from being asked."""
    if records is None or target is records:
        return False
    return all(target.get(what) == records.get(what) for what in ("reason", "error_code", "error_message"))


def _told_by(records: dict[str, Any] | None, why: tuple[Any, Any]) -> bool:
    """Say whether that is what a source of facts ends with, where the records ended so."""
    if records is None or records.get("reason") is None:
        return False
    failure = dependency_failed(str(records["reason"]), records.get("error_code"))
    return why == (failure.error_code, failure.error_message)


def _reason_faults(
    name: str,
    target: dict[str, Any],
    kept: Followed,
    refusals: Collection[Why],
    records: dict[str, Any] | None,
) -> Iterator[str]:
    reason, why = target.get("reason"), (target.get("error_code"), target.get("error_message"))
    if reason in _CUT_OFF or target.get("source") in NOT_OF_AN_ACCOUNT:
        return
    if reason == Reason.ACCOUNT_SUSPENDED or (reason == Reason.DEPENDENCY_FAILED and _told_by(records, why)):
        if kept.reason is not None:
            yield f"{name}: the ledger says {reason}, and the last answer was taken for {kept.reason}"
    elif reason == Reason.PAGE_TOKEN_LOOP:
        if not kept.loops:
            yield f"{name}: the ledger says {reason}, and no page names one that was read before"
    elif (
        (kept.reason == reason and kept.why == why)
        or (reason == Reason.REGION_NOT_ENABLED and kept.why == why and kept.reason == Reason.ACCESS_DENIED)
        or (
            reason == Reason.PAGE_TOKEN_REJECTED and kept.why == why and kept.reason == Reason.INVALID_REQUEST
        )
    ):
        return
    elif reason == Reason.WRONG_ACCOUNT or why in refusals:
        return  # its role: told by STS, of which the answers that hold credentials are not kept
    else:
        said = f"{reason} ({shown(str(why[0]))})"
        last = f"{kept.reason} ({shown(str(kept.why[0]))})"
        yield f"{name}: the ledger says {said}, and the last answer was {last}"
