"""The crew: the workers that audit a run's shards, which of them audits what, and what becomes of it where one is lost.

A worker has two shards at a time, so that it has something to do while an account of one of them waits. What was with
a worker that is lost is audited again place by place, after all else, each place by a worker that has nothing else:
a place whose worker is lost then too is a gap.
"""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio
import structlog

from auditor.audit import shard_audit
from auditor.audit.carrying import NotEnlisted, Sealed
from auditor.audit.shards import alone, cut
from auditor.errors import UsageError, WorkerLost
from auditor.model import Failure, Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from anyio.abc import TaskGroup

    from auditor.audit.carrying import Enlisted, Job, Versions
    from auditor.audit.shard_results import ShardResults
    from auditor.audit.shards import Shard
    from auditor.audit.workers import Submitted, Workers
    from auditor.model import Place

log = structlog.get_logger()

_SHARDS_AT_ONCE = 2
"""That one worker has."""
_LOOK_EVERY = 0.5
"""Seconds between two looks at which workers there are."""
_LAST_ANSWERS = 1.0
"""Seconds that workers may take to hand over what they have once the run is to end."""


@dataclass(eq=False, slots=True)
class _Member:
    address: str
    busy: int = 0
    """Shards that it has."""
    lost: bool = False
    waits: set[anyio.CancelScope] = field(default_factory=set)
    """Around what waits for its answers."""


