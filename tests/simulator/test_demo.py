from __future__ import annotations

from datetime import UTC, datetime

from auditor.policies import catalogue
from auditor.simulator.demo import REGIONS, demo_estate
from auditor.simulator.faults import FaultKind

NOW = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)


def test_a_newcomer_sees_findings_of_every_policy_in_what_can_be_read() -> None:
    estate, faults = demo_estate(NOW)
    unread = {fault.account for fault in faults if fault.times is None}
    seen = {policy for policy, account_id, *_ in estate.truth if account_id not in unread}
    assert seen == catalogue().keys() - {"disallowed-region"}  # which allows all, unless told otherwise


def test_gaps_and_survivals_of_each_kind_occur_and_the_rest_is_whole() -> None:
    estate, faults = demo_estate(NOW)
    assert len(estate.accounts) == 6
    assert estate.regions == REGIONS
    assert [fault.kind for fault in faults if fault.times is not None] == [
        FaultKind.THROTTLE,
        FaultKind.CUT_BODY,
    ]
    assert {fault.kind for fault in faults if fault.times is None} == {
        FaultKind.TOKEN_LOOP,
        FaultKind.ACCESS_DENIED,
        FaultKind.ACCOUNT_SETUP_IN_PROGRESS,
    }
    assert [fault.account for fault in faults if fault.operation == "AssumeRole"] == [estate.accounts[4].id]
    assert estate.accounts[5].id not in {fault.account for fault in faults}
    assert not estate.accounts[1].can_use("ap-southeast-3")


def test_every_fault_can_strike() -> None:
    estate, faults = demo_estate(NOW)
    by_id = {account.id: account for account in estate.accounts}
    for fault in faults:
        assert fault.account in by_id
        if fault.region is not None and fault.page is not None:
            account = by_id[fault.account]
            assert len(account.records[fault.region]) > (fault.page - 1) * account.page_size


def test_the_demo_is_the_same_every_time_and_dated_from_now() -> None:
    assert demo_estate(NOW) == demo_estate(NOW)
    later, _ = demo_estate(NOW.replace(year=2027))
    newest = max(r["createdAt"] for a in later.accounts for rs in a.records.values() for r in rs)
    assert newest > NOW.replace(month=12).timestamp()
