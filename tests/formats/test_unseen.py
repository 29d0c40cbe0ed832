from __future__ import annotations

from auditor.formats.gaps import gaps
from auditor.formats.unseen import Unseen
from tests.formats.made import ACCEPTED, COVERAGE, FAILED, GAPS, START, SUBSET, UNJUDGED, coverage_line


def added_up(*lines: dict[str, object], subset: bool = False) -> Unseen:
    unseen = Unseen()
    for gap in gaps(SUBSET if subset else START, lines):
        unseen.add(gap)
    return unseen


def test_one_account_and_one_reason_are_one_group() -> None:
    lines = [coverage_line(**FAILED | {"region": f"r-{number}"}) for number in range(19)]
    (group,) = added_up(*lines).groups()
    assert (group.count, group.why, group.more) == (19, "role-not-assumable (AccessDenied)", " and 18 more")


def test_accounts_reasons_policies_and_who_accepted_are_told_apart() -> None:
    unseen = added_up(
        FAILED,
        FAILED | {"account_id": "777788889999"},
        FAILED | {"reason": "throttled"},
        UNJUDGED,
        UNJUDGED | {"unjudged": {"public-export": 1}},
        ACCEPTED,
        ACCEPTED | {"accepted": None},
    )
    assert [group.count for group in unseen.groups()] == [1] * 7
    assert unseen.gaps == 7


def test_a_group_has_the_same_id_in_every_run_and_no_other_has_it() -> None:
    first = [group.group_id for group in added_up(*COVERAGE).groups()]
    again = [group.group_id for group in added_up(*reversed(COVERAGE)).groups()]
    assert sorted(first) == sorted(again)
    assert len(set(first)) == GAPS


def test_a_subset_is_told_and_is_no_gap_of_a_target() -> None:
    unseen = added_up(subset=True)
    assert unseen.gaps == 0
    assert [group.first.kind for group in unseen.groups()] == ["subset"]
