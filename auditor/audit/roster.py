"""The roster: which workers are at a run's work, which join in the place of others, and which are lost."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio
import structlog

from auditor.audit import shard_audit
from auditor.audit.carrying import Sealed
from auditor.errors import UsageError, WorkerLost

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from anyio.abc import TaskGroup

    from auditor.audit.carrying import Enlisted, Job, Versions
    from auditor.audit.workers import Workers

log = structlog.get_logger()

_LOOK_EVERY = 0.5
"""Seconds between two looks at which workers there are."""


@dataclass(eq=False, slots=True)
class Member:
    """A worker that is at work for the run, or may be."""

    address: str
    busy: int = 0
    """Shards that it has."""
    lost: bool = False
    waits: set[anyio.CancelScope] = field(default_factory=set)
    """Around what waits for its answers."""


class Roster:
    """The workers of one run. At most `most` of them are on it at once; others take the place of those lost."""

    def __init__(self, workers: Workers, job: Job, versions: Versions, most: int) -> None:
        """Take who there is, what they are to do, and the versions that they must judge by."""
        self.members: dict[str, Member] = {}
        """By address."""
        self._workers = workers
        self._job = job
        self._versions = versions
        self._most = most
        self._refused: set[str] = set()
        self._enlisting: set[str] = set()

    async def enlist(self) -> None:
        """Make the workers that there are ready.

        :raises UsageError: where one would judge otherwise, or can't work.
        """
        refused: list[str] = []

        async def one(address: str) -> None:
            if why := await self._enlist(address):
                refused.append(f"the worker {address} {why}")

        async with anyio.create_task_group() as group:
            for address in sorted(await self._workers.present())[: self._most]:
                group.start_soon(one, address)
        if refused:
            raise UsageError(min(refused))

    async def watch(self, group: TaskGroup, joined: Callable[[Member], None]) -> str:
        """Look which workers there are, until there has been none for too long; return why that is.

        :param joined: is told of each that takes the place of another.
        """
        well_at = anyio.current_time()
        while True:
            what = "no worker was left"
            try:
                present = await self._workers.present()
            except WorkerLost as lost:
                what = str(lost)
            else:
                for member in list(self.members.values()):
                    if member.address not in present:
                        self.lose(member)
                self._replace(present, group, joined)
                if self.members or self._enlisting:
                    well_at = anyio.current_time()
            if anyio.current_time() - well_at > self._workers.patience:
                return f"{self._workers.where}: {what} for {self._workers.patience:g} s"
            await anyio.sleep(_LOOK_EVERY)

    async def has(self, member: Member) -> bool:
        """Ask a worker whether it is still the one that was made ready."""
        is_enlisted = shard_audit.is_enlisted
        answers = await self._workers.call(is_enlisted, self._job.run_id, workers=[member.address])
        return answers.get(member.address) is True

    def lose(self, member: Member) -> None:
        """Take a worker off: it is no more."""
        if member.lost:
            return
        member.lost = True
        del self.members[member.address]
        log.warning(
            "a worker was lost; what it had is audited again, place by place",
            worker=member.address,
            shards=member.busy,
        )
        for waiting in member.waits:
            waiting.cancel()

    async def _enlist(self, address: str) -> str | None:
        """Make a worker ready; return why it can't be."""
        answers = await self._workers.call(shard_audit.enlist, Sealed.of(self._job), workers=[address])
        answer: Enlisted | BaseException | None = answers.get(address)
        if answer is None or isinstance(answer, BaseException):
            return f"can't audit: {type(answer).__name__}: {answer}" if answer else "does not answer"
        if answer.versions != self._versions:
            return f"would judge otherwise: {answer.versions.difference(self._versions)}"
        if answer.refused is not None:
            return f"can't audit: {answer.refused}"
        self.members[address] = Member(address)
        return None

    def _replace(self, present: Collection[str], group: TaskGroup, joined: Callable[[Member], None]) -> None:
        self._refused &= set(present)
        known = {*self.members, *self._enlisting, *self._refused}
        for address in sorted(set(present) - known):
            if len(self.members) + len(self._enlisting) < self._most:
                self._enlisting.add(address)
                group.start_soon(self._add, address, joined)

    async def _add(self, address: str, joined: Callable[[Member], None]) -> None:
        try:
            why = await self._enlist(address)
        finally:
            self._enlisting.discard(address)
        if why is None:
            joined(self.members[address])
        else:
            log.warning("a worker is not used", worker=address, why=why)
            self._refused.add(address)
