"""What a run saw: each account and Region by its worst verdict, and what was not seen added up by account and reason.

An organisation has some ten targets for each of 38,000 accounts and Regions: of each of these a number is kept.
"""

from __future__ import annotations

import sys
from array import array
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from auditor.model import Reason, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


class Cell(StrEnum):
    """How an account and Region is coloured, worst first."""

    FAILED = "failed"
    """None of its targets could be read."""
    PARTIAL = "partial"
    """Some could not be read, or not to their end."""
    UNJUDGED = "unjudged"
    """All were read, and a policy could not judge some records."""
    ACCEPTED = "accepted"
    """Some could not be read, as somebody has accepted."""
    COMPLETE = "complete"
    SKIPPED = "skipped"
    """There is nothing to read, and that is proved."""


_UNREAD = frozenset({Verdict.PARTIAL, Verdict.FAILED})
_MOST_KINDS = 60_000
"""Ways in which a place ended that are told apart: two bytes number them, and 0 is none."""
_FEW = 3
"""Reasons that are told of one place."""

_Kind = tuple[str, tuple[str, ...]]
"""A cell, and why."""


@dataclass(slots=True)
class Group:
    """Targets of one account that were not seen for one reason."""

    account_id: str
    account_name: str | None
    reason: str
    """Of the ledger; `unjudged` where records were read and could not be judged."""
    error_code: str | None
    policy: str | None
    """The one that could not judge them."""
    accepted: Mapping[str, str] | None
    example: str | None
    """AWS's text, of the first."""
    first: Mapping[str, Any]
    targets: int = 0
    records: int = 0
    """How many the policy could not judge."""
    partly: int = 0
    """Targets of which some pages were read."""
    regions: dict[str, None] = field(default_factory=dict)
    sources: dict[str, None] = field(default_factory=dict)

    @property
    def follows(self) -> bool:
        """Whether nothing is wrong here itself: what says which ids to ask for could not be read."""
        return self.reason == Reason.DEPENDENCY_FAILED


