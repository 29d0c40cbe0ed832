"""An account's own word on its Regions, in whole runs: account:ListRegions, over real sockets."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

import auditor
from auditor.audit import RunOptions
from auditor.model import EXPORT_RECORDS
from auditor.simulator.faults import Fault, FaultKind
from auditor.simulator.server import serve_in_thread

if TYPE_CHECKING:
    from pathlib import Path

    from auditor.simulator.estate import Estate, SimAccount
    from tests.audit.conftest import Audited, Auditing, EstateMaker

HOME, OPT_IN, OTHER_OPT_IN = "us-east-1", "ap-southeast-3", "eu-south-2"
SKIPPED, DENIED, WHOLE = ("skipped", "region-not-enabled"), ("failed", "access-denied"), ("complete", None)
AS_FOUND = RunOptions(fail_on=None)


def saying(estate: Estate, number: int, **changes: Any) -> Estate:
    """The estate, one account of which is another."""
    accounts = list(estate.accounts)
    accounts[number] = replace(accounts[number], **changes)
    return replace(estate, accounts=tuple(accounts))


def asked(
    seen: Audited, account: SimAccount, operation: str = "ListRegions"
) -> list[tuple[str | None, int | None]]:
    """Where an account was asked, and with what status it answered."""
    return [
        (call.region, call.status)
        for call in seen.calls
        if (call.operation, call.account_id) == (operation, account.id)
    ]


async def test_a_region_is_off_by_the_accounts_own_word_and_no_other_proof_is_asked_for(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    estate = estate_of(2, regions=[OPT_IN, OTHER_OPT_IN])
    on, off = estate.accounts

    seen = await auditing(estate, options=AS_FOUND)

    assert seen.reasons == {
        (on.id, OPT_IN): WHOLE,
        (on.id, OTHER_OPT_IN): WHOLE,
        (off.id, OPT_IN): SKIPPED,
        (off.id, OTHER_OPT_IN): SKIPPED,
    }
    line = seen.line(off.id, OPT_IN)
    assert (line["error_code"], line["requests"], line["pages"]) == ("UnrecognizedClientException", 1, 0)
    assert seen.run["coverage_percent"] == 100
    # Once an account, in two pages, where the service is; and only where a Region refused.
    assert asked(seen, off) == [(HOME, 200), (HOME, 200)]
    assert asked(seen, on) == []
    assert asked(seen, off, "GetCallerIdentity") == []


@pytest.mark.parametrize(
    "refused", [FaultKind.ACCESS_DENIED, FaultKind.OPT_IN_REQUIRED, FaultKind.UNRECOGNIZED_CLIENT]
)
async def test_a_region_that_is_on_and_refuses_is_a_gap_whatever_it_says(
    auditing: Auditing, estate_of: EstateMaker, refused: FaultKind
) -> None:
    estate = estate_of(1, regions=[HOME, OPT_IN])
    (account,) = estate.accounts

    seen = await auditing(estate, Fault(refused, account.id, OPT_IN), options=AS_FOUND)

    # As where a service control policy denies the Region: the key is good in the other one.
    assert seen.reasons == {(account.id, HOME): WHOLE, (account.id, OPT_IN): DENIED}
    assert {status for _, status in asked(seen, account)} == {200}
    assert seen.run["coverage_percent"] == 50
    assert seen.result.exit_code == 3


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        ("DISABLED", SKIPPED),
        ("DISABLING", SKIPPED),
        ("ENABLING", DENIED),
        ("ENABLED", DENIED),
        ("NEW_WORD", DENIED),
    ],
)
async def test_each_status_is_held_to_what_it_says_of_a_region_that_denies(
    auditing: Auditing, estate_of: EstateMaker, status: str, verdict: tuple[str, str]
) -> None:
    estate = saying(estate_of(1, regions=[HOME, OPT_IN]), 0, region_statuses={OPT_IN: status})
    account = estate.accounts[0].id

    seen = await auditing(estate, Fault(FaultKind.ACCESS_DENIED, account, OPT_IN), options=AS_FOUND)

    # AccessDenied alone proves nothing of a Region: without the account's word it stays what it is.
    assert seen.reasons == {(account, HOME): WHOLE, (account, OPT_IN): verdict}


async def test_a_region_that_answers_is_audited_whatever_the_account_says_of_it(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    estate = saying(estate_of(1, regions=[HOME, OPT_IN]), 0, region_statuses={OPT_IN: "DISABLED"})

    seen = await auditing(estate, options=AS_FOUND)

    assert {*seen.reasons.values()} == {WHOLE}
    assert seen.found == estate.truth
    assert asked(seen, estate.accounts[0]) == []


async def test_a_role_that_may_not_ask_falls_back_on_its_key_being_good_elsewhere(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    estate = estate_of(2, regions=[OPT_IN])
    _, off = estate.accounts
    may = frozenset({EXPORT_RECORDS, "lightsail:GetRegions"})
    estate = saying(estate, 1, role_actions=may)

    seen = await auditing(estate, options=AS_FOUND)

    assert seen.reasons[off.id, OPT_IN] == SKIPPED
    assert asked(seen, off) == [(HOME, 403)]
    assert [status for _, status in asked(seen, off, "GetCallerIdentity")] == [200]


@pytest.mark.parametrize(
    "fault",
    [
        Fault(FaultKind.SERVICE_ERROR, operation="ListRegions"),
        Fault(FaultKind.MISSING_KEY, operation="ListRegions", page=2),
    ],
    ids=lambda fault: fault.kind,
)
async def test_half_a_word_is_none_and_other_evidence_decides(
    auditing: Auditing, estate_of: EstateMaker, fault: Fault
) -> None:
    estate = estate_of(2, regions=[OPT_IN])
    _, off = estate.accounts

    seen = await auditing(estate, fault, options=AS_FOUND)

    assert seen.reasons[off.id, OPT_IN] == SKIPPED
    assert len(asked(seen, off)) >= 6  # it was tried as every call is
    assert [status for _, status in asked(seen, off, "GetCallerIdentity")] == [200]


async def test_a_throttled_word_is_waited_for_and_empty_pages_have_others_after_them(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    estate = estate_of(2, regions=[OPT_IN])
    _, off = estate.accounts

    seen = await auditing(
        estate,
        Fault(FaultKind.THROTTLE, operation="ListRegions", times=2),
        Fault(FaultKind.EMPTY_PAGE, operation="ListRegions", page=1),
        options=AS_FOUND,
    )

    assert [status for _, status in asked(seen, off)] == [429, 429, 200, 200, 200]
    assert seen.reasons[off.id, OPT_IN] == SKIPPED
    assert asked(seen, off, "GetCallerIdentity") == []


async def test_pages_that_lead_round_end(auditing: Auditing, estate_of: EstateMaker) -> None:
    estate = estate_of(2, regions=[OPT_IN])
    _, off = estate.accounts

    seen = await auditing(estate, Fault(FaultKind.TOKEN_LOOP, operation="ListRegions"), options=AS_FOUND)

    assert seen.reasons[off.id, OPT_IN] == SKIPPED
    assert len(asked(seen, off)) == 3


async def test_a_program_gets_the_same_ledger(
    estate_of: EstateMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    estate = estate_of(2, regions=[HOME, OPT_IN])
    on, off = (account.id for account in estate.accounts)
    path = tmp_path / "estate.yaml"
    path.write_text(estate.accounts_yaml(), "utf-8")

    with serve_in_thread(estate, faults=[Fault(FaultKind.UNRECOGNIZED_CLIENT, on, OPT_IN)]) as running:
        for name, value in running.environ.items():
            monkeypatch.setenv(name, value)
        result = await auditor.run(auditor.load_config(path), auditor.RunOptions(folder=tmp_path / "run"))

    lines = [
        json.loads(line) for line in (tmp_path / "run" / "coverage.jsonl").read_text("utf-8").splitlines()
    ]
    assert {(line["account_id"], line["region"]): (line["verdict"], line["reason"]) for line in lines} == {
        (on, HOME): WHOLE,
        (on, OPT_IN): DENIED,
        (off, HOME): WHOLE,
        (off, OPT_IN): SKIPPED,
    }
    assert [(gap.target.account.id, gap.target.region) for gap in result.gaps()] == [(on, OPT_IN)]
