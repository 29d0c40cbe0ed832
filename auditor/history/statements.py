"""The statements of a run: made once, since to make one costs more than to run it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import (
    and_,
    bindparam,
    delete,
    exists,
    false,
    func,
    insert,
    literal_column,
    null,
    or_,
    select,
    update,
)

from auditor.errors import UsageError
from auditor.history.tables import documents, events, findings, outbox, runs, transitions, verdicts
from auditor.model import shown

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from auditor.history.looking import Begun

AT_ONCE = 500
"""Findings that are looked up, and written, with one statement: SQLite takes 32,766 variables in one, others fewer."""

_told = findings.c.told_run == bindparam("run")
_open = findings.c.status.in_(bindparam("open", expanding=True))

BY_ID = select(
    findings.c.id,
    findings.c.finding_id,
    findings.c.status,
    findings.c.first_seen,
    findings.c.found_run,
    findings.c.told_run,
    findings.c.last_event,
).where(findings.c.finding_id.in_(bindparam("ids", expanding=True)))

FOUND = (
    update(findings)
    .where(findings.c.id == bindparam("key"))
    .values(
        status=bindparam("to"),
        severity=bindparam("severity_now"),
        resolution=null(),
        why=null(),
        found_run=bindparam("run"),
        told_run=bindparam("run"),
        found_with=bindparam("by"),
        looked_with=bindparam("by"),
        looked_run=bindparam("run"),
        last_event=bindparam("last_event"),
        unsaid=false(),
    )
)
REWRITTEN = update(documents).where(documents.c.finding == bindparam("key")).values(body=bindparam("now"))

# An event that is not sent yet, and rests on a document that is to be rewritten, gets a body of its own. Its position
# alone does not say whose it is: one that was let go of may be another's by now.
KEPT = (
    update(events)
    .where(
        findings.c.id.in_(bindparam("keys", expanding=True)),
        documents.c.finding == findings.c.id,
        events.c.position == findings.c.last_event,
        events.c.finding_id == findings.c.finding_id,
        events.c.body.is_(None),
    )
    .values(body=documents.c.body)
)

ADDED = insert(findings)
WRITTEN = insert(documents)
TURNED = insert(transitions)
DECIDED = insert(verdicts)
SAID = insert(events)
DUE = insert(outbox)

_with_document = select(findings, documents.c.body).join(documents, documents.c.finding == findings.c.id)

UNFOUND_OF_PLACE = _with_document.where(
    findings.c.account_id == bindparam("account"),
    findings.c.region == bindparam("region"),
    or_(_open, _told),
    findings.c.found_run != bindparam("run"),
).order_by(findings.c.id)

UNTOLD = (
    _with_document.where(findings.c.id > bindparam("after"), ~_told, or_(_open, findings.c.unsaid))
    .order_by(findings.c.id)
    .limit(AT_ONCE)
)

TOLD = _with_document.where(findings.c.id > bindparam("after"), _told).order_by(findings.c.id).limit(AT_ONCE)

NOT_FOUND = (
    update(findings)
    .where(findings.c.id == bindparam("key"))
    .values(
        status=bindparam("to"),
        resolution=bindparam("kind"),
        why=bindparam("because"),
        looked_with=bindparam("by"),
        looked_run=bindparam("looked"),
        told_run=bindparam("run"),
        unsaid=false(),
    )
)

_to = outbox.c.destination == bindparam("to")

TRIED = select(outbox.c.position).where(_to, outbox.c.not_before.is_not(None)).limit(1)

PENDING = (
    select(
        events,
        outbox.c.attempts,
        outbox.c.last_error,
        documents.c.body.label("document"),
    )
    .join(outbox, outbox.c.position == events.c.position)
    .outerjoin(findings, and_(findings.c.finding_id == events.c.finding_id, events.c.body.is_(None)))
    .outerjoin(documents, documents.c.finding == findings.c.id)
    .where(
        _to,
        outbox.c.position > bindparam("beyond"),
        or_(outbox.c.not_before.is_(None), outbox.c.not_before <= bindparam("now")),
    )
    .order_by(outbox.c.position)
    .limit(bindparam("most"))
)

BEGAN = select(runs.c.run_id, runs.c.started_at).where(runs.c.run_id.in_(bindparam("ids", expanding=True)))

# Told once for all rows: to look for each row among those before it takes hours where a destination was long away.
_left = outbox.alias()
_said = events.alias()
_held = (
    select(_said.c.finding_id, func.min(_left.c.position).label("since"))
    .join(_left, _left.c.position == _said.c.position)
    .where(
        _left.c.destination == bindparam("to"),
        or_(_left.c.not_before > bindparam("now"), _left.c.position <= bindparam("beyond")),
        _said.c.finding_id.is_not(None),
    )
    .group_by(_said.c.finding_id)
    .cte("held")
)
PENDING_BUT_HELD = PENDING.outerjoin(
    _held, and_(_held.c.finding_id == events.c.finding_id, _held.c.since < outbox.c.position)
).where(_held.c.finding_id.is_(None))

_in_range = outbox.c.position.between(bindparam("first"), bindparam("last"))

TAKEN = delete(outbox).where(_to, _in_range)
LET_GO = delete(events).where(
    events.c.position.between(bindparam("first"), bindparam("last")),
    ~exists().where(outbox.c.position == events.c.position),
)
POSTPONED = (
    update(outbox)
    .where(_to, _in_range)
    .values(
        attempts=outbox.c.attempts + literal_column("1"),
        not_before=bindparam("from_then"),
        last_error=bindparam("because"),
    )
)

UNTURNED = delete(transitions).where(
    transitions.c.run == bindparam("run"), transitions.c.finding.in_(bindparam("keys", expanding=True))
)


def begun(connection: Connection, run: Begun) -> tuple[int, bool]:
    """Return the number of this run, which begins or goes on, and whether it has finished before.

    :raises UsageError: where another has begun since: what is known is what that one found. Or where it goes on, and is
        not known: then what it told is not known either.
    """
    run_id = run.run_id
    last = connection.scalar(select(func.max(runs.c.sequence))) or 0
    before = connection.execute(
        select(runs.c.sequence, runs.c.finished_at).where(runs.c.run_id == run_id)
    ).one_or_none()
    if before is not None and before.sequence != last:
        raise UsageError(
            f"run {shown(run_id)} can't go on: another has begun since, as the history says; begin a new one"
        )
    if before is not None:
        return int(before.sequence), before.finished_at is not None
    if run.goes_on:
        raise UsageError(
            f"run {shown(run_id)} can't go on: the history does not know of it; restore the one that it began with, "
            "or begin a new run"
        )
    counts = dict.fromkeys(("new", "recurring", "reopened", "not_seen", "resolved"), 0)
    row = {
        "run_id": run_id,
        "started_at": run.started_at,
        "config_digest": run.config_digest,
        "scope": run.scope,
    }
    connection.execute(insert(runs), row | counts | {"sequence": last + 1})
    return int(last) + 1, False


def evidence_before(connection: Connection, sequence: int) -> tuple[str, str] | None:
    """Return the last run before this one that kept evidence, by its id, and what that is known by."""
    row = connection.execute(
        select(runs.c.run_id, runs.c.evidence)
        .where(runs.c.sequence < sequence, runs.c.evidence.is_not(None))
        .order_by(runs.c.sequence.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else (row.run_id, row.evidence)
