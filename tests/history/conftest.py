from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from auditor.config import History, PostgreSQLStore, SQLiteStore, Store
from auditor.history import Begun, Destination, JudgedBy, Look, open_history
from auditor.inventory import Filters
from auditor.model import (
    EXPORT_RECORDS,
    PARTITION,
    Account,
    Control,
    Cost,
    Failure,
    Finding,
    Outcome,
    Place,
    Reason,
    Severity,
    Status,
    Verdict,
    Waived,
    finding_id,
)
from tests.history.servers import postgresql

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from tests.history.servers import PostgreSQL

ACCOUNT = "111122223333"
REGION = "eu-west-1"
POLICY = "stuck-export"
COMPLETE = Outcome(Verdict.COMPLETE, pages=1)
FAILED = Outcome(Verdict.FAILED, Failure(Reason.ACCESS_DENIED))


def account(account_id: str = ACCOUNT) -> Account:
    return Account(account_id, None, "arn", None, "session", 3600, (REGION,))


def arn(number: int, account_id: str = ACCOUNT, region: str = REGION) -> str:
    return f"arn:aws:lightsail:{region}:{account_id}:ExportSnapshotRecord/{number}"


def finding(
    number: int = 1, *, policy: str = POLICY, account_id: str = ACCOUNT, region: str = REGION, **how: Any
) -> Finding:
    """Return a finding as the audit makes it, of a record."""
    resource = how.pop("resource_arn", arn(number, account_id, region))
    told: dict[str, Any] = {
        "schema": "auditor.finding/1",
        "finding_id": finding_id(PARTITION, account_id, region, resource, policy),
        "event_id": "untold",
        "policy": policy,
        "severity": Severity.HIGH,
        "status": Status.UNTRACKED,
        "partition": PARTITION,
        "account_id": account_id,
        "account_name": "payments",
        "region": region,
        "resource_arn": resource,
        "resource_type": "ExportSnapshotRecord",
        "resource_name": f"export-{number}",
        "related": {"record_arn": arn(number, account_id, region), "state": "Started"},
        "message": "the export has not ended",
        "remediation": "look at it",
        "evidence": {"state": "Started", "disks": [{"gb": 20}]},
        "controls": (Control("NIST", "CM-8", "organisational"),),
        "cost": Cost(1.5, "30 GB", "the price list", "2026-11-23"),
        "waiver": None,
        "resolution": None,
        "first_seen": None,
        "observed_at": "never",
        "run_id": "no run",
    }
    return Finding(**told | how)


@dataclass(frozen=True)
class Night:
    """One run over a few places: what is there, and what could be looked at."""

    found: Sequence[Finding] = ()
    outcomes: Mapping[tuple[str, str], Mapping[str, Outcome]] = field(
        default_factory=lambda: {(ACCOUNT, REGION): {EXPORT_RECORDS: COMPLETE}}
    )
    policies: Mapping[str, str] = field(default_factory=lambda: {POLICY: "a"})
    """Policy → digest of its settings."""
    sources: tuple[str, ...] = (EXPORT_RECORDS,)
    sources_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Policy → the sources that it needs, where these are others."""
    read: frozenset[str] | None = None
    """The ARNs that were read; None for those of what was found alone."""
    filters: Filters = field(default_factory=Filters)
    switched_off: frozenset[str] = frozenset()
    destinations: tuple[Destination, ...] = ()
    scope: str = "full"
    waive: Callable[[str, str, str, str], Waived | None] | None = None

    @property
    def judged_by(self) -> dict[str, JudgedBy]:
        return {
            policy: JudgedBy(digest, self.sources_of.get(policy, self.sources))
            for policy, digest in self.policies.items()
        }

    def look(self) -> Look:
        return Look(
            self.judged_by,
            lambda account_id, region: self.outcomes.get((account_id, region)),
            {account_id for account_id, _ in self.outcomes},
            self.filters,
            self.switched_off,
            self.waive,
        )


@dataclass
class Nights:
    """Runs one night after another on one store, each opened anew."""

    store: Store
    count: int = 0

    @property
    def history(self) -> History:
        return History(self.store)

    def started(self, number: int) -> str:
        return f"2026-11-{number:02}T01:00:00Z"

    def begun(self, night: Night, number: int) -> Begun:
        return Begun(
            f"run-{number}", self.started(number), "digest", night.scope, night.judged_by, night.destinations
        )

    def __call__(self, night: Night) -> dict[str, Finding]:
        """Run a night; return what it told of by id, each once."""
        self.count += 1
        look, read = night.look(), night.read
        if read is None:
            read = frozenset(each.resource_arn for each in night.found)
        number = self.count
        with open_history(self.history, holder=f"run-{number}") as history:
            run = history.begin(self.begun(night, number))
            seen = [
                replace(each, observed_at=self.started(number), run_id=f"run-{number}")
                for each in night.found
            ]
            told = list(run.see(seen))
            for account_id, region in night.outcomes:
                place = Place(account(account_id), region, night.sources)
                told += run.settle(place, look, read.__contains__)
            for batch in run.conclude(look):
                told += batch
            run.finish(record(number), coverage(night))
        by_id = {each.finding_id: each for each in told}
        assert len(by_id) == len(told)
        return by_id

    def of(self, night: Night, number: int = 1, **how: Any) -> Finding | None:
        """Run a night; return what it told of this finding."""
        return self(night).get(finding(number, **how).finding_id)


def record(number: int, exit_code: int = 0) -> dict[str, Any]:
    return {
        "finished_at": f"2026-11-{number:02}T01:05:00Z",
        "versions": {"auditor": "0", "botocore": "0", "policies": {}},
        "totals": {"targets": {"planned": 1, "complete": 1, "partial": 0, "failed": 0, "skipped": 0}},
        "coverage_percent": 100,
        "coverage_percent_after_accepted": 100,
        "exit_code": exit_code,
    }


def coverage(night: Night) -> Iterator[dict[str, Any]]:
    for (account_id, region), outcomes in night.outcomes.items():
        for source, outcome in outcomes.items():
            yield {
                "account_id": account_id,
                "region": region,
                "source": source,
                "verdict": outcome.verdict,
                "reason": outcome.failure and outcome.failure.reason,
                "accepted": None,
            }


@contextmanager
def opened(store: Store, holder: str = "a test") -> Iterator[Any]:
    with open_history(History(store), holder=holder) as history:
        yield history


@pytest.fixture
def store(tmp_path: Path) -> SQLiteStore:
    return SQLiteStore(tmp_path / "history.sqlite3")


@pytest.fixture
def nights(store: SQLiteStore) -> Nights:
    return Nights(store)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgreSQL]:
    with postgresql() as server:
        yield server


@pytest.fixture
def postgresql_store(postgresql_server: PostgreSQL) -> PostgreSQLStore:
    url = postgresql_server.fresh_database("history")
    return PostgreSQLStore(url, f"postgresql://auditor@127.0.0.1:{postgresql_server.port}/history")
