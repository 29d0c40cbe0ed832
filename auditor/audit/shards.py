"""The plan cut into shards, each a part of it that one worker audits."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from auditor.model import Place

_MOST_PLACES = 400
"""What is lost with a worker, and held of its results at once: a second's work, and a megabyte or two of findings."""
_ROUNDS = 6
"""Shards that each worker is still to get of what is left: so the last ones are small, and end together."""


@dataclass(frozen=True, slots=True, eq=False)
class Shard:
    """Some accounts with all their places, in the order of the plan; or one place alone."""

    places: tuple[Place, ...]
    is_suspect: bool = False
    """Whether a worker was lost with it before: it is a place alone then."""


def cut(places: Sequence[Place], workers: int) -> Iterator[Shard]:
    """Yield shards of whole accounts, so that each role is assumed by one worker.

    Large ones come first: they get smaller as less is left, and one account is the least.
    """
    accounts: dict[str, list[Place]] = {}
    for place in places:
        accounts.setdefault(place.account.id, []).append(place)
    left = len(places)
    shard: list[list[Place]] = []
    size = 0
    for of_account in accounts.values():
        shard.append(of_account)
        size += len(of_account)
        if size >= min(_MOST_PLACES, left / (_ROUNDS * workers)):
            left -= size
            yield _shard(shard)
            shard, size = [], 0
    if shard:
        yield _shard(shard)


def alone(shard: Shard) -> Iterator[Shard]:
    """Yield each place of a shard that was lost with its worker, to be audited by itself."""
    for place in shard.places:
        yield Shard((place,), is_suspect=True)


def _shard(accounts: Sequence[Sequence[Place]]) -> Shard:
    """Return a shard in the order of the plan, which goes from account to account: none is asked in a burst."""
    turns = zip_longest(*accounts)
    return Shard(tuple(place for turn in turns for place in turn if place is not None))
