"""Estates, coverage, policies, settings and scope change at random: the store always follows the rule.

The model keeps every night, and tells each finding's life anew from all of them.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from auditor.config import PostgreSQLStore, SQLiteStore
from auditor.history import open_history
from auditor.history.retiring import retire
from auditor.model import (
    EXPORT_RECORDS,
    IMAGES,
    Failure,
    Outcome,
    Reason,
    ResolutionKind,
    Status,
    Verdict,
)
from tests.history.conftest import Night, Nights, arn, finding, opened

if TYPE_CHECKING:
    from auditor.config import Store
    from auditor.model import Finding
    from tests.history.servers import PostgreSQL

ACCOUNTS = ("111111111111", "222222222222")
REGIONS = ("eu-west-1", "us-east-1")
PLACES = tuple((account_id, region) for account_id in ACCOUNTS for region in REGIONS)
NUMBERS = (1, 2)
POLICIES = {"stuck-export": (EXPORT_RECORDS,), "public-export": (EXPORT_RECORDS, IMAGES)}
VERDICTS = st.sampled_from([Verdict.COMPLETE] * 6 + [Verdict.PARTIAL, Verdict.FAILED, Verdict.SKIPPED])


@dataclass(frozen=True)
class Key:
    """A finding that there may be."""

    policy: str
    place: tuple[str, str]
    number: int

    @property
    def finding(self) -> Finding:
        account_id, region = self.place
        return finding(self.number, policy=self.policy, account_id=account_id, region=region)


KEYS = tuple(Key(policy, place, number) for policy in POLICIES for place in PLACES for number in NUMBERS)


@dataclass(frozen=True)
class Kept:
    """A night as the model keeps it."""

    found: frozenset[Key]
    read: frozenset[str]
    verdicts: dict[tuple[str, str], dict[str, Verdict]]
    unjudged: frozenset[tuple[str, tuple[str, str]]]
    digests: dict[str, str]


@dataclass
class Life:
    """What the model knows of one finding: told anew from all nights."""

    open: bool = False
    known: bool = False
    found_with: str = ""
    looked_with: str = ""
    unsaid: bool = False
    said: list[tuple[Status, ResolutionKind | None] | None] = field(default_factory=list)


def life_of(key: Key, nights: list[Kept | str]) -> Life:
    """Tell the life of a finding by the rule, from its first night on."""
    life = Life()
    for night in nights:
        if isinstance(night, str):
            if life.open and night == key.place[0]:
                life.open, life.unsaid = False, True
            continue
        life.said.append(_word(key, night, life))
    return life


def _word(key: Key, night: Kept, life: Life) -> tuple[Status, ResolutionKind | None] | None:
    digest = night.digests.get(key.policy)
    if key in night.found:
        assert digest is not None
        status = Status.NEW if not life.known else Status.RECURRING if life.open else Status.REOPENED
        life.open = life.known = True
        life.unsaid = False
        life.found_with = life.looked_with = digest
        return status, None
    if life.unsaid:
        life.unsaid = False
        return Status.RESOLVED, ResolutionKind.RETIRED
    return _word_of_open(key, night, life) if life.open else None


def _word_of_open(key: Key, night: Kept, life: Life) -> tuple[Status, ResolutionKind | None]:
    digest = night.digests.get(key.policy)
    verdicts = night.verdicts.get(key.place)
    if digest is None or verdicts is None:
        return Status.NOT_SEEN, None
    if any(verdicts[source] is not Verdict.COMPLETE for source in POLICIES[key.policy]):
        return Status.NOT_SEEN, None
    gone = arn(key.number, *key.place) not in night.read
    judged = gone or (key.policy, key.place) not in night.unjudged
    same = digest == life.looked_with
    if judged:
        life.looked_with = digest
    if not same or not judged:
        return Status.NOT_SEEN, None
    life.open = False
    if gone:
        return Status.RESOLVED, ResolutionKind.RESOURCE_GONE
    changed = life.found_with != digest
    return Status.RESOLVED, ResolutionKind.POLICY_CHANGED if changed else ResolutionKind.CONDITION_CLEARED


@st.composite
def kept_nights(draw: st.DrawFn) -> Kept:
    policies = draw(st.sets(st.sampled_from(sorted(POLICIES)), min_size=0 if draw(st.booleans()) else 2))
    planned = [place for place in PLACES if draw(st.integers(0, 4))]
    verdicts = {place: {source: draw(VERDICTS) for source in (EXPORT_RECORDS, IMAGES)} for place in planned}
    readable = [
        place for place in planned if verdicts[place][EXPORT_RECORDS] in (Verdict.COMPLETE, Verdict.PARTIAL)
    ]
    read = frozenset(
        arn(number, *place) for place in readable for number in NUMBERS if draw(st.integers(0, 3))
    )
    found = frozenset(
        key
        for key in KEYS
        if key.policy in policies and arn(key.number, *key.place) in read and draw(st.booleans())
    )
    unjudged = frozenset(
        (policy, place) for policy in policies for place in readable if draw(st.integers(0, 5)) == 0
    )
    digests = {policy: draw(st.sampled_from("aaab")) for policy in policies}
    return Kept(found, read, verdicts, unjudged, digests)


def _night(kept: Kept) -> Night:
    outcomes = {
        place: {
            source: Outcome(
                verdict,
                None if verdict is Verdict.COMPLETE else Failure(Reason.THROTTLED),
                unjudged={policy: 1 for policy, where in kept.unjudged if where == place} or None
                if source == EXPORT_RECORDS
                else None,
            )
            for source, verdict in verdicts.items()
        }
        for place, verdicts in kept.verdicts.items()
    }
    return Night(
        found=[key.finding for key in sorted(kept.found, key=repr)],
        outcomes=outcomes,
        policies=kept.digests,
        sources_of=POLICIES,
        read=kept.read,
    )


class Lives(RuleBasedStateMachine):
    """One store, night after night."""

    store: Store

    def __init__(self) -> None:
        super().__init__()
        self.nights = Nights(self.new_store())
        self.kept: list[Kept | str] = []
        self.told: dict[str, Finding] = {}

    def new_store(self) -> Store:
        self._folder = tempfile.TemporaryDirectory()
        return SQLiteStore(Path(self._folder.name) / "history.sqlite3")

    def teardown(self) -> None:
        self._folder.cleanup()

    @rule(kept=kept_nights())
    def a_night(self, kept: Kept) -> None:
        self.kept.append(kept)
        self.told = self.nights(_night(kept))

    @rule(kept=kept_nights(), cut=st.integers(0, 8))
    def a_night_that_dies_and_goes_on(self, kept: Kept, cut: int) -> None:
        night = _night(kept)
        with open_history(self.nights.history, holder="dies") as history:
            history.begin(self.nights.begun(night, self.nights.count + 1)).see(night.found[:cut])
        self.a_night(kept)

    @precondition(lambda self: any(map(self.is_open, KEYS)))
    @rule(data=st.data())
    def an_account_is_retired(self, data: Any) -> None:
        accounts = sorted({key.place[0] for key in KEYS if self.is_open(key)})
        account_id = data.draw(st.sampled_from(accounts))
        expected = sum(self.is_open(key) for key in KEYS if key.place[0] == account_id)
        with opened(self.nights.store) as history:
            assert retire(history.database, account_id, by="ops", reason="sold", at="now") == expected
        self.kept.append(account_id)

    def is_open(self, key: Key) -> bool:
        return life_of(key, self.kept).open

    @invariant()
    def each_finding_is_told_of_as_the_rule_says(self) -> None:
        if not self.kept or isinstance(self.kept[-1], str):
            return
        expected = {}
        for key in KEYS:
            word = life_of(key, self.kept).said[-1]
            if word is not None:
                expected[key.finding.finding_id] = word
        found = {
            known_as: (told.status, told.resolution and told.resolution.kind)
            for known_as, told in self.told.items()
        }
        assert found == expected


@pytest.mark.timeout(300)  # to shrink what fails takes its time
def test_the_status_always_follows_the_rule() -> None:
    run_state_machine_as_test(
        Lives,
        settings=settings(
            max_examples=60, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


def test_so_it_does_in_postgresql(postgresql_server: PostgreSQL) -> None:
    class InPostgreSQL(Lives):
        def new_store(self) -> Store:
            return PostgreSQLStore(postgresql_server.fresh_database("lives"), "the database")

        def teardown(self) -> None:
            pass

    run_state_machine_as_test(
        InPostgreSQL,
        settings=settings(
            max_examples=6, stateful_step_count=8, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
