"""The plan is cut into shards of whole accounts, of which each place is in one."""

from __future__ import annotations

import pickle

from hypothesis import given
from hypothesis import strategies as st

from auditor.audit.carrying import Sealed
from auditor.audit.shards import Shard, alone, cut
from auditor.model import Account, Place


def place(account: int, region: str) -> Place:
    known = Account(str(account), None, "arn", "canary-of-an-external-id", "session", 900, (region,))
    return Place(known, region, ("source",))


def interleaved(accounts: list[int]) -> list[Place]:
    """Places in the order of a plan, where account `at` has so many Regions."""
    return [
        place(at, f"region-{turn}")
        for turn in range(max(accounts, default=0))
        for at, regions in enumerate(accounts)
        if turn < regions
    ]


@given(st.lists(st.integers(0, 40), max_size=80), st.integers(1, 64))
def test_each_place_is_in_one_shard_and_each_account_too(accounts: list[int], workers: int) -> None:
    places = interleaved(accounts)
    order = {id(each): at for at, each in enumerate(places)}
    shards = list(cut(places, workers))

    assert sorted(order[id(each)] for shard in shards for each in shard.places) == list(range(len(places)))
    homes: dict[str, set[int]] = {}
    for number, shard in enumerate(shards):
        assert shard.places
        assert [order[id(each)] for each in shard.places] == sorted(order[id(each)] for each in shard.places)
        for each in shard.places:
            homes.setdefault(each.account.id, set()).add(number)
    assert all(len(numbers) == 1 for numbers in homes.values())


def test_shards_get_smaller_so_that_workers_end_together_and_none_is_too_large_to_lose() -> None:
    sizes = [len(shard.places) for shard in cut(interleaved([16] * 2000), 4)]

    assert max(sizes) <= 400
    assert sizes[-1] == 16
    assert sizes == sorted(sizes, reverse=True)
    assert len(sizes) < 200


def test_a_shard_that_was_lost_is_audited_place_by_place() -> None:
    first, second = interleaved([2])
    pieces = list(alone(Shard((first, second))))

    assert [piece.places for piece in pieces] == [(first,), (second,)]
    assert all(piece.is_suspect for piece in pieces)


def test_what_travels_shows_nothing_of_itself() -> None:
    sealed = Sealed.of(Shard((place(1, "region"),)))
    arrived = pickle.loads(pickle.dumps(sealed))  # noqa: S301 -- as Dask does

    assert "canary" not in f"{sealed} {sealed!r} {arrived!r}"
    assert arrived.open().places == sealed.open().places
