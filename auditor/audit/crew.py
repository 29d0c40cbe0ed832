"""The crew: which worker audits which shard of a run, and what becomes of it where the worker is lost.

A worker has two shards at a time, so that it has something to do while an account of one of them waits. What was with
a worker that is lost is audited again place by place, after all else, each place by a worker that has nothing else:
a place whose worker is lost then too is a gap.
"""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import anyio
import structlog

from auditor.audit import shard_audit
from auditor.audit.carrying import NotEnlisted, Sealed
from auditor.audit.roster import Roster
from auditor.audit.shards import alone, cut
from auditor.errors import WorkerLost
from auditor.model import Failure, Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from anyio.abc import TaskGroup

    from auditor.audit.carrying import Job, Versions
    from auditor.audit.roster import Member
    from auditor.audit.shard_results import ShardResults
    from auditor.audit.shards import Shard
    from auditor.audit.workers import Submitted, Workers
    from auditor.model import Place

log = structlog.get_logger()

_SHARDS_AT_ONCE = 2
"""That one worker has."""
_LAST_ANSWERS = 1.0
"""Seconds that workers may take to hand over what they have once the run is to end."""


class Crew:
    """The workers of one run, at their work; at most `most` of them at once."""

    def __init__(self, workers: Workers, job: Job, versions: Versions, most: int) -> None:
        """Take who there is, what they are to do, and the versions that they must judge by."""
        self._roster = Roster(workers, job, versions, most)
        self._workers = workers
        self._job = job
        self._most = most
        self._left: Iterator[Shard] = iter(())
        self._is_cut = False
        self._suspects: deque[Shard] = deque()
        self._out: dict[Shard, Submitted] = {}
        self._submitted = 0
        self._at_work = 0
        """Shards that are with workers, or being entered into the books."""
        self._changed = anyio.Event()
        self._gave_up: Failure | None = None

    async def enlist(self) -> None:
        """Make the workers that there are ready.

        :raises UsageError: where one would judge otherwise, or can't work.
        """
        await self._roster.enlist()

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
                for member in self._roster.members.values():
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
        await self._workers.call(shard_audit.dismiss, self._job.run_id, workers=list(self._roster.members))

    @property
    def _is_done(self) -> bool:
        return self._gave_up is not None or (self._is_cut and not self._at_work and not self._suspects)

    def _change(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    def _put_to_work(self, member: Member, group: TaskGroup) -> None:
        for _ in range(_SHARDS_AT_ONCE):
            group.start_soon(self._work, member)

    async def _work(self, member: Member) -> None:
        while not member.lost:
            shard = self._next(member)
            if shard is None:
                await self._changed.wait()
                continue
            with self._with(member):
                await self._audit(member, shard)
            self._change()

    def _next(self, member: Member) -> Shard | None:
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
    def _with(self, member: Member) -> Iterator[None]:
        member.busy += 1
        self._at_work += 1
        try:
            yield
        finally:
            member.busy -= 1
            self._at_work -= 1

    async def _audit(self, member: Member, shard: Shard) -> None:
        answer: Any = NotEnlisted()
        began = not shard.is_suspect
        with anyio.CancelScope() as waiting:
            member.waits.add(waiting)
            try:
                # A place that is suspected must not be blamed for what happened to its worker before it came there.
                began = began or await self._roster.has(member)
                if began:
                    answer = await self._answer(self._submit(member, shard))
            except WorkerLost as lost:
                log.debug("no answer from a worker", worker=member.address, why=str(lost))
            finally:
                member.waits.discard(waiting)
        # Here, and not where this is cancelled from without: what is out is then asked for once more.
        if (submitted := self._out.pop(shard, None)) is not None:
            submitted.forget()
        if not began:
            self._roster.lose(member)
            self._suspects.appendleft(shard)
        elif isinstance(answer, NotEnlisted):
            self._roster.lose(member)
            await self._lost(shard)
        else:
            await self._results.take(shard, answer)

    def _submit(self, member: Member, shard: Shard) -> Submitted:
        self._submitted += 1
        submitted = self._out[shard] = self._workers.submit(
            self._submitted,
            shard_audit.audit_shard,
            self._job.run_id,
            Sealed.of(shard),
            self._ends_at - anyio.current_time(),
            worker=member.address,
        )
        return submitted

    @staticmethod
    async def _answer(submitted: Submitted) -> Any:
        sealed: Sealed[Any] = await submitted.answer()
        return sealed.open()

    async def _lost(self, shard: Shard) -> None:
        if shard.is_suspect:
            await self._results.lost_again(shard)
        else:
            self._suspects.extend(alone(shard))

    async def _watch(self, group: TaskGroup) -> None:
        why = await self._roster.watch(group, lambda member: self._put_to_work(member, group))
        log.error("the workers are lost; what is left is not audited", why=why)
        self._gave_up = Failure(Reason.WORKER_LOST, None, why)
        self._change()

    async def _hand_over(self, why: Failure) -> None:
        """Let the workers end, and take what they have."""
        await self._workers.call(
            shard_audit.stop, self._job.run_id, Sealed.of(why), workers=list(self._roster.members)
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
