"""What one batch of findings changes in the store, gathered row by row and written at once."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from sqlalchemy import update

from auditor.history import statements
from auditor.history.batches import write
from auditor.history.documents import document, is_storable, storable
from auditor.history.tables import runs

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row, RowMapping

    from auditor.history.life import Word
    from auditor.history.outbox import Sending
    from auditor.model import Finding, Resolution, Status


class Changes:
    """The changes of one batch of one run."""

    def __init__(self, run: int) -> None:
        self._run = run
        self._added: list[dict[str, Any]] = []
        self._found: list[dict[str, Any]] = []
        self._not_found: list[dict[str, Any]] = []
        self._written: list[dict[str, Any]] = []
        self._rewritten: list[dict[str, Any]] = []
        self._turned: list[dict[str, Any]] = []
        self._again: list[int] = []
        """Findings that this run has told of before: a place was done again."""
        self._said: list[tuple[Finding, bytes | None]] = []
        self._resting: list[int] = []
        """Findings whose last event may rest on the document that is to be rewritten."""
        self._counted: Counter[Status] = Counter()

    def new(self, key: int, finding: Finding, digest: str) -> None:
        """Take a finding that was not there."""
        arn = finding.resource_arn
        self._said.append((finding, None))
        self._counted[finding.status] += 1
        self._added.append(
            {
                "id": key,
                "finding_id": finding.finding_id,
                "policy": finding.policy,
                "account_id": finding.account_id,
                "region": finding.region,
                "resource_arn": storable(arn),
                # Of one that can't be kept as it is it could not be told whether it was read.
                "of_record": arn == finding.related.get("record_arn") and is_storable(arn),
                "severity": finding.severity.value,
                "status": finding.status.value,
                "resolution": None,
                "why": None,
                "first_seen": finding.first_seen,
                "first_run": self._run,
                "found_run": self._run,
                "told_run": self._run,
                "found_with": digest,
                "looked_with": digest,
                "looked_run": self._run,
                "last_event": None,
                "unsaid": False,
            }
        )
        self._written.append({"finding": key, "body": document(finding)})
        self._turn(key, finding.status, None)

    def found(self, before: Row[*tuple[Any, ...]], was: Status, finding: Finding, digest: str) -> None:
        """Take a finding that was there, and was found."""
        self._said.append((finding, None))
        self._count(before.id, before.told_run, was, finding.status)
        self._found.append(
            {
                "key": before.id,
                "finding_id": finding.finding_id,
                "to": finding.status.value,
                "severity_now": finding.severity.value,
                "run": self._run,
                "by": digest,
                "last_event": None,
            }
        )
        self._rewritten.append({"key": before.id, "now": document(finding)})
        if before.last_event is not None:
            self._resting.append(before.id)
        if was is not finding.status:
            self._turn(before.id, finding.status, None)

    def not_found(self, before: RowMapping, was: Status, finding: Finding, word: Word) -> None:
        """Take a finding that was open, or whose end nobody was told of, and was not found."""
        self._said.append((finding, document(finding)))
        self._count(before["id"], before["told_run"], was, word.status)
        looked = before["looked_run"] if word.looked_with == before["looked_with"] else self._run
        self._not_found.append(
            {
                "key": before["id"],
                "to": word.status.value,
                "kind": _kind(word.resolution),
                "because": word.resolution.why,
                "by": word.looked_with,
                "looked": looked,
                "run": self._run,
            }
        )
        if was is not word.status or before["unsaid"]:
            self._turn(before["id"], word.status, word.resolution)

    def _count(self, key: int, told_run: int, was: Status, status: Status) -> None:
        self._counted[status] += 1
        if told_run == self._run:
            self._counted[was] -= 1
            self._again.append(key)

    def _turn(self, key: int, status: Status, resolution: Resolution | None) -> None:
        self._turned.append(
            {
                "finding": key,
                "run": self._run,
                "status": status.value,
                "resolution": None if resolution is None else _kind(resolution),
                "why": None if resolution is None else resolution.why,
            }
        )

    def write(self, connection: Connection, sending: Sending) -> None:
        """Write all of it, and put into the outbox what is to be sent of it."""
        if self._resting:
            connection.execute(statements.KEPT, {"keys": self._resting})
        positions = sending.send(connection, self._said, perhaps_sent=bool(self._again))
        for row in (*self._added, *self._found):
            row["last_event"] = positions.get(row["finding_id"])
        write(connection, statements.ADDED, self._added)
        write(connection, statements.WRITTEN, self._written)
        write(connection, statements.FOUND, self._found)
        write(connection, statements.REWRITTEN, self._rewritten)
        write(connection, statements.NOT_FOUND, self._not_found)
        if self._again and self._turned:
            # A place that is done again may turn a finding twice in one run: its last word stands.
            connection.execute(statements.UNTURNED, {"keys": self._again, "run": self._run})
        write(connection, statements.TURNED, self._turned)
        counts = {status.value: runs.c[status.value] + by for status, by in self._counted.items() if by}
        if counts:
            connection.execute(update(runs).where(runs.c.sequence == self._run).values(counts))


def _kind(resolution: Resolution) -> str | None:
    return None if resolution.kind is None else resolution.kind.value
