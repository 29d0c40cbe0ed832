"""A run judged again from what was kept of it, by its own policies or others, and without AWS.

The records go through the rooms that they went through before: only what reads the targets is another. Places follow
one another, so that no more than one is held.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel

from auditor.audit.findings import FindingMaker
from auditor.audit.place import PlaceAudit
from auditor.audit.replayed import FindingsBefore, Replayed
from auditor.audit.tally import Tally
from auditor.aws.slots import Slot
from auditor.aws.sources import SOURCES
from auditor.coverage import Ledger
from auditor.errors import EvidenceFault
from auditor.evidence.kept_pages import NOT_RECORDED, KeptPages
from auditor.evidence.results import JSONLines
from auditor.history import judged_by
from auditor.inventory import Filters, policies_of
from auditor.model import EXPORT_RECORDS, NOT_OF_AN_ACCOUNT, Account, Failure, Place, Reason, Verdict, shown
from auditor.policies import Panel, catalogue_of, sources_of
from auditor.waivers import Waivers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from auditor.aws.paging import Paging
    from auditor.config import Config
    from auditor.evidence.lines import Line
    from auditor.evidence.reading import Evidence, StoredPlace
    from auditor.model import Outcome, Target

FINDINGS, COVERAGE = "findings.jsonl", "coverage.jsonl"


async def replay(evidence: Evidence, config: Config, now: datetime | None = None) -> Replayed:
    """Judge everything that was kept of a run; what it came to is to be closed.

    :param config: whose policies and waivers are judged by; all else in it does not matter.
    :param now: the instant to judge by; the run's own, unless given.
    :raises EvidenceFault: where what was kept is not what it should be.
    """
    run, environment = evidence.run(), evidence.environment()
    try:
        run_id, began = str(run["run_id"]), datetime.fromisoformat(run["started_at"])
        own_accounts = frozenset(environment["own_accounts"])
        own_filters = Filters(**{name: tuple(named) for name, named in environment["filters"].items()})
        is_own = config.digest == run["config_digest"] and now in (None, began)
        kept = {name: each["digest"] for name, each in evidence.policies().items()}
    except (KeyError, TypeError, ValueError) as error:
        raise EvidenceFault(f"what is kept of the run does not say {error}") from error
    now = now or began
    entries = catalogue_of(config.policies)
    policies = policies_of(config, own_filters if is_own else Filters())
    judged = {name: each.digest for name, each in judged_by(entries, policies).items()}
    targets = _TargetsBefore(JSONLines(evidence, COVERAGE))
    places = targets.places(sources_of(entries, policies))
    replayed = Replayed(
        Ledger(target for place in places.values() for target in place.targets),
        Tally(),
        FindingsBefore(JSONLines(evidence, FINDINGS)),
        is_own=is_own and judged == kept,
    )
    panel = Panel(entries, policies, now, own_accounts)
    maker = FindingMaker(run_id, now, entries, policies, Waivers(config.waivers, now.date()))
    with ExitStack() as stack:
        stack.enter_context(replayed)
        await _judge_all(evidence, places, targets, replayed, panel, maker)
        stack.pop_all()
    return replayed


async def _judge_all(  # noqa: PLR0913, PLR0917 -- the rooms that a place's records pass through
    evidence: Evidence,
    places: dict[tuple[str, str], Place],
    targets: _TargetsBefore,
    replayed: Replayed,
    panel: Panel,
    maker: FindingMaker,
) -> None:
    answers = _KeptAnswers(targets)
    audit = PlaceAudit(
        readers=answers,
        panel=panel,
        maker=maker,
        ledger=replayed.ledger,
        tally=replayed.tally,
        tell=replayed.tell,
        why_stopped=answers.why_cut_off,
    )
    slot = Slot(anyio.Semaphore(1))  # of requests, of which there are none
    for stored in evidence.places():
        if stored.account_id is None or stored.region is None:
            continue
        place = places.pop((stored.account_id, stored.region), None)
        if place is None:
            named = shown(f"{stored.account_id} {stored.region}")
            raise EvidenceFault(f"{named}: has answers, and is not in the ledger, or comes twice")
        answers.take(evidence, stored)
        with answers.until_cut_off(place):
            await audit.audit(place, slot)
    answers.forget()
    for place in places.values():
        with answers.until_cut_off(place):
            await audit.audit(place, slot)


@dataclass(slots=True)
class _PlaceBefore:
    """What the ledger says of one account and Region."""

    account_name: str | None
    complete: set[str] = field(default_factory=set)
    failures: dict[str, Failure] = field(default_factory=dict)


class _TargetsBefore:
    """What became of each target of the run."""

    def __init__(self, lines: JSONLines) -> None:
        self._places: dict[tuple[str, str], _PlaceBefore] = {}
        for _, _, told in lines:
            try:
                self._add(told)
            except (KeyError, TypeError, ValueError):
                raise EvidenceFault(f"{COVERAGE}: {shown(str(told)[:200])} is no coverage line") from None

    def _add(self, told: Mapping[str, Any]) -> None:
        source = told["source"]
        if source in NOT_OF_AN_ACCOUNT:
            return
        key = (told["account_id"], told["region"])
        place = self._places.setdefault(key, _PlaceBefore(told["account_name"]))
        if Verdict(told["verdict"]) is Verdict.COMPLETE:
            place.complete.add(source)
        else:
            place.failures[source] = Failure(
                Reason(told["reason"]), told["error_code"], told["error_message"]
            )

    def places(self, sources: tuple[str, ...]) -> dict[tuple[str, str], Place]:
        """Return the places, in the order of the run's plan."""
        return {
            (account_id, region): Place(
                Account(account_id, place.account_name, "", None, "", 0, (region,)), region, sources
            )
            for (account_id, region), place in self._places.items()
        }

    def why_cut_off(self, place: Place) -> Failure:
        """Return why the records of a place were not read on, where the run's end was why."""
        found = self._places[place.account.id, place.region].failures.get(EXPORT_RECORDS)
        return found or Failure(Reason.INTERRUPTED)

    def failure(self, target: Target) -> Failure | None:
        """Return why a target was not read to its end; None where it was."""
        place = self._places[target.account.id, target.region]
        return None if target.source in place.complete else place.failures.get(target.source, NOT_RECORDED)


