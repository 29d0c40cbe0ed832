"""What the history tells people: its runs, its findings, the life of one, and how two runs differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, case, func, select

from auditor.errors import UsageError
from auditor.history.documents import read_json, storable
from auditor.history.life import OPEN
from auditor.history.tables import documents, findings, retirements, runs, transitions
from auditor.model import Severity, Status, shown

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import Connection, RowMapping

    from auditor.history.database import Database

LATEST, PREVIOUS = "latest", "previous"
CHANGES = ("new", "reopened", "resolved", "not_seen", "still_open")
"""How a finding may differ between two runs, in the order in which they are told."""

_SHORTEST = 8
"""Characters of an id that are enough, where no other begins like it."""
_COUNTS = ("new", "recurring", "reopened", "not_seen", "resolved")
_TOLD = (
    findings.c.finding_id,
    findings.c.policy,
    findings.c.severity,
    findings.c.account_id,
    findings.c.region,
    findings.c.resource_arn,
    findings.c.first_seen,
)

_WORST_FIRST = (
    case({severity: rank for rank, severity in enumerate(Severity)}, value=findings.c.severity),
    findings.c.policy,
    findings.c.id,
)


def run_lines(database: Database, last: int) -> list[dict[str, Any]]:
    """Return the last runs, the newest first."""
    statement = select(runs).order_by(runs.c.sequence.desc()).limit(last)
    with database.transaction() as connection:
        return [_run(row) for row in connection.execute(statement).mappings()]


def finding_lines(
    database: Database,
    statuses: Collection[str] = (),
    accounts: Collection[str] = (),
    policies: Collection[str] = (),
) -> list[dict[str, Any]]:
    """Return the findings of these statuses, accounts and policies; where none is named, all that are open."""
    wanted = sorted(statuses or OPEN)
    columns = (*_TOLD, findings.c.status, findings.c.resolution, findings.c.why)
    statement = select(*columns).where(findings.c.status.in_(wanted)).order_by(*_WORST_FIRST)
    if accounts:
        statement = statement.where(findings.c.account_id.in_(sorted(map(storable, accounts))))
    if policies:
        statement = statement.where(findings.c.policy.in_(sorted(map(storable, policies))))
    with database.transaction() as connection:
        return [dict(row) for row in connection.execute(statement).mappings()]


def life(database: Database, finding_id: str) -> dict[str, Any]:
    """Return all that is known of a finding, which may be named by how its id begins.

    :raises UsageError: where there is none, or several.
    """
    with database.transaction() as connection:
        row = _the_finding(connection, finding_id, database.name)
        turns = connection.execute(
            select(transitions, runs.c.run_id, runs.c.started_at)
            .join(runs, runs.c.sequence == transitions.c.run)
            .where(transitions.c.finding == row["id"])
            .order_by(transitions.c.run)
        ).mappings()
        last = connection.execute(
            select(runs.c.run_id, runs.c.started_at).where(runs.c.sequence == row["found_run"])
        ).one()
        body = connection.scalar(select(documents.c.body).where(documents.c.finding == row["id"]))
        retired = connection.execute(
            select(retirements)
            .where(retirements.c.account_id == row["account_id"])
            .order_by(retirements.c.id)
        ).mappings()
        return {
            **{column.name: row[column.name] for column in _TOLD},
            "status": row["status"],
            "resolution": row["resolution"],
            "why": row["why"],
            "last_found": {"run_id": last.run_id, "at": last.started_at},
            "life": [
                {
                    "run_id": turn["run_id"],
                    "at": turn["started_at"],
                    "status": turn["status"],
                    "resolution": turn["resolution"],
                    "why": turn["why"],
                }
                for turn in turns
            ],
            "retirements": [
                {"by": each["by"], "reason": each["reason"], "at": each["at"]} for each in retired
            ],
            "finding": read_json(body),
        }


def difference(database: Database, older: str, newer: str) -> dict[str, Any]:
    """Return how two runs that have finished differ: the runs, and the findings by their change.

    :raises UsageError: where one is not there or did not finish, or they come in the wrong order.
    """
    with database.transaction() as connection:
        before, after = (_the_run(connection, name, database.name) for name in (older, newer))
        if before["sequence"] >= after["sequence"]:
            raise UsageError(
                f"run {shown(before['run_id'])} is not earlier than {shown(after['run_id'])}; name the earlier one first"
            )
        then, now = _states(before["sequence"], "then_"), _states(after["sequence"], "now_")
        statement = (
            select(*_TOLD, now.c.status, now.c.resolution, now.c.why, then.c.status.label("before"))
            .join(now, now.c.finding == findings.c.id)
            .outerjoin(then, then.c.finding == findings.c.id)
            .order_by(*_WORST_FIRST)
        )
        found: dict[str, list[dict[str, Any]]] = {change: [] for change in CHANGES}
        for row in connection.execute(statement).mappings():
            change = _change(row["before"], row["status"])
            if change is not None:
                found[change].append({key: value for key, value in row.items() if key != "before"})
        return {"older": _run(before), "newer": _run(after), **found}


def _states(sequence: int, name: str) -> Any:
    """Return each finding's state at a run: its last turn until then."""
    last = (
        select(transitions.c.finding, func.max(transitions.c.run).label("run"))
        .where(transitions.c.run <= sequence)
        .group_by(transitions.c.finding)
        .subquery(f"{name}last")
    )
    return (
        select(transitions)
        .join(last, and_(last.c.finding == transitions.c.finding, last.c.run == transitions.c.run))
        .subquery(name)
    )


