"""What comes back from workers is entered as if it had been audited here; a worker lets go of a run by itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import anyio

from auditor.audit import shard_audit
from auditor.audit.books import Books
from auditor.audit.carrying import PlaceTold, Sealed, ShardTold, finding_rows, outcome_row
from auditor.audit.place import PlaceEnd
from auditor.audit.shard_results import ShardResults
from auditor.audit.shards import Shard
from auditor.audit.tally import Counts, Tally
from auditor.config import Waiver
from auditor.coverage import Ledger
from auditor.history.documents import document
from auditor.model import Account, Failure, Outcome, Place, Reason, Verdict, finding_of_row
from auditor.simulator.server import serve_in_thread
from auditor.waivers import AcceptedGaps, Waivers
from tests.audit.jobs import job
from tests.formats.made import HOSTILE, finding

if TYPE_CHECKING:
    import pytest

    from auditor.audit.telling import Told
    from tests.audit.conftest import EstateMaker

REGION = "us-east-1"


class Spans:
    """Takes note of the places that it is told of."""

    def __init__(self) -> None:
        self.told: list[tuple[Place, int, int]] = []

    def place(self, place: Place, began: int, outcomes: dict[str, Outcome], until: int) -> None:
        assert {outcome.verdict for outcome in outcomes.values()} == {Verdict.PARTIAL}
        self.told.append((place, began, until))


async def test_a_place_that_was_audited_elsewhere_is_settled_counted_waived_and_told_of() -> None:
    made = replace(finding(), waiver=None)
    account = Account(made.account_id, None, "", None, "", 900, (made.region,))
    place = Place(account, made.region, ("source",))
    day = date(2099, 1, 1)
    waiver = Waiver(1, made.policy, None, None, None, "me", "known", None, day)
    books = Books(
        Ledger(place.targets),
        Tally(),
        Waivers([waiver], date(2026, 1, 1)),
        AcceptedGaps((), date(2026, 1, 1)),
    )
    said: list[Told] = []
    spans: Any = Spans()

    async def tell(told: Told) -> None:
        said.append(told)

    outcome = Outcome(failure=Failure(Reason.TIMEOUT), pages=2, records=9, requests=3)
    row = PlaceTold(
        0,
        (outcome_row(outcome),),
        Counts(9),
        finding_rows([made]),
        ended=True,
        was_read=None,
        began=5,
        until=8,
    )
    await ShardResults(books, tell, spans).take(Shard((place,)), ShardTold([row], []))

    (line,) = books.ledger.lines()
    assert (line["verdict"], line["reason"], line["pages"], line["requests"]) == ("partial", "timeout", 2, 3)
    assert books.tally.records == 9
    found, end = said
    assert isinstance(found, list)
    assert isinstance(end, PlaceEnd)
    (told,) = found
    assert told.waiver is not None
    assert replace(told, waiver=None) == replace(made, evidence=told.evidence)
    assert dict(made.evidence) == told.evidence
    assert books.waivers.matched[0] == 1
    assert spans.told == [(place, 5, 8)]


def test_a_finding_is_the_same_after_its_travel() -> None:
    class Odd(str):
        """A type of a policy's own, that no other process knows."""

        __slots__ = ()

    evidence = MappingProxyType(
        {"text": HOSTILE, "deep": ({"list": [1, 2.5, None, True]},), "odd": Odd("odd")}
    )
    made = finding(message=HOSTILE, evidence=evidence)

    (row,) = finding_rows([made])
    arrived = finding_of_row(Sealed.of(row).open(), made.waiver)

    assert replace(arrived, evidence={}) == replace(made, evidence={})
    plain = {"text": HOSTILE, "deep": [{"list": [1, 2.5, None, True]}], "odd": "odd"}
    assert arrived.evidence == plain
    assert document(arrived) == document(made)


async def test_a_worker_whose_coordinator_is_gone_lets_go_of_the_run_by_itself(
    estate_of: EstateMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shard_audit, "_LINGERS", -19.8)
    with serve_in_thread(estate_of(1)) as running, anyio.fail_after(15):
        for name, value in running.environ.items():
            monkeypatch.setenv(name, value)
        assert (await shard_audit.enlist(Sealed.of(job(ends_in=20)))).refused is None
        assert await shard_audit.is_enlisted("run")
        while await shard_audit.is_enlisted("run"):  # noqa: ASYNC110 -- no event tells of what nobody waits for
            await anyio.sleep(0.02)
