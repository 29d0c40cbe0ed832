from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from auditor.config import Config, Limits, PolicySettings
from auditor.errors import UsageError
from auditor.inventory import Filters, make_plan
from auditor.model import EXPORT_RECORDS, Account

if TYPE_CHECKING:
    from auditor.inventory import Plan

REGIONS = ("us-east-1", "us-west-2", "eu-west-1", "eu-central-1")
ONE, TWO, THREE = "111111111111", "222222222222", "333333333333"


def account(account_id: str, *regions: str) -> Account:
    return Account(account_id, None, f"arn:aws:iam::{account_id}:role/R", None, "s", 3_600, regions)


def config(*accounts: Account, **enabled: bool) -> Config:
    policies = {name.replace("_", "-"): PolicySettings(enabled=on) for name, on in enabled.items()}
    return Config(accounts, policies, Limits(), "accounts.yaml", "digest")


ESTATE = config(
    account(ONE, "us-east-1", "eu-west-1", "us-west-2"),
    account(TWO, "eu-west-1"),
    account(THREE, "us-west-2", "us-east-1"),
    oversized_disk=True,
    stuck_export=True,
    switched_off=False,
)


def plan(estate: Config = ESTATE, **filters: tuple[str, ...]) -> Plan:
    return make_plan(estate, Filters(**filters), REGIONS, lambda _: (EXPORT_RECORDS,))


def pairs(made: Plan) -> list[tuple[str, str]]:
    return [(target.account.id, target.region) for target in made.targets]


def refused(estate: Config = ESTATE, **filters: tuple[str, ...]) -> str:
    with pytest.raises(UsageError) as caught:
        plan(estate, **filters)
    return str(caught.value)


def test_every_account_and_region_is_planned_once_interleaved_over_accounts() -> None:
    assert pairs(plan()) == [
        (ONE, "us-east-1"),
        (TWO, "eu-west-1"),
        (THREE, "us-west-2"),
        (ONE, "eu-west-1"),
        (THREE, "us-east-1"),
        (ONE, "us-west-2"),
    ]
    assert {target.source for target in plan().targets} == {EXPORT_RECORDS}


def test_a_policy_that_is_switched_off_does_not_judge() -> None:
    assert list(plan().policies) == ["oversized-disk", "stuck-export"]


def test_a_full_plan_says_that_it_is_one_and_what_is_known_beyond_it() -> None:
    assert plan().scope == {
        "kind": "full",
        "filters": {"policies": [], "accounts": [], "regions": []},
        "accounts_from": "list",
        "accounts_not_planned": [],
        "accounts_excluded": [],
        "organization_gap": None,
        "regions_not_planned": ["eu-central-1"],
        "regions_not_planned_everywhere": {"us-east-1": 1, "us-west-2": 1, "eu-west-1": 1},
    }


def test_accounts_can_be_chosen_and_the_others_are_told() -> None:
    made = plan(accounts=(THREE, TWO))
    assert pairs(made) == [(TWO, "eu-west-1"), (THREE, "us-west-2"), (THREE, "us-east-1")]
    assert made.scope["kind"] == "subset"
    assert made.scope["filters"] == {"policies": [], "accounts": [THREE, TWO], "regions": []}
    assert made.scope["accounts_not_planned"] == [ONE]


def test_regions_can_be_chosen_and_what_drops_out_by_it_is_told() -> None:
    made = plan(regions=("us-east-1",))
    assert pairs(made) == [(ONE, "us-east-1"), (THREE, "us-east-1")]
    assert made.scope["kind"] == "subset"
    assert made.scope["accounts_not_planned"] == [TWO]
    assert made.scope["regions_not_planned"] == ["us-west-2", "eu-west-1", "eu-central-1"]
    assert made.scope["regions_not_planned_everywhere"] == {}


def test_policies_can_be_chosen_and_the_targets_stay() -> None:
    made = plan(policies=("stuck-export",))
    assert list(made.policies) == ["stuck-export"]
    assert pairs(made) == pairs(plan())
    assert made.scope["kind"] == "subset"


def test_filters_that_name_everything_are_a_subset_still() -> None:
    made = plan(accounts=(ONE, TWO, THREE))
    assert pairs(made) == pairs(plan())
    assert made.scope["kind"] == "subset"


def test_a_name_that_is_given_twice_is_planned_once() -> None:
    assert pairs(plan(accounts=(TWO, TWO), regions=("eu-west-1", "eu-west-1"))) == [(TWO, "eu-west-1")]


def test_an_account_that_is_not_configured_is_refused_with_the_nearest() -> None:
    assert refused(accounts=("111111111112",)) == (
        "--account 111111111112: no such account of accounts.yaml; did you mean 111111111111?"
    )


def test_a_region_that_does_not_exist_is_refused_with_the_nearest() -> None:
    assert refused(regions=("eu-west-1", "us-est-1")) == (
        "--region us-est-1: no such Region of Lightsail; did you mean us-east-1?"
    )


def test_a_policy_that_does_not_exist_is_refused_with_the_nearest() -> None:
    assert refused(policies=("stuck-exports",)) == (
        "--policy stuck-exports: no such policy; did you mean stuck-export?"
    )


def test_where_nothing_is_near_nothing_is_guessed_and_nothing_is_shown_raw() -> None:
    assert refused(policies=("\x1b[2J",)) == r"--policy \x1b[2J: no such policy"


def test_all_policies_switched_off_is_refused() -> None:
    assert "no policy left" in refused(config(account(ONE, "us-east-1"), stuck_export=False))


def test_choosing_a_policy_that_is_switched_off_is_refused() -> None:
    assert "no policy left" in refused(policies=("switched-off",))


def test_a_filter_that_leaves_nothing_is_refused() -> None:
    assert "nothing to audit" in refused(accounts=(TWO,), regions=("us-east-1",))
    assert "nothing to audit" in refused(regions=("eu-central-1",))


def test_no_filter_is_false() -> None:
    assert not Filters()
    assert Filters(policies=("x",))
    assert Filters(accounts=("x",))
    assert Filters(regions=("x",))
