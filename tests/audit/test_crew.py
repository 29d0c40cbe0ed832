"""The crew gives out no more than its workers can have in hand, and works on with those that are left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest

from auditor.audit import shard_audit
from auditor.audit.carrying import Enlisted, NotEnlisted, Sealed, ShardTold, Versions
from auditor.audit.crew import Crew
from auditor.errors import UsageError, WorkerLost
from auditor.model import Account, Failure, Place, Reason
from tests.audit.jobs import job

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from auditor.audit.shards import Shard

OURS = Versions("1", {"policy": "a"})
JOB = job(ends_in=60)


class Results:
    """Takes note of what came of shards."""

    def __init__(self) -> None:
        self.taken: list[Shard] = []
        self.lost: list[Shard] = []

    async def take(self, shard: Shard, _: object) -> None:
        self.taken.append(shard)
        await anyio.lowlevel.checkpoint()

    async def lost_again(self, shard: Shard) -> None:
        self.lost.append(shard)


class Submitted:
    def __init__(self, workers: Workers, worker: str, shard: Shard) -> None:
        self._workers, self._worker, self._shard = workers, worker, shard

    async def answer(self) -> Any:
        await anyio.lowlevel.checkpoint()
        return Sealed.of(self._workers.answer_of(self._worker, self._shard))

    def forget(self) -> None:
        self._workers.out.remove(self)


class Workers:
    """Workers that answer at once, unless they die of a place."""

    where = "these workers"
    patience = 0.3

    def __init__(
        self, *addresses: str, deadly: str | None = None, versions: Versions = OURS, come_again: bool = True
    ) -> None:
        self.addresses = set(addresses)
        self.deadly = deadly
        self.versions = versions
        self.come_again = come_again
        self.refused: str | None = None
        self.out: list[Submitted] = []
        self.most = 0
        self.dead: list[str] = []

    async def present(self) -> Collection[str]:
        if not self.addresses:
            raise WorkerLost("nobody there")
        return frozenset(self.addresses)

    async def call(self, function: Callable[..., Any], *_: Any, workers: Sequence[str]) -> dict[str, Any]:
        if function is shard_audit.enlist:
            return dict.fromkeys(workers, Enlisted(self.versions, self.refused))
        return {worker: worker in self.addresses for worker in workers}

    def submit(self, _: int, __: Callable[..., Any], *arguments: Any, worker: str) -> Submitted:
        # It travels, but here the crew is to know it again.
        self.out.append(Submitted(self, worker, arguments[1].open()))
        self.most = max(self.most, len(self.out))
        return self.out[-1]

    def answer_of(self, worker: str, shard: Shard) -> Any:
        if worker not in self.addresses:
            return NotEnlisted()
        if any(place.region == self.deadly for place in shard.places):
            self.dead.append(worker)
            self.addresses.discard(worker)
            if self.come_again:
                self.addresses.add(f"{worker}'")
            else:
                self.addresses.clear()
            return NotEnlisted()
        return ShardTold([], [])


def places(accounts: int, regions: int = 4) -> list[Place]:
    found = []
    for at in range(accounts):
        account = Account(str(at), None, "arn", None, "session", 900, ())
        found += [Place(account, f"{at}-{region}", ("source",)) for region in range(regions)]
    return found


async def audited(workers: Workers, of: list[Place], most: int = 2) -> tuple[Results, Failure | None]:
    results = Results()
    crew = Crew(workers, JOB, OURS, most)
    await crew.enlist()
    with anyio.fail_after(20):
        left = await crew.audit(
            of,
            results,  # type: ignore[arg-type]  # all of it that a crew uses
            anyio.current_time() + 60,
            lambda: Failure(Reason.DEADLINE),
        )
    return results, left


async def test_no_more_shards_are_out_than_two_for_each_worker_however_large_the_plan_is() -> None:
    workers = Workers("a", "b", "c", "d")
    plan = places(500)

    results, left = await audited(workers, plan)

    assert left is None
    assert sum(len(shard.places) for shard in results.taken) == len(plan)
    assert workers.most <= 4  # of the two workers that may be at work at once
    assert workers.out == []


async def test_a_place_is_given_up_after_two_workers_and_no_other_place_is() -> None:
    workers = Workers("a", "b", deadly="3-2")
    plan = places(6)

    results, left = await audited(workers, plan)

    assert left is None
    assert len(workers.dead) == 2
    assert [place.region for shard in results.lost for place in shard.places] == ["3-2"]
    taken = [place.region for shard in results.taken for place in shard.places]
    assert sorted(taken) == sorted(place.region for place in plan if place.region != "3-2")


async def test_where_nobody_is_left_the_rest_is_given_up_with_why() -> None:
    workers = Workers("a", "b", deadly="0-0", come_again=False)

    results, left = await audited(workers, places(1))

    assert results.taken == results.lost == []
    assert left is not None
    assert left.reason is Reason.WORKER_LOST
    assert left.error_message == "these workers: nobody there for 0.3 s"


@pytest.mark.parametrize(
    ("theirs", "told"),
    [
        (Versions("2", {"policy": "a"}), "has auditor 2, and this is 1"),
        (Versions("1", {"policy": "b"}), "its policy policy has version b, and ours a"),
        (Versions("1", {}), "its policy policy has version None, and ours a"),
    ],
)
async def test_a_worker_that_would_judge_otherwise_is_refused(theirs: Versions, told: str) -> None:
    with pytest.raises(UsageError, match=f"^the worker a would judge otherwise: .*{told}; install the same$"):
        await Crew(Workers("a", versions=theirs), JOB, OURS, 1).enlist()


async def test_a_worker_that_can_not_call_aws_is_named_before_anything_is_audited() -> None:
    workers = Workers("a", "b")
    workers.refused = "no AWS credentials found"

    with pytest.raises(UsageError, match=r"^the worker a can't audit: no AWS credentials found$"):
        await Crew(workers, JOB, OURS, 2).enlist()
