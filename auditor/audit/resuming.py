"""A run that died goes on: what it has done is read from its folder, and told again; the rest is audited."""

from __future__ import annotations

import fcntl
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING

from anyio import to_thread

from auditor.audit.checkpoint_lines import damaged, read_header_line, read_place_line
from auditor.audit.folder import CHECKPOINT, OWN_FILES
from auditor.audit.place import PlaceEnd
from auditor.errors import UsageError
from auditor.history.documents import Damaged, read_finding
from auditor.model import Account, Place, shown

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping
    from pathlib import Path

    from auditor.audit.books import Books
    from auditor.audit.checkpoint_lines import Done, Header
    from auditor.audit.remembering import Memory
    from auditor.inventory import Plan
    from auditor.model import Finding, Target

_LONGEST = timedelta(hours=24)
"""After this the records may be others, and the run says one instant of all of them."""
_CLOCKS_DIFFER = timedelta(minutes=5)
"""Between the machine that began and the one that goes on."""
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Resumed:
    """A run that goes on, as far as it came."""

    folder: Path
    header: Header
    places: Mapping[tuple[str, str], Done]
    """By account and Region."""
    findings: Path
    """Where the findings so far stand."""

    def but_for(self, lost: Callable[[tuple[str, str], Done], bool]) -> Resumed:
        """Return the same without the places that have to be done again."""
        return replace(self, places={key: done for key, done in self.places.items() if not lost(key, done)})

    @property
    def findings_end(self) -> int:
        """How many bytes of them are those of places that have ended, or stand between them."""
        return max((done.findings_end for done in self.places.values()), default=0)


def read_header(folder: Path) -> Header:
    """Return what the run in this folder was asked.

    :raises UsageError: where there is none that could go on.
    """
    path = folder / CHECKPOINT
    try:
        with path.open("rb") as file:
            return read_header_line(file.readline(), path)
    except FileNotFoundError:
        there = [name for name in OWN_FILES if (folder / name).exists()]
        text = "the run in it is done" if there else "holds no run that was begun"
        raise _refused(folder, f"{text}; begin a new one") from None
    except OSError as error:
        raise _refused(folder, f"{CHECKPOINT}: {error.strerror}") from error


def read_checkpoint(folder: Path) -> Resumed:
    """Return how far the run in this folder came.

    :raises UsageError: where it is still going, or what it left is damaged.
    """
    header = read_header(folder)
    path = folder / CHECKPOINT
    places: dict[tuple[str, str], Done] = {}
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _refused(folder, "the run is still going; wait for its end") from None
        file.readline()
        for line in file:
            if not line.endswith(b"\n"):
                break  # cut short as the run died: it does not count
            key, done = read_place_line(line, path)
            places[key] = done
    resumed = Resumed(folder, header, places, _findings_of(folder, header))
    size = resumed.findings.stat().st_size if resumed.findings.exists() else 0
    if size < resumed.findings_end:
        raise _refused(
            folder, f"{resumed.findings.name} is shorter than the checkpoint says; begin a new run"
        )
    return resumed


def check_resumed(
    header: Header, folder: Path, *, config_digest: str, history: str | None, policies: Mapping[str, str]
) -> None:
    """Look whether the run can go on as the same.

    :param history: where the history is, as `Header` has it.
    :param policies: the digest of each policy's settings and code, as they are now.
    :raises UsageError: where not.
    """
    age = datetime.now(UTC) - datetime.fromisoformat(header.started_at)
    began = f"the run began at {shown(header.started_at)}"
    if age > _LONGEST:
        raise _refused(folder, f"{began}, more than 24 h ago; begin a new one")
    if age < -_CLOCKS_DIFFER:
        raise _refused(folder, f"{began}, which is yet to come; set this machine's clock, or begin a new one")
    if header.config_digest != config_digest:
        raise _refused(folder, "the configuration has changed since the run began; begin a new one")
    if header.history != history:
        # What was told of the places that are done stands in the one that it began with.
        text = f"the run began with {_called(header.history)}, and would go on with {_called(history)}"
        raise _refused(folder, f"{text}; put that right, or begin a new one")
    changed = sorted(
        name for name in {*header.policies, *policies} if header.policies.get(name) != policies.get(name)
    )
    if changed:
        text = f"what {', '.join(map(shown, changed))} judges by has changed since the run began; begin a new one"
        raise _refused(folder, text)


