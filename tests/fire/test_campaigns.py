"""Random campaigns of faults, a few of them here: `python -m tests.fire campaigns` runs thousands."""

from __future__ import annotations

import multiprocessing
from typing import TYPE_CHECKING

import pytest

from tests.fire.campaigning import run_campaign
from tests.fire.drawing import draw
from tests.fire.many import Asked, command_of, run_many
from tests.fire.microburst import NoMicroburst, installed

if TYPE_CHECKING:
    from tests.fire.campaigning import Outcome

CAMPAIGNS = 6
SEED = 20_000


def assert_nothing_wrong(outcomes: list[Outcome]) -> None:
    for outcome in outcomes:
        assert not outcome.wrong, f"{outcome.story}: {outcome.wrong}; repeat it by: {command_of(outcome)}"


@pytest.mark.timeout(180)  # campaigns of seconds, one after the other
def test_whatever_goes_wrong_every_target_has_its_verdict_and_no_finding_is_false() -> None:
    outcomes = run_many(Asked(CAMPAIGNS, SEED, proxied=0, workers=2), lambda *_: None)
    assert [outcome.seed for outcome in sorted(outcomes, key=lambda each: each.seed)] == [
        *range(SEED, SEED + CAMPAIGNS)
    ]
    assert_nothing_wrong(outcomes)
    # It bit, and not everything was lost.
    assert sum(len(outcome.struck) for outcome in outcomes) >= CAMPAIGNS
    verdicts = {verdict.partition(" ")[0] for outcome in outcomes for verdict in outcome.verdicts}
    assert {"complete", "failed"} <= verdicts


@pytest.mark.timeout(300)  # what is not installed yet is installed
def test_so_it_is_with_somebody_elses_faults() -> None:
    try:
        installed()
    except NoMicroburst as error:
        pytest.skip(f"microburst can't be installed: {error}")
    outcomes = run_many(Asked(4, SEED + CAMPAIGNS, proxied=4, workers=1), lambda *_: None)
    assert_nothing_wrong(outcomes)
    assert any(struck.startswith("proxy: ") for outcome in outcomes for struck in outcome.struck)


@pytest.mark.timeout(180)  # as above
def test_the_command_itself_exits_by_the_contract_too() -> None:
    # In a process of its own, since a campaign looks at what is left of all that this process has.
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        outcomes = [pool.apply(run_campaign, (SEED + 100 + n,), {"as_process": True}) for n in range(2)]
    assert_nothing_wrong(outcomes)
    assert {how for outcome in outcomes for how in outcome.how} >= {"as_process"}


def test_a_seed_draws_the_same_again() -> None:
    for seed in range(SEED, SEED + 50):
        one, other = draw(seed, proxied=True), draw(seed, proxied=True)
        assert one.story == other.story
        assert one.nights == other.nights
        assert [a.id for a in one.estate.accounts] == [a.id for a in other.estate.accounts]


def test_those_that_are_proxied_are_spread_over_all() -> None:
    assert [through for _, through in Asked(8, 1, proxied=2, workers=1).seeds()] == [
        *(False, False, False, True),
        *(False, False, False, True),
    ]
