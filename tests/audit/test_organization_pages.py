"""The pages of an organisation's listings: begun again once, never for ever, each account once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from auditor.audit import list_accounts
from auditor.config import load_config
from auditor.errors import UsageError
from auditor.simulator.faults import Fault, FaultKind
from auditor.simulator.organizations import SimMember, SimOrganization, SimUnit
from auditor.simulator.server import serve_in_thread

if TYPE_CHECKING:
    from pathlib import Path

    from auditor.inventory import Inventory
    from auditor.simulator.endpoint import Call
    from auditor.simulator.estate import Estate
    from tests.audit.conftest import EstateMaker

IDS = tuple(f"{number:012d}" for number in range(1, 6))
UNITS = tuple(SimUnit(f"ou-ab12-unit000{number}", f"Unit{number}", "r-ab12") for number in range(5))
LISTINGS = (
    "ListAccounts",
    "ListOrganizationalUnitsForParent",
    "ListAccountsForParent",
    "ListTagsForResource",
)
ACCOUNTS = "ListAccounts"


class Listing:
    """Lists the accounts of an organisation of five, two a page."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, estate: Estate) -> None:
        members = tuple(
            SimMember(one, f"team-{one}", "r-ab12", tags={"a": "1", "b": "2", "c": "3"}) for one in IDS
        )
        manager = estate.base.account_id
        organization = SimOrganization(manager, members, UNITS, page_size=2)
        self.estate = replace(estate, organization=organization)
        self.calls: list[Call] = []
        self._folder, self._monkeypatch = folder, monkeypatch

    async def __call__(self, *faults: Fault, text: str = "{include: {tags: {a: '1'}}}") -> Inventory:
        path = self._folder / "accounts.yaml"
        path.write_text(f"version: 1\ndefaults: {{role_name: R}}\norganization: {text}\n", "utf-8")
        config = load_config(path, policy_settings={}, known_regions=["us-east-1"], environ={})
        with serve_in_thread(self.estate, faults=faults) as running:
            self.calls = running.calls
            for name, value in running.environ.items():
                self._monkeypatch.setenv(name, value)
            return await list_accounts(config)

    def pages(self, operation: str) -> list[int | None]:
        return [call.page for call in self.calls if call.operation == operation]


@pytest.fixture
def listing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, estate_of: EstateMaker) -> Listing:
    return Listing(tmp_path, monkeypatch, estate_of(1, regions=["us-east-1"], records_per_target=1))


@pytest.mark.parametrize("operation", LISTINGS)
async def test_a_rejected_token_begins_the_listing_again_and_each_account_comes_once(
    listing: Listing, operation: str
) -> None:
    found = await listing(Fault(FaultKind.TOKEN_REJECTED, operation=operation, times=1, spares=0))
    assert [account.id for account in found.accounts] == list(IDS)
    assert {found.path_of[one] for one in IDS} == {"Root"}
    assert listing.pages(operation)[:3] != [1, 2, 3]


async def test_it_begins_with_the_first_page_and_goes_on_to_the_last(listing: Listing) -> None:
    await listing(Fault(FaultKind.TOKEN_REJECTED, operation=ACCOUNTS, page=3, times=1))
    assert listing.pages(ACCOUNTS) == [1, 2, 3, 1, 2, 3]
    rejected = [call.error for call in listing.calls if call.operation == ACCOUNTS]
    assert rejected == [None, None, "InvalidInputException", None, None, None]


async def test_a_token_that_is_rejected_again_is_the_end(listing: Listing) -> None:
    with pytest.raises(UsageError) as raised:
        await listing(Fault(FaultKind.TOKEN_REJECTED, operation=ACCOUNTS, page=2))
    told = "organizations:ListAccounts: page-token-rejected (InvalidInputException: You provided an invalid token.)"
    assert told in str(raised.value)
    assert listing.pages(ACCOUNTS) == [1, 2, 1, 2]


@pytest.mark.parametrize("operation", LISTINGS)
async def test_a_listing_that_leads_round_ends_and_says_which(listing: Listing, operation: str) -> None:
    text = "{include: {tags: {a: '1'}, ous: [Root]}}"
    with pytest.raises(UsageError) as raised:
        await listing(Fault(FaultKind.TOKEN_LOOP, operation=operation), text=text)
    assert f"organizations:{operation}: page-token-loop" in str(raised.value)
    assert len(listing.pages(operation)) <= 3 * 4  # the tags of four accounts are asked for at once


@pytest.mark.parametrize("operation", LISTINGS)
async def test_an_empty_page_with_a_token_has_others_after_it(listing: Listing, operation: str) -> None:
    found = await listing(Fault(FaultKind.EMPTY_PAGE, operation=operation))
    assert [account.id for account in found.accounts] == list(IDS)
    assert {found.path_of[one] for one in IDS} == {"Root"}


async def test_too_many_requests_are_tried_as_often_as_every_call_and_then_said(listing: Listing) -> None:
    found = await listing(Fault(FaultKind.THROTTLE, operation=ACCOUNTS, page=2, times=3))
    assert [account.id for account in found.accounts] == list(IDS)
    assert listing.pages(ACCOUNTS) == [1, 2, 2, 2, 2, 3]

    with pytest.raises(
        UsageError, match=r"ListAccounts: throttled .TooManyRequestsException: Rate exceeded."
    ):
        await listing(Fault(FaultKind.THROTTLE, operation=ACCOUNTS, page=2))
    assert listing.pages(ACCOUNTS) == [1, *[2] * 6]


async def test_a_delegated_administrator_lists_and_one_that_is_none_is_told_the_action(
    listing: Listing, estate_of: EstateMaker
) -> None:
    other = replace(estate_of(1).accounts[0], external_id=None)
    organization = listing.estate.organization
    assert organization is not None
    delegated = replace(organization, management="999988887777", delegated=frozenset({other.id}))
    listing.estate = replace(listing.estate, accounts=(other,), organization=delegated)
    text = f'{{role_arn: "{other.role_arn}"}}'

    found = await listing(text=text)

    assert [account.id for account in found.accounts] == list(IDS)
    assert {call.account_id for call in listing.calls if call.operation == ACCOUNTS} == {other.id}

    listing.estate = replace(listing.estate, organization=replace(delegated, delegated=frozenset()))
    with pytest.raises(UsageError) as raised:
        await listing(text=text)
    assert f"allow organizations:ListAccounts to {other.role_arn}, in the management account" in str(
        raised.value
    )
    assert "or a delegated administrator's" in str(raised.value)