def _change(before: str | None, now: str) -> str | None:
    """Return how a finding differs; None where it was open neither then nor now."""
    if now not in OPEN:
        return "resolved" if before in OPEN else None
    if before is None:
        return "new"
    if before not in OPEN:
        return "reopened"
    return "not_seen" if now == Status.NOT_SEEN else "still_open"


def _the_finding(connection: Connection, finding_id: str, name: str) -> RowMapping:
    statement = select(findings).limit(2)
    if len(finding_id) < _SHORTEST:
        raise UsageError(
            f"finding {shown(finding_id) or '(empty)'}: write at least {_SHORTEST} characters of its finding_id"
        )
    found = connection.execute(
        statement.where(findings.c.finding_id.startswith(storable(finding_id), autoescape=True))
    ).mappings()
    rows = found.all()
    if not rows:
        raise UsageError(f"there is no finding {shown(finding_id)} in the history {shown(name)}")
    if len(rows) > 1:
        raise UsageError(f"several findings begin with {shown(finding_id)}; write more of the finding_id")
    return rows[0]


def _the_run(connection: Connection, name: str, history: str) -> RowMapping:
    """Return a run by its id, how that begins, or `latest` and `previous` of those that have finished."""
    if name in (LATEST, PREVIOUS):
        statement = (
            select(runs).where(runs.c.finished_at.is_not(None)).order_by(runs.c.sequence.desc()).limit(2)
        )
        rows = connection.execute(statement).mappings().all()
        wanted = (LATEST, PREVIOUS).index(name)
        if len(rows) <= wanted:
            raise UsageError(f"there is no {name} run that has finished in the history {shown(history)}")
        return rows[wanted]
    if len(name) < _SHORTEST:
        raise UsageError(
            f"run {shown(name) or '(empty)'}: write at least {_SHORTEST} characters of its run_id, or latest or previous"
        )
    found = connection.execute(
        select(runs).where(runs.c.run_id.startswith(storable(name), autoescape=True)).limit(2)
    ).mappings()
    rows = found.all()
    if len(rows) != 1:
        which = "several runs begin with" if rows else "there is no run"
        raise UsageError(f"{which} {shown(name)} in the history {shown(history)}; see `auditor history`")
    if rows[0]["finished_at"] is None:
        raise UsageError(
            f"run {shown(rows[0]['run_id'])} has not finished, so that nothing can be compared with it"
        )
    return rows[0]


def _run(row: RowMapping) -> dict[str, Any]:
    counts = {name: row[name] for name in _COUNTS}
    return {
        "run_id": row["run_id"],
        "started_at": row["started_at"],
        "finished_at": row["finished_at"],
        "scope": row["scope"],
        "config_digest": row["config_digest"],
        "versions": read_json(row["versions"]),
        "targets": read_json(row["targets"]),
        "coverage_percent": row["coverage_percent"],
        "coverage_percent_after_accepted": row["coverage_percent_after_accepted"],
        "findings": counts | {"open": sum(counts.values()) - counts["resolved"]},
        "exit_code": row["exit_code"],
    }