class _KeptAnswers:
    """Reads the targets of one place after the other from what was kept of it."""

    def __init__(self, before: _TargetsBefore) -> None:
        self._before = before
        self._answers: dict[str, list[tuple[Line, bytes | None]]] = {}
        self._place: Place | None = None
        self._scope = anyio.CancelScope()

    @contextmanager
    def until_cut_off(self, place: Place) -> Iterator[None]:
        """Do the block until the place's answers end because the run did: its end cancelled what was under way."""
        self._place = place
        with anyio.CancelScope() as self._scope:
            yield

    def why_cut_off(self) -> Failure:
        """Return why the place was."""
        return Failure(Reason.INTERRUPTED) if self._place is None else self._before.why_cut_off(self._place)

    async def _cut_off(self) -> None:
        self._scope.cancel()
        await anyio.lowlevel.checkpoint()

    def take(self, evidence: Evidence, stored: StoredPlace) -> None:
        """Hold the answers of this place, and no others."""
        self.forget()
        for line, body in evidence.answers(stored):
            self._answers.setdefault(line.source, []).append((line, body))

    def forget(self) -> None:
        """Hold no answers: of what is read from now on none was kept."""
        self._answers = {}

    def reader(self, target: Target, outcome: Outcome, _: Slot) -> Paging:
        """Return what reads a target."""
        answers = self._answers.get(target.source, ())
        return KeptPages(
            SOURCES[target.source], outcome, answers, self._before.failure(target), self._cut_off
        )

    def ended(self, place: Place) -> None:
        """Take note of nothing: all that was asked is known."""
