"""`auditor accounts`: what would be audited, from where, and why the rest is not."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from auditor.simulator.faults import Fault, FaultKind
from auditor.simulator.organizations import SimMember, SimOrganization, SimUnit

if TYPE_CHECKING:
    from tests.cli.conftest import Auditor, Serve, Served

IDS = ("000000000001", "000000000002", "000000000003")


def organized(serve: Serve, text: str, *faults: Fault) -> Served:
    served = serve(accounts=1)
    unit = SimUnit("ou-ab12-prod0000", "Prod", "r-ab12")
    members = (
        SimMember(IDS[0], "plain", "ou-ab12-prod0000"),
        SimMember(IDS[1], "\x1b[2Jhostile", "r-ab12"),
        SimMember(IDS[2], "gone", "r-ab12", state="CLOSED"),
    )
    organization = SimOrganization(served.estate.base.account_id, members, (unit,))
    again = serve(*faults, estate=replace(served.estate, organization=organization))
    again.config.write_text(f"version: 1\ndefaults: {{role_name: R}}\n{text}", "utf-8")
    return again


def test_people_get_a_table_that_hides_nothing_and_obeys_nobody(auditor: Auditor, serve: Serve) -> None:
    served = organized(serve, "organization: {exclude: {names: ['*hostile']}}\n")
    ended = auditor("accounts", "-c", served.config)
    assert ended.code == 0
    assert "Root/Prod" in ended.out
    assert "\x1b" not in ended.out
    assert "1 account(s) would be audited, 2 not." in ended.out


def test_programs_get_each_account_with_why(auditor: Auditor, serve: Serve) -> None:
    served = organized(serve, "organization: {exclude: {ous: [Root/Prod]}}\n")
    ended = auditor("accounts", "-c", served.config, "--json")
    said = json.loads(ended.out)
    assert [(one["id"], one["audited"], one["from"]) for one in said["accounts"]] == [
        (IDS[1], True, "organization"),
        (IDS[2], False, "organization"),
        (IDS[0], False, "organization"),
    ]
    assert said["accounts"][1]["why_not"] == "account-suspended: AWS Organizations says CLOSED"
    assert said["accounts"][2]["why_not"] == "excluded by ous: Root/Prod (line 3)"


def test_an_organization_that_cannot_be_read_is_exit_2_or_beside_a_list_exit_3(
    auditor: Auditor, serve: Serve
) -> None:
    denied = Fault(FaultKind.ACCESS_DENIED, operation="ListAccounts")
    served = organized(serve, "organization: {}\n", denied)
    ended = auditor("accounts", "-c", served.config)
    assert ended.code == 2
    assert "allow organizations:ListAccounts to" in ended.err

    listed = organized(serve, f'organization: {{}}\naccounts: [{{id: "{IDS[0]}"}}]\n', denied)
    ended = auditor("accounts", "-c", listed.config, "--json")
    assert ended.code == 3
    assert json.loads(ended.out)["organization_gap"]["reason"] == "access-denied"


def test_without_an_organization_nobody_is_asked(auditor: Auditor, serve: Serve) -> None:
    served = serve(accounts=2)
    ended = auditor("accounts", "-c", served.config)
    assert ended.code == 0
    assert "2 account(s) would be audited, 0 not." in ended.out
    assert not served.calls
