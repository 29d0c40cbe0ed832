"""The only way out of the history for an account that is no longer audited: somebody retires it, and says why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, insert, select, update

from auditor.errors import UsageError
from auditor.history.documents import storable
from auditor.history.life import OPEN
from auditor.history.tables import findings, retirements
from auditor.model import ResolutionKind, Status, shown

if TYPE_CHECKING:
    from auditor.history.database import Database


def retire(database: Database, account_id: str, *, by: str, reason: str, at: str) -> int:
    """Resolve every open finding of an account, and return how many there were; the next run tells of them.

    :param at: now, as RFC 3339.
    :raises UsageError: where there is none.
    """
    account_id, by, reason = storable(account_id), storable(by), storable(reason)
    ours = (findings.c.account_id == account_id, findings.c.status.in_(sorted(OPEN)))
    with database.transaction() as connection:
        count = connection.scalar(select(func.count()).where(*ours)) or 0
        if not count:
            raise UsageError(
                f"account {shown(account_id)} has no open finding in the history {shown(database.name)}; "
                "see `auditor history findings`"
            )
        connection.execute(
            update(findings)
            .where(*ours)
            .values(
                status=Status.RESOLVED.value,
                resolution=ResolutionKind.RETIRED.value,
                why=f"account {account_id} was retired by {by}: {reason}",
                unsaid=True,
            )
        )
        last = connection.scalar(select(func.max(retirements.c.id))) or 0
        connection.execute(
            insert(retirements),
            {
                "id": last + 1,
                "account_id": account_id,
                "by": by,
                "reason": reason,
                "at": at,
                "findings": count,
            },
        )
    return int(count)
