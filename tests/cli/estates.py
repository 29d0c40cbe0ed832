"""Small estates that several tests of the command line are about."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from auditor.simulator.estate import Estate, generate
from auditor.simulator.organizations import SimMember, SimOrganization, SimUnit

if TYPE_CHECKING:
    from auditor.simulator.faults import Fault
    from tests.cli.conftest import Serve, Served

OTHER = "000000000002"
"""The other account of an organisation."""


def three_accounts(**how: Any) -> Estate:
    """Return an estate of two Regions, one of them opt-in."""
    return generate(
        7,
        accounts=3,
        regions=("ap-southeast-3", "us-east-1"),
        now=datetime.now(UTC),
        records_per_target=2,
        **how,
    )


def changed(whole: Estate, number: int, **changes: Any) -> Estate:
    """Return the estate with other values in one account."""
    accounts = list(whole.accounts)
    accounts[number] = replace(accounts[number], **changes)
    return replace(whole, accounts=tuple(accounts))


def organized(serve: Serve, text: str, *faults: Fault) -> Served:
    """An estate whose one account is in an organisation, with another, and a configuration that ends so."""
    estate = serve(accounts=1).estate
    (account,) = estate.accounts
    members = (
        SimMember(account.id, "here", "ou-ab12-prod0000", tags={"env": "prod"}),
        SimMember(OTHER, "there", "r-ab12"),
    )
    units = (SimUnit("ou-ab12-prod0000", "Prod", "r-ab12"),)
    organization = SimOrganization(estate.base.account_id, members, units)
    # Accounts that are found are all asked with the defaults alone.
    found = replace(account, external_id=None)
    again = serve(*faults, estate=replace(estate, accounts=(found,), organization=organization))
    again.config.write_text(
        f"version: 1\ndefaults: {{role_name: {account.role_arn.rpartition('/')[2]}, regions: [us-east-1]}}\n"
        + text.replace("HERE", account.id).replace("BASE", estate.base.account_id),
        "utf-8",
    )
    return again