class Seen:
    """Takes every coverage line, in the order of the plan."""

    def __init__(self) -> None:
        self.regions: dict[str, int] = {}
        self.accounts: dict[str, str | None] = {}
        """Id → name."""
        self.verdicts: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        """Targets that could not be read to their end and that nobody has accepted, by reason."""
        self.following = 0
        """Targets that were not asked for anything, since what says which ids to ask for could not be read."""
        self.accepted_targets = 0
        self.unjudged: Counter[str] = Counter()
        """Records, by the policy that could not judge them."""
        self.cells: Counter[Cell] = Counter()
        """Accounts × Regions."""
        self._groups: dict[tuple[Any, ...], Group] = {}
        self._kinds: dict[_Kind, int] = {}
        self._numbers: dict[str, array[int]] = {}
        """For each account, the kind of each Region, 0 where it was not planned."""
        self._place: tuple[str, str] | None = None
        self._lines: list[tuple[str, str | None, bool, bool]] = []
        """Verdict, why, whether that is accepted and whether all was judged, of the targets of the place at hand."""

    def add(self, line: Mapping[str, Any]) -> None:
        """Take one."""
        place = (line["account_id"], line["region"])
        if place != self._place:
            self._end_place()
            self._place = place
            self.accounts.setdefault(line["account_id"], line["account_name"])
        self.verdicts[str(line["verdict"])] += 1
        unread, accepted = line["verdict"] in _UNREAD, line["accepted"] is not None
        code = line["error_code"]
        why = f"{line['reason']} ({code[:100]})" if code else line["reason"] and str(line["reason"])
        self._lines.append((str(line["verdict"]), why, accepted, not line["unjudged"]))
        if unread:
            self.accepted_targets += accepted
            if line["reason"] == Reason.DEPENDENCY_FAILED:
                self.following += not accepted
            elif not accepted:
                self.reasons[str(line["reason"])] += 1
            self._unread(line)
        for policy, records in line["unjudged"].items():
            self.unjudged[policy] += records
            self._unjudged(line, policy, records)

    def end(self) -> None:
        """Take that there is no more."""
        self._end_place()
        self._place = None

    @property
    def gaps(self) -> int:
        """Return how many targets could not be read to their end."""
        return self.verdicts[Verdict.PARTIAL] + self.verdicts[Verdict.FAILED]

    def groups(self) -> list[Group]:
        """Return what was not seen: what nobody has accepted first, what follows from something else after its cause."""
        return sorted(
            self._groups.values(),
            key=lambda group: (
                group.accepted is not None,
                group.follows,
                group.policy is not None,
                -group.targets,
            ),
        )

    def kinds(self) -> Sequence[_Kind]:
        """Return the ways in which places ended, in the order of their numbers, from 1."""
        return list(self._kinds)

    def matrix(self) -> bytes:
        """Return two bytes for each account and Region, by rows, the lower first: the number of its kind."""
        matrix = array("H")
        for account in self.accounts:
            row = self._numbers[account]
            matrix.extend(row)
            matrix.extend(array("H", bytes(2 * (len(self.regions) - len(row)))))
        if sys.byteorder == "big":
            matrix.byteswap()
        return matrix.tobytes()

    def _end_place(self) -> None:
        if self._place is None or not self._lines:
            return
        account, region = self._place
        cell = _cell(self._lines)
        self.cells[cell] += 1
        told = [why for _, why, _, _ in self._lines if why]
        # What follows from another failure says less than that failure.
        causes = [why for why in told if why != Reason.DEPENDENCY_FAILED] or told
        kind = (cell.value, tuple(dict.fromkeys(causes))[:_FEW])
        if kind not in self._kinds and len(self._kinds) >= _MOST_KINDS:
            kind = (cell.value, ())
        number = self._kinds.setdefault(kind, len(self._kinds) + 1)
        at = self.regions.setdefault(region, len(self.regions))
        row = self._numbers.setdefault(account, array("H"))
        row.extend([0] * (at + 1 - len(row)))
        row[at] = number
        self._lines = []

    def _unread(self, line: Mapping[str, Any]) -> None:
        group = self._group(line, str(line["reason"]), line["error_code"], None, line["accepted"])
        group.partly += line["verdict"] == Verdict.PARTIAL

    def _unjudged(self, line: Mapping[str, Any], policy: str, records: int) -> None:
        self._group(line, "unjudged", None, policy, None).records += records

    def _group(
        self,
        line: Mapping[str, Any],
        reason: str,
        code: str | None,
        policy: str | None,
        accepted: Mapping[str, str] | None,
    ) -> Group:
        account = line["account_id"]
        key = (account, reason, code, policy, *(accepted.values() if accepted else ()))
        group = self._groups.get(key)
        if group is None:
            message = line["error_message"] if policy is None else None
            group = self._groups[key] = Group(
                account,
                line["account_name"],
                reason,
                code,
                policy,
                accepted,
                message and message[:500],
                {"region": line["region"], "source": line["source"]},
            )
        group.targets += 1
        group.regions.setdefault(line["region"])
        group.sources.setdefault(line["source"])
        return group


def _cell(lines: Iterable[tuple[str, str | None, bool, bool]]) -> Cell:
    """Return how a place is coloured, whose targets ended like this."""
    told = list(lines)
    unread = [line for line in told if line[0] in _UNREAD]
    skipped = sum(verdict == Verdict.SKIPPED for verdict, *_ in told)
    if unread and not all(accepted for _, _, accepted, _ in unread):
        nothing = all(verdict == Verdict.FAILED for verdict, *_ in unread) and len(unread) + skipped == len(
            told
        )
        return Cell.FAILED if nothing else Cell.PARTIAL
    if not all(judged for *_, judged in told):
        return Cell.UNJUDGED
    if unread:
        return Cell.ACCEPTED
    return Cell.SKIPPED if skipped == len(told) else Cell.COMPLETE
