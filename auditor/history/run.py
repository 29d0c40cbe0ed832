"""The history while a run goes: what it finds is told from what was, in one transaction with what is to be sent."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, select, update

from auditor.history import life, statements
from auditor.history.batches import write
from auditor.history.changes import Changes
from auditor.history.documents import read_finding, read_resolution, read_status
from auditor.history.life import OPEN, Known
from auditor.history.outbox import Sending
from auditor.history.tables import findings, runs, verdicts
from auditor.model import Finding, Status, Verdict, as_found, event_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from sqlalchemy import Connection, RowMapping

    from auditor.history.events import Event
    from auditor.history.looking import Begun, Look
    from auditor.model import Place

_OPEN = sorted(OPEN)
"""As the statements take it."""


class OpenRun:
    """One run's findings on their way through the history; each call is one transaction."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[Connection]], run: Begun) -> None:
        """Begin the run, or go on with it where it has begun before.

        :raises UsageError: where another has begun since, or it goes on and is not known.
        """
        self._transaction = transaction
        self._run = run
        with transaction() as connection:
            self._sequence, self._finished = statements.begun(connection, run)
            last = connection.scalar(select(func.max(findings.c.id)))
            self._next_finding = 1 + (last or 0)
            self._sending = Sending(connection, run.run_id, run.destinations)
            self.evidence_before = statements.evidence_before(connection, self._sequence)
            """The run before that kept evidence, by its id, and what that is known by; None where there was none."""

    # What was found

    def see(self, found: Sequence[Finding]) -> list[Finding]:
        """Return these findings as they stand in their life, and remember them."""
        told: list[Finding] = []
        with self._transaction() as connection:
            rest = iter(found)
            while batch := list(islice(rest, statements.AT_ONCE)):
                told += self._see(connection, batch)
        return told

    def _see(self, connection: Connection, batch: Sequence[Finding]) -> list[Finding]:
        before = {
            row.finding_id: row
            for row in connection.execute(
                statements.BY_ID, {"ids": [finding.finding_id for finding in batch]}
            )
        }
        changes = Changes(self._sequence)
        seen: dict[str, Finding] = {}
        for finding in batch:
            known_as = finding.finding_id
            if known_as in seen:
                continue  # once more in one batch: the first stands
            row = before.get(known_as)
            was = None if row is None else read_status(row.status)
            again = row is not None and row.found_run == self._sequence
            status = was if again and was is not None else life.found(was)
            event = event_id(known_as, self._run.run_id, status)
            first_seen = self._run.started_at if row is None else row.first_seen
            seen[known_as] = told = as_found(finding, event, status, first_seen)
            digest = self._run.policies[finding.policy].digest
            if row is None or was is None:
                changes.new(self._next_finding, told, digest)
                self._next_finding += 1
            elif not again:
                changes.found(row, was, told, digest)
        changes.write(connection, self._sending)
        return [seen[finding.finding_id] for finding in batch]

    # What was not found

    def settle(self, place: Place, look: Look, was_read: Callable[[str], bool]) -> list[Finding]:
        """Return the findings of a place that were open and were not found, once all of its targets have verdicts.

        :param was_read: whether the record of this ARN was read in this run, or may have been: where a record
            came without an ARN, it may be any.
        """
        with self._transaction() as connection:
            rows = connection.execute(
                statements.UNFOUND_OF_PLACE,
                {"account": place.account.id, "region": place.region, "run": self._sequence, "open": _OPEN},
            ).mappings()
            return self._not_found(connection, rows.all(), look, was_read)

    def conclude(self, look: Look) -> Iterator[list[Finding]]:
        """Yield what no place has told of: of accounts, Regions and policies that are out of the plan, and retired."""
        after = 0
        while True:
            with self._transaction() as connection:
                rows = (
                    connection.execute(
                        statements.UNTOLD, {"after": after, "run": self._sequence, "open": _OPEN}
                    )
                    .mappings()
                    .all()
                )
                if not rows:
                    return
                after = rows[-1]["id"]
                # What was read where no place was settled is not known.
                told = self._not_found(connection, rows, look, lambda _arn: True)
            yield told

    def _not_found(
        self, connection: Connection, rows: Sequence[RowMapping], look: Look, was_read: Callable[[str], bool]
    ) -> list[Finding]:
        told: list[Finding] = []
        changes = Changes(self._sequence)
        for row in rows:
            was = read_status(row["status"])
            if was is Status.RESOLVED:
                # Retired, or told of before by a place that is done again.
                resolution = read_resolution(row["resolution"], row["why"])
                word = life.Word(was, resolution, row["looked_with"])
            else:
                word = life.not_found(self._known(row), look, was_read)
            finding = self._as_told(row, word, look)
            told.append(finding)
            changes.not_found(row, was, finding, word)
        changes.write(connection, self._sending)
        return told

    def _known(self, row: RowMapping) -> Known:
        # Settings that this very run was the first to look with are no others for a place that is done again.
        first_look = row["looked_run"] == self._sequence
        return Known(
            policy=row["policy"],
            account_id=row["account_id"],
            region=row["region"],
            resource_arn=row["resource_arn"],
            of_record=row["of_record"],
            status=read_status(row["status"]),
            found_with=row["found_with"],
            looked_with="" if first_look else row["looked_with"],
        )

    def _as_told(self, row: RowMapping, word: life.Word, look: Look) -> Finding:
        finding = read_finding(row["body"])
        waiver = finding.waiver
        if look.waive is not None:
            waiver = look.waive(finding.policy, finding.account_id, finding.region, finding.resource_arn)
        return replace(
            finding,
            status=word.status,
            resolution=word.resolution,
            first_seen=row["first_seen"],
            event_id=event_id(finding.finding_id, self._run.run_id, word.status),
            waiver=waiver,
            run_id=self._run.run_id,
        )

    # The end

    def told(self) -> Iterator[list[Finding]]:
        """Yield what this run has told of so far, as it was told: what a run that goes on has to write again."""
        after = 0
        while True:
            with self._transaction() as connection:
                rows = (
                    connection.execute(statements.TOLD, {"after": after, "run": self._sequence})
                    .mappings()
                    .all()
                )
                if not rows:
                    return
                after = rows[-1]["id"]
                told = [self._told_before(row) for row in rows]
            yield told

    def _told_before(self, row: RowMapping) -> Finding:
        status = read_status(row["status"])
        finding = read_finding(row["body"])
        return replace(
            finding,
            status=status,
            resolution=read_resolution(row["resolution"], row["why"]) if row["why"] is not None else None,
            first_seen=row["first_seen"],
            event_id=event_id(finding.finding_id, self._run.run_id, status),
            run_id=self._run.run_id,
        )

    def post(self, events: Sequence[Event]) -> None:
        """Put events that are no findings into the outbox of every destination, each once."""
        with self._transaction() as connection:
            self._sending.post(connection, events)

    def finish(
        self,
        record: Mapping[str, Any],
        coverage: Iterable[Mapping[str, Any]],
        events: Sequence[Event] = (),
        evidence: str | None = None,
    ) -> None:
        """End the run; one that died after its end, while it delivered, has said its last by then.

        :param record: run.json.
        :param coverage: its coverage lines, `Ledger.lines()`.
        :param events: the last that are to be sent of it.
        :param evidence: what its evidence is known by, where it kept any.
        """
        with self._transaction() as connection:
            connection.execute(delete(verdicts).where(verdicts.c.run == self._sequence))
            rest = filter(None, (self._verdict(line) for line in coverage))
            while batch := list(islice(rest, statements.AT_ONCE)):
                write(connection, statements.DECIDED, batch)
            if not self._finished:
                self._sending.post(connection, events)
            connection.execute(
                update(runs)
                .where(runs.c.sequence == self._sequence)
                .values(
                    finished_at=record["finished_at"],
                    versions=json.dumps(record["versions"]),
                    targets=json.dumps(record["totals"]["targets"]),
                    coverage_percent=record["coverage_percent"],
                    coverage_percent_after_accepted=record["coverage_percent_after_accepted"],
                    exit_code=record["exit_code"],
                    evidence=evidence,
                )
            )

    def exits_with(self, exit_code: int) -> None:
        """Note how the run ends after all: what it could not deliver is known only once it has finished."""
        with self._transaction() as connection:
            connection.execute(
                update(runs).where(runs.c.sequence == self._sequence).values(exit_code=exit_code)
            )

    def _verdict(self, line: Mapping[str, Any]) -> dict[str, Any] | None:
        if line["verdict"] == Verdict.COMPLETE:
            return None
        return {
            "run": self._sequence,
            "account_id": line["account_id"],
            "region": line["region"],
            "source": line["source"],
            "verdict": str(line["verdict"]),
            "reason": None if line["reason"] is None else str(line["reason"]),
            "accepted": line["accepted"] is not None,
        }