class Crew:
    """The workers of one run. At most `most` of them are at work at once; others take the place of those lost."""

    def __init__(self, workers: Workers, job: Job, most: int) -> None:
        self._workers = workers
        self._job = job
        self._most = most
        self._members: dict[str, _Member] = {}
        self._refused: set[str] = set()
        self._left: Iterator[Shard] = iter(())
        self._is_cut = False
        self._suspects: deque[Shard] = deque()
        self._out: dict[Shard, Submitted] = {}
        self._submitted = 0
        self._at_work = 0
        """Shards that are with workers, or being entered into the books."""
        self._enlisting: set[str] = set()
        self._changed = anyio.Event()
        self._gave_up: Failure | None = None
        self.most_out = 0
        """The most shards that were with workers at once."""

    async def enlist(self, versions: Versions) -> None:
        """Make the workers that there are ready.

        :param versions: what the run judges by.
        :raises UsageError: where one would judge otherwise, or can't work, or there is none.
        """
        self._versions = versions
        refused: list[str] = []

        async def one(address: str) -> None:
            if why := await self._enlist(address):
                refused.append(f"the worker {address} {why}")

        async with anyio.create_task_group() as group:
            for address in sorted(await self._workers.present())[: self._most]:
                group.start_soon(one, address)
        if refused:
            raise UsageError(min(refused))

    async def audit(
        self, places: Sequence[Place], results: ShardResults, ends_at: float, why: Callable[[], Failure]
    ) -> Failure | None:
        """Audit these places, and return why the rest of them could not be; None where there is no rest.

        :param ends_at: the run's deadline, on the event loop's clock.
        :param why: says why a target is not read on, where this is cancelled.
        """
        self._left, self._results, self._ends_at = cut(places, self._most), results, ends_at
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._watch, group)
                for member in self._members.values():
                    self._put_to_work(member, group)
                while not self._is_done:
                    await self._changed.wait()
                group.cancel_scope.cancel()
        except anyio.get_cancelled_exc_class():
            with anyio.move_on_after(_LAST_ANSWERS, shield=True):
                await self._hand_over(why())
            raise
        return self._gave_up

    async def dismiss(self) -> None:
        """Let every worker let go of what it holds for the run."""
        await self._workers.call(shard_audit.dismiss, self._job.run_id, workers=list(self._members))

    @property
    def _is_done(self) -> bool:
        return self._gave_up is not None or (self._is_cut and not self._at_work and not self._suspects)

    def _change(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    async def _enlist(self, address: str) -> str | None:
        """Make a worker ready; return why it can't be."""
        sealed = Sealed.of(self._job)
        answers = await self._workers.call(shard_audit.enlist, sealed, workers=[address])
        answer: Enlisted | BaseException | None = answers.get(address)
        if answer is None or isinstance(answer, BaseException):
            return f"can't audit: {type(answer).__name__}: {answer}" if answer else "does not answer"
        if answer.versions != self._versions:
            return f"would judge otherwise: {_difference(answer.versions, self._versions)}"
        if answer.refused is not None:
            return f"can't audit: {answer.refused}"
        self._members[address] = _Member(address)
        return None

    def _put_to_work(self, member: _Member, group: TaskGroup) -> None:
        for _ in range(_SHARDS_AT_ONCE):
            group.start_soon(self._work, member)

    async def _work(self, member: _Member) -> None:
        while not member.lost:
            shard = self._next(member)
            if shard is None:
                await self._changed.wait()
                continue
            with self._with(member):
                await self._audit(member, shard)
            self._change()

    def _next(self, member: _Member) -> Shard | None:
        """Return what a worker is to audit now; None where that is nothing."""
        if not self._is_cut:
            shard = next(self._left, None)
            if shard is not None:
                return shard
            self._is_cut = True
            self._change()
        if self._suspects and not member.busy:
            return self._suspects.popleft()
        return None

    @contextmanager
    def _with(self, member: _Member) -> Iterator[None]:
        member.busy += 1
        self._at_work += 1
        try:
            yield
        finally:
            member.busy -= 1
            self._at_work -= 1

    async def _audit(self, member: _Member, shard: Shard) -> None:
        answer: Any = NotEnlisted()
        with anyio.CancelScope() as waiting:
            member.waits.add(waiting)
            try:
                answer = await self._answer(self._submit(member, shard))
            except WorkerLost as lost:
                log.debug("no answer from a worker", worker=member.address, why=str(lost))
            finally:
                member.waits.discard(waiting)
        # Here, and not where this is cancelled from without: what is out is then asked for once more.
        if (submitted := self._out.pop(shard, None)) is not None:
            submitted.forget()
        if isinstance(answer, NotEnlisted):
            self._lose(member)
            await self._lost(shard)
        else:
            await self._results.take(shard, answer)

    def _submit(self, member: _Member, shard: Shard) -> Submitted:
        self._submitted += 1
        submitted = self._out[shard] = self._workers.submit(
            self._submitted,
            shard_audit.audit_shard,
            self._job.run_id,
            Sealed.of(shard),
            self._ends_at - anyio.current_time(),
            worker=member.address,
        )
        self.most_out = max(self.most_out, len(self._out))
        return submitted

    @staticmethod
    async def _answer(submitted: Submitted) -> Any:
        sealed: Sealed[Any] = await submitted.answer()
        return sealed.open()

    def _lose(self, member: _Member) -> None:
        if member.lost:
            return
        member.lost = True
        del self._members[member.address]
        log.warning(
            "a worker was lost; what it had is audited again, place by place",
            worker=member.address,
            shards=member.busy,
        )
        for waiting in member.waits:
            waiting.cancel()

    async def _lost(self, shard: Shard) -> None:
        if shard.is_suspect:
            await self._results.lost_again(shard)
        else:
            self._suspects.extend(alone(shard))

    async def _watch(self, group: TaskGroup) -> None:
        """Look which workers there are, until the run is done or there is none for too long."""
        well_at = anyio.current_time()
        while True:
            what = "no worker was left"
            try:
                present = await self._workers.present()
            except WorkerLost as lost:
                what = str(lost)
            else:
                for member in list(self._members.values()):
                    if member.address not in present:
                        self._lose(member)
                self._replace(present, group)
                if self._members:
                    well_at = anyio.current_time()
            if anyio.current_time() - well_at > self._workers.patience:
                text = f"{self._workers.where}: {what} for {self._workers.patience:g} s"
                log.error("the workers are lost; what is left is not audited", why=text)
                self._gave_up = Failure(Reason.WORKER_LOST, None, text)
                self._change()
                return
            await anyio.sleep(_LOOK_EVERY)

    def _replace(self, present: Collection[str], group: TaskGroup) -> None:
        self._refused &= set(present)
        known = {*self._members, *self._enlisting, *self._refused}
        for address in sorted(set(present) - known):
            if len(self._members) + len(self._enlisting) < self._most:
                self._enlisting.add(address)
                group.start_soon(self._add, address, group)

    async def _add(self, address: str, group: TaskGroup) -> None:
        try:
            why = await self._enlist(address)
        finally:
            self._enlisting.discard(address)
        if why is not None:
            log.warning("a worker is not used", worker=address, why=why)
            self._refused.add(address)
        else:
            self._put_to_work(self._members[address], group)

    async def _hand_over(self, why: Failure) -> None:
        """Let the workers end, and take what they have."""
        await self._workers.call(
            shard_audit.stop, self._job.run_id, Sealed.of(why), workers=list(self._members)
        )

        async def take(shard: Shard, submitted: Submitted) -> None:
            try:
                answer = await self._answer(submitted)
            except WorkerLost:
                return
            if not isinstance(answer, NotEnlisted):
                await self._results.take(shard, answer)

        async with anyio.create_task_group() as group:
            for shard, submitted in self._out.items():
                group.start_soon(take, shard, submitted)


def _difference(theirs: Versions, ours: Versions) -> str:
    if theirs.auditor != ours.auditor:
        return f"it has auditor {theirs.auditor}, and this is {ours.auditor}; install the same"
    for name in sorted({*theirs.policies, *ours.policies}):
        its, own = theirs.policies.get(name), ours.policies.get(name)
        if its != own:
            return f"its policy {name} has version {its}, and ours {own}; install the same"
    return "its versions differ"
