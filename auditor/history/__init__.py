"""Earlier runs: which findings are new, recurring, reopened, not seen or resolved, and what is still to be sent.

::

    with open_history(config.history, holder=f"run {run_id}") as history:
        run = history.begin(Begun(run_id, started_at, config.digest, "full", judged_by(entries, policies)))
        look = Look(policies, ledger.outcomes, accounts, filters, switched_off, waivers.waive)
        told = run.see(findings)                      # with status, first_seen and event_id; as often as there are some
        told = run.settle(place, look, was_read)      # once all targets of a place have their verdicts
        for told in run.conclude(look): ...           # once all targets have: what no place has told of
        run.finish(record, ledger.lines())

Each call is one transaction, which blocks: call from one worker thread at a time. One transaction is one flush of the
disk, so that findings are best given to `see` some hundreds at once. A run that goes on under its run_id begins
again with the same `Begun`; what it is told again keeps its status, and `run.told()` yields what was told before.
`see` and the others raise `SinkError` where the store fails, and from then on always; opening raises `UsageError`.

A history in S3 (`S3Store`) is fetched first and put back once it is closed: see `auditor.history.in_s3`. What people
ask of a history stands in `auditor.history.reading`, what is still to be sent in `History.outbox`.

Nothing here imports SQLAlchemy until a history is opened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.history.events import Destination, Due, Event
from auditor.history.looking import Begun, JudgedBy, Look, judged_by

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from auditor import config
    from auditor.history.opening import History

__all__ = [
    "Begun",
    "Destination",
    "Due",
    "Event",
    "JudgedBy",
    "Look",
    "judged_by",
    "open_history",
    "read_history",
]


def open_history(history: config.History, *, holder: str) -> AbstractContextManager[History]:
    """Open the history for writing, made where there is none: nobody else writes until the block ends.

    :param holder: who is at it, in words for whoever comes meanwhile: `run 20261125T…`.
    :raises UsageError: where it can't be used, or another does not let go of it within `history.wait`.
    """
    from auditor.history.opening import opened  # noqa: PLC0415 -- SQLAlchemy takes a quarter of a second

    return opened(history.store, holder=holder, wait_s=history.wait.total_seconds())


def read_history(history: config.History) -> AbstractContextManager[History]:
    """Open the history to read it, while a run may be at it.

    :raises UsageError: where there is none, or it can't be used.
    """
    from auditor.history.opening import opened_to_read  # noqa: PLC0415 -- as above

    return opened_to_read(history.store)
