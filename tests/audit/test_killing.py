"""Runs and deliveries killed at any moment: nothing true is lost, nothing passes for delivered that was not."""

from __future__ import annotations

import json
import os
import random
import sys
from typing import TYPE_CHECKING

import pytest

from auditor.simulator.faults import Fault, FaultKind
from tests.audit.killing import Campaign, Moment, less
from tests.history.servers import PASSWORD, postgresql

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.audit.conftest import EstateMaker
    from tests.history.servers import PostgreSQL

CAMPAIGNS = int(os.environ.get("AUDITOR_TEST_CAMPAIGNS", "0"))
"""`AUDITOR_TEST_CAMPAIGNS=20 pytest tests/audit/test_killing.py` kills some four hundred times."""
KILLS = 10 if CAMPAIGNS else 3
ENDED = {0, 1, 3, 4}
"""What a command that was not killed may exit with: an audit that found something, a receiver that was busy."""
RESUME_REFUSED = "another has begun since"


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSQL]:
    with postgresql() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def campaign(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    estate_of: EstateMaker,
    monkeypatch: pytest.MonkeyPatch,
    seed: int,
) -> Campaign:
    named, url = "history.sqlite3", None
    if request.param == "postgresql":
        server: PostgreSQL = request.getfixturevalue("server")
        url = server.fresh_database("history")
        named = f"'{url.replace(PASSWORD, '${DATABASE_PASSWORD}')}'"
        monkeypatch.setenv("DATABASE_PASSWORD", PASSWORD)
    return Campaign(tmp_path, estate_of(4), random.Random(seed), named, url)  # noqa: S311 -- to be repeated


@pytest.mark.timeout(60 + 20 * KILLS)
@pytest.mark.parametrize("seed", range(max(CAMPAIGNS, 1)))
def test_what_is_killed_again_and_again_delivers_all_that_is_true(campaign: Campaign, seed: int) -> None:
    with campaign.serving():
        known = campaign.look()
        for _ in range(3 * KILLS):
            if campaign.kills.total() == KILLS:
                break
            one_step(campaign)
            known = campaign.check(known)
        finish(campaign)
        known = campaign.check(known)
    assert known.due == frozenset(), campaign.story
    campaign.check_bodies()
    campaign.check_order(known.sequence)
    campaign.check_truth(campaign.whole.truth)
    sys.stdout.write(f"seed {seed}: {dict(campaign.kills)}\n")


def one_step(campaign: Campaign) -> None:
    """Begin a run, go on with one, or deliver what is left, and kill it at some moment."""
    chance = campaign.chance
    what = chance.random()
    if (campaign.run / "checkpoint.jsonl").exists() and what < 0.5:
        words = ["run", "--quiet", "--resume", str(campaign.run)]
    elif campaign.runs and what < 0.65:
        words = ["deliver", "-o", str(campaign.folder), "--deadline", "4s"]
    else:
        campaign.runs += 1
        words = ["run", "--quiet", "-o", str(campaign.run), "--concurrency", "3"]
    moment = Moment.by(chance, delivers=words[0] == "deliver")
    estate = less(campaign.whole) if chance.random() < 0.3 else campaign.whole
    denied = Fault(FaultKind.ACCESS_DENIED, campaign.whole.accounts[0].id)
    code = campaign.step(moment, words, estate, *([denied] if chance.random() < 0.3 else []))
    refused = code == 2 and "--resume" in words and RESUME_REFUSED in campaign.last_words
    assert code is None or code in ENDED or refused, f"{code}: {campaign.last_words}: {campaign.story}"


def finish(campaign: Campaign) -> None:
    """Let a last run go to its end, and all that is left be delivered."""
    for keeper in campaign.keepers.values():
        keeper.faulty = False
    campaign.runs += 1
    code = campaign.step(None, ["run", "--quiet", "-o", str(campaign.run)], campaign.whole)
    assert code in {1, 4}, f"{code}: {campaign.last_words}: {campaign.story}"
    code = campaign.step(None, ["deliver", "-o", str(campaign.folder)], campaign.whole)
    assert code in {0, 4}, f"{code}: {campaign.last_words}: {campaign.story}"


def test_a_run_that_is_killed_while_it_delivers_goes_on_to_its_end(
    tmp_path: Path, estate_of: EstateMaker
) -> None:
    campaign = Campaign(tmp_path, estate_of(1), random.Random(0), "history.sqlite3")  # noqa: S311 -- not asked
    for keeper in campaign.keepers.values():
        keeper.faulty = False
    campaign.runs = 1
    with campaign.serving():
        code = campaign.step(
            Moment("kept", 2, 0), ["run", "--quiet", "-o", str(campaign.run)], campaign.whole
        )
        assert code is None, campaign.last_words
        assert not (campaign.run / "run.json").exists()
        code = campaign.step(None, ["run", "--quiet", "--resume", str(campaign.run)], campaign.whole)
    assert code in {1, 4}, campaign.last_words
    assert not (campaign.run / "checkpoint.jsonl").exists()
    record = json.loads((campaign.run / "run.json").read_text("utf-8"))
    for told in campaign.received().values():
        (event,) = (event for event in told if event["schema"] == "auditor.run/1")
        assert event["run_id"] == record["run_id"]
    campaign.check_bodies()
    campaign.check_truth(campaign.whole.truth)
