"""The audit as a program calls it: one result or one exception, and a ledger that always adds up."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from auditor.audit import RunOptions, audit
from auditor.errors import AuditorError, CredentialsError, UsageError
from auditor.inventory import Filters
from auditor.simulator.faults import Fault, FaultKind
from auditor.simulator.server import serve_in_thread

if TYPE_CHECKING:
    from pathlib import Path

    from auditor.simulator.estate import Estate
    from tests.audit.conftest import Auditing, EstateMaker


async def test_what_keeps_a_run_from_beginning_is_one_exception_and_no_group(
    auditing: Auditing, estate_of: EstateMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = auditing.config(estate_of(1))
    folder = tmp_path / "run"

    with pytest.raises(UsageError, match="no such account"):
        await audit(config, RunOptions(folder=folder, filters=Filters(accounts=("000000000000",))))
    with pytest.raises(CredentialsError, match="no AWS credentials found"):
        await audit(config, RunOptions(folder=folder))
    monkeypatch.setenv("AWS_PROFILE", "nowhere")
    with pytest.raises(AuditorError, match="nowhere"):
        await audit(config, RunOptions(folder=folder))

    assert not folder.exists()


async def test_a_bug_in_one_target_is_told_and_hides_no_other(
    auditing: Auditing, estate_of: EstateMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    estate = estate_of(3)
    config = auditing.config(estate)
    broken: Any = replace(config.accounts[1], session_duration=None)  # type: ignore[arg-type]  # what no file can say
    config = replace(config, accounts=(config.accounts[0], broken, config.accounts[2]))

    with serve_in_thread(estate) as running:
        for name, value in running.environ.items():
            monkeypatch.setenv(name, value)
        result = await audit(config, RunOptions(folder=tmp_path / "run"))

    lines = {(line["account_id"], line["region"]): line for line in result.ledger.lines()}
    for account in config.accounts:
        for region in estate.regions:
            line = lines[account.id, region]
            if account is broken:
                assert (line["verdict"], line["reason"]) == ("failed", "internal-error")
                assert line["error_code"] == "TypeError"
            else:
                assert (line["verdict"], line["reason"]) == ("complete", None)
    assert result.exit_code == 5
    assert {5, 3, 1} <= set(result.record["exit_conditions"])
    assert sum(result.findings.values()) == sum(one.account_id != broken.id for one in estate.truth)


async def test_two_runs_at_once_do_not_mix(
    auditing: Auditing, estate_of: EstateMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    estate = estate_of(4)
    config = auditing.config(estate)
    totals: dict[str, int] = {}

    async def one(account: str) -> None:
        options = RunOptions(folder=tmp_path / account, filters=Filters(accounts=(account,)))
        result = await audit(config, options)
        totals[account] = sum(result.findings.values())

    with serve_in_thread(estate) as running:
        for name, value in running.environ.items():
            monkeypatch.setenv(name, value)
        async with anyio.create_task_group() as group:
            for account in estate.accounts:
                group.start_soon(one, account.id)

    assert totals == Counter(expected.account_id for expected in estate.truth)


PASSING = [
    FaultKind.THROTTLE,
    FaultKind.SERVICE_ERROR,
    FaultKind.RESET,
    FaultKind.CUT_BODY,
    FaultKind.NOT_UTF8,
    FaultKind.MISSING_KEY,
    FaultKind.EMPTY_PAGE,
    FaultKind.EXPIRED,
    FaultKind.TOKEN_REJECTED,
]
STAYING = [
    FaultKind.TOKEN_LOOP,
    FaultKind.TOKEN_REJECTED,
    FaultKind.EXPIRED,
    FaultKind.ACCESS_DENIED,
    FaultKind.UNAUTHENTICATED,
    FaultKind.UNRECOGNIZED_CLIENT,
    FaultKind.OPERATION_FAILURE,
    FaultKind.INVALID_INPUT,
    FaultKind.REGION_SETUP_IN_PROGRESS,
    FaultKind.OPT_IN_REQUIRED,
    FaultKind.REQUEST_EXPIRED,
    FaultKind.HANG,
]
REGIONS = ("us-east-1", "eu-west-1", "ap-southeast-3")


def some_faults(rng: random.Random, estate: Estate) -> list[Fault]:
    faults = []
    for _ in range(rng.randrange(1, 7)):
        place = (rng.choice(estate.accounts).id, rng.choice([None, *REGIONS]))
        page = rng.choice([None, 1, 2, 3])
        if rng.random() < 0.6:
            faults.append(Fault(rng.choice(PASSING), *place, page=page, times=1))
        else:
            faults.append(Fault(rng.choice(STAYING), *place, page=page))
    if rng.random() < 0.3:
        kind = rng.choice([FaultKind.ACCESS_DENIED, FaultKind.WRONG_ACCOUNT, FaultKind.HANG])
        faults.append(Fault(kind, rng.choice(estate.accounts).id, operation="AssumeRole"))
    return faults


@pytest.mark.parametrize("seed", range(15))
async def test_whatever_goes_wrong_each_planned_target_has_one_verdict_that_is_true(
    auditing: Auditing, estate_of: EstateMaker, seed: int
) -> None:
    rng = random.Random(seed)  # noqa: S311 -- repeatable, which is the point
    estate = estate_of(rng.randrange(2, 6), regions=REGIONS, seed=seed, records_per_target=15, page_size=5)
    faults = some_faults(rng, estate)
    options = RunOptions(
        deadline=timedelta(seconds=1.5), concurrency=rng.choice([1, 2, 16]), fail_on=None, min_coverage=0
    )

    seen = await auditing(estate, *faults, options=options)

    planned = {(account.id, region) for account in estate.accounts for region in REGIONS}
    assert len(seen.coverage) == len(planned)
    assert set(seen.reasons) == planned
    counted = Counter(line["verdict"] for line in seen.coverage)
    told = seen.run["totals"]["targets"]
    assert told.pop("planned") == sum(told.values()) == len(planned)
    assert {verdict: count for verdict, count in told.items() if count} == counted
    assert seen.run["totals"]["records"] == sum(line["records"] for line in seen.coverage)
    assert seen.run["totals"]["requests"] == sum(line["requests"] for line in seen.coverage)
    readable = len(planned) - counted["skipped"]
    assert seen.run["coverage_percent"] == (counted["complete"] * 100 // readable if readable else 0)
    assert seen.result.exit_code == 0  # nothing that was asked to count; and no bug
    enabled = {account.id: account.enabled_regions for account in estate.accounts}
    for line in seen.coverage:
        account, region = line["account_id"], line["region"]
        match line["verdict"]:
            case "complete":
                truth = {one for one in estate.truth if (one.account_id, one.region) == (account, region)}
                found = {one for one in seen.found if (one.account_id, one.region) == (account, region)}
                assert found == truth
                assert (line["records"], line["reason"]) == (15, None)
            case "partial":
                assert line["pages"] >= 1
                assert line["reason"]
            case "failed":
                assert (line["pages"], line["records"]) == (0, 0)
                assert line["reason"]
            case "skipped":
                off = region not in enabled[account]
                told_so = any(
                    fault.kind in (FaultKind.OPT_IN_REQUIRED, FaultKind.UNRECOGNIZED_CLIENT)
                    and fault.account == account
                    for fault in faults
                )
                assert region == "ap-southeast-3"
                assert off or told_so
    assert len({finding["finding_id"] for finding in seen.findings}) == len(seen.findings)
    assert len(asyncio.all_tasks()) == 1