def set_aside(resumed: Resumed) -> Path:
    """Move the findings so far to where no new output takes their place, and return that."""
    place = _aside(resumed.folder, resumed.header)
    if resumed.findings != place and resumed.findings.exists():
        resumed.findings.replace(place)
    return place


def forget(findings: Path) -> None:
    """Take away the findings that were set aside: they have been told again."""
    findings.unlink(missing_ok=True)


def settle_done(resumed: Resumed, plan: Plan, books: Books) -> None:
    """Enter into the books what has been done.

    :raises UsageError: where that is not what the plan has to be done there.
    """
    settled = {(target.account.id, target.region) for target in plan.settled}
    sources = {(place.account.id, place.region): {*place.sources} for place in plan.places}
    for key, done in resumed.places.items():
        if key in settled:
            continue  # its account is suspended by now, say: that is its verdict
        if {*done.outcomes} != sources.get(key, {*done.outcomes}):
            raise damaged(resumed.folder / CHECKPOINT)
        for target in _place(key, done).targets:
            outcome = done.outcomes[target.source]
            books.ledger.settle(target, outcome, outcome.failure)
        books.tally.add(done.counts)


def ends_before(resumed: Resumed) -> Iterator[PlaceEnd]:
    """Yield the places that have ended; which records they had is not known any more, and matters no more."""
    for key, done in resumed.places.items():
        yield PlaceEnd(_place(key, done), done.counts, lambda _arn: True)


def left_behind(resumed: Resumed, plan: Plan) -> Iterator[Target]:
    """Yield the targets that have been done, and are not in the plan any more."""
    planned = {(place.account.id, place.region) for place in plan.places}
    planned |= {(target.account.id, target.region) for target in plan.settled}
    for key, done in resumed.places.items():
        if key not in planned:
            yield from _place(key, done).targets


def _place(key: tuple[str, str], done: Done) -> Place:
    # It is not asked again: its role does not matter.
    account_id, region = key
    account = Account(account_id, done.account_name, "", None, "", 0, (region,))
    return Place(account, region, tuple(done.outcomes))


async def told_before(
    resumed: Resumed, findings: Path, memory: Memory | None, again: frozenset[tuple[str, str]]
) -> AsyncIterator[list[Finding]]:
    """Yield what the run has told so far, but of the places that are audited again.

    :param findings: where they were set aside; a history knows more of them.
    """
    if memory is not None:
        async for batch in memory.told():
            yield [finding for finding in batch if (finding.account_id, finding.region) not in again]
        return
    rest = _findings(findings, resumed)
    while batch := await to_thread.run_sync(lambda: list(islice(rest, _AT_ONCE))):
        yield batch


def _findings(path: Path, resumed: Resumed) -> Iterator[Finding]:
    left = resumed.findings_end
    if not left:
        return
    with path.open("rb") as lines:
        for line in lines:
            left -= len(line)
            if left < 0:
                return
            try:
                finding = read_finding(line)
            except Damaged as error:
                raise damaged(path) from error
            if (finding.account_id, finding.region) in resumed.places:
                yield finding


def _findings_of(folder: Path, header: Header) -> Path:
    aside = _aside(folder, header)
    for path in (aside, folder / "findings.jsonl.part"):
        if path.exists():
            return path
    return folder / "findings.jsonl"


def _aside(folder: Path, header: Header) -> Path:
    # Another name each time, so that what a resumption that died itself has left is told from what counts.
    return folder / f"findings.{len(header.resumed_at) + 1}.jsonl"


def _called(history: str | None) -> str:
    return "no history" if history is None else f"the history {shown(history)}"


def _refused(folder: Path, why: str) -> UsageError:
    return UsageError(f"--resume {shown(str(folder))}: {why}")
