"""The outbox: what is to be sent, in the transaction of what it tells of, until its receiver has taken it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from auditor.history import statements
from auditor.history.batches import write
from auditor.history.documents import Damaged
from auditor.history.events import FINDING, Due, Event
from auditor.history.statements import AT_ONCE
from auditor.history.tables import events, outbox
from auditor.model import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from contextlib import AbstractContextManager

    from sqlalchemy import Connection

    from auditor.history.events import Destination
    from auditor.model import Finding


class Sending:
    """Puts the events of one run into the outbox."""

    def __init__(self, connection: Connection, run_id: str, destinations: Sequence[Destination]) -> None:
        self._run_id = run_id
        self._all = [each.name for each in destinations]
        self._told_of_all = [each.name for each in destinations if not each.changes_only]
        self._next = 1 + (connection.scalar(select(func.max(events.c.position))) or 0)

    def send(
        self,
        connection: Connection,
        said: Sequence[tuple[Finding, bytes | None]],
        *,
        perhaps_sent: bool = False,
    ) -> dict[str, int]:
        """Put the events of these findings there; return their positions by the finding's id.

        A body that is None stands in the finding's document.

        :param perhaps_sent: whether some of these may stand there already.
        """
        positions: dict[str, int] = {}
        if not self._all:
            return positions
        there = _standing(connection, [finding.event_id for finding, _ in said] if perhaps_sent else [])
        added: list[dict[str, Any]] = []
        due: list[dict[str, Any]] = []
        for finding, body in said:
            names = self._told_of_all if finding.status is Status.RECURRING else self._all
            if names and finding.event_id not in there:
                positions[finding.finding_id] = self._next
                self._add(finding.event_id, FINDING, finding.finding_id, body, names, added, due)
        _insert(connection, added, due)
        return positions

    def post(self, connection: Connection, posted: Sequence[Event]) -> None:
        """Put other events there, each once."""
        if not self._all:
            return
        there = _standing(connection, [event.event_id for event in posted])
        added: list[dict[str, Any]] = []
        due: list[dict[str, Any]] = []
        for event in {event.event_id: event for event in posted if event.event_id not in there}.values():
            self._add(event.event_id, event.kind, event.finding_id, event.body, self._all, added, due)
        _insert(connection, added, due)

    def _add(  # noqa: PLR0913, PLR0917 -- a row's columns, and where they go
        self,
        event_id: str,
        kind: str,
        finding_id: str | None,
        body: bytes | None,
        names: list[str],
        added: list[dict[str, Any]],
        due: list[dict[str, Any]],
    ) -> None:
        added.append(
            {
                "position": self._next,
                "event_id": event_id,
                "finding_id": finding_id,
                "run_id": self._run_id,
                "kind": kind,
                "body": body,
            }
        )
        due += [_due(name, self._next) for name in names]
        self._next += 1


def _due(destination: str, position: int) -> dict[str, Any]:
    return {
        "destination": destination,
        "position": position,
        "attempts": 0,
        "not_before": None,
        "last_error": None,
    }


class Outbox:
    """What is due, and what became of it; each call is one transaction."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._transaction = transaction
        self._tried: dict[str, bool] = {}
        """Whether something of a destination was tried in vain."""
        self._began: dict[str, str | None] = {}
        """Run → when it began, as RFC 3339; None where the history does not know it."""

    def pending(self, destination: str, limit: int, *, now: float, after: int = 0) -> list[Due]:
        """Return what is to be sent to a destination now, in the order of its positions, from beyond `after`.

        What is postponed, or was left there up to `after`, holds up what follows about the same finding, and nothing
        else.

        :param now: seconds since the epoch.
        """
        told = {"to": destination, "now": now, "beyond": after, "most": limit}
        with self._transaction() as connection:
            if destination not in self._tried:
                self._tried[destination] = connection.scalar(statements.TRIED, told) is not None
            # Where nothing was, nothing is looked for that could hold up another.
            statement = statements.PENDING_BUT_HELD if self._tried[destination] else statements.PENDING
            rows = connection.execute(statement, told).all()
            self._look_up_runs(connection, {row.run_id for row in rows})
            return [_of_row(row, self._began) for row in rows]

    def _look_up_runs(self, connection: Connection, ids: set[str]) -> None:
        """Look up when these runs began: few, of which a join would look up each for every row."""
        if unknown := sorted(ids - self._began.keys()):
            self._began |= dict.fromkeys(unknown)
            self._began |= {
                row.run_id: row.started_at for row in connection.execute(statements.BEGAN, {"ids": unknown})
            }

    def left(self) -> dict[str, int]:
        """Return how many events each destination has not taken yet."""
        statement = select(outbox.c.destination, func.count().label("due")).group_by(outbox.c.destination)
        with self._transaction() as connection:
            return {row.destination: row.due for row in connection.execute(statement)}

    def acknowledge(self, destination: str, positions: Collection[int]) -> None:
        """Take out what the destination has taken."""
        with self._transaction() as connection:
            _take_out(connection, destination, positions)

    def refuse(self, destination: str, positions: Collection[int]) -> None:
        """Take out what the destination will never take: its caller has written it down elsewhere."""
        self.acknowledge(destination, positions)

    def postpone(
        self, destination: str, positions: Collection[int], *, not_before: float, error: str
    ) -> None:
        """Note that this was tried in vain, and when it may be tried again: seconds since the epoch."""
        with self._transaction() as connection:
            self._tried[destination] = True
            told = {"to": destination, "from_then": not_before, "because": error}
            write(connection, statements.POSTPONED, [told | each for each in _ranges(positions)])


def _of_row(row: Sequence[Any], began: Mapping[str, str | None]) -> Due:
    position, event_id, finding_id, run_id, kind, body, attempts, last_error, document = row
    body = document if body is None else body
    if body is None:
        raise Damaged("an event without a body")
    event = Event(event_id, kind, body, finding_id)
    return Due(position, event, run_id, attempts, last_error, began[run_id])


def _take_out(connection: Connection, destination: str, positions: Collection[int]) -> None:
    ranges = _ranges(positions)
    write(connection, statements.TAKEN, [{"to": destination} | each for each in ranges])
    write(connection, statements.LET_GO, ranges)


def _ranges(positions: Collection[int]) -> list[dict[str, Any]]:
    """Return these positions as ranges of such that follow one another: nearly always one."""
    ranges: list[dict[str, Any]] = []
    for position in sorted(positions):
        if ranges and ranges[-1]["last"] == position - 1:
            ranges[-1]["last"] = position
        else:
            ranges.append({"first": position, "last": position})
    return ranges


def _standing(connection: Connection, ids: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for keys in _slices(ids):
        found.update(connection.scalars(select(events.c.event_id).where(events.c.event_id.in_(keys))))
    return found


def _slices(values: Collection[Any]) -> list[list[Any]]:
    every = list(values)
    return [every[start : start + AT_ONCE] for start in range(0, len(every), AT_ONCE)]


def _insert(connection: Connection, added: list[dict[str, Any]], due: list[dict[str, Any]]) -> None:
    if added:
        write(connection, statements.SAID, added)
        write(connection, statements.DUE, due)
