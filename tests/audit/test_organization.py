"""An organisation is audited as it is read, and what could not be read of it is never passed over."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import boto3  # type: ignore[import-untyped]  # has no stubs here
import pytest
from moto.server import ThreadedMotoServer

from auditor.audit import RunOptions, audit, list_accounts
from auditor.aws.regions import lightsail_regions
from auditor.config import load_config
from auditor.errors import ConfigError, UsageError
from auditor.inventory import Filters
from auditor.model import ORGANIZATION_ACTIONS
from auditor.policies import catalogue
from auditor.simulator.estate import SimHub
from auditor.simulator.faults import Fault, FaultKind
from auditor.simulator.organizations import SimMember, SimOrganization, SimUnit
from auditor.simulator.server import serve_in_thread

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from auditor.config import Config
    from auditor.inventory import Inventory
    from auditor.simulator.estate import Estate
    from tests.audit.conftest import EstateMaker

UNITS = (
    SimUnit("ou-ab12-workload", "Workloads", "r-ab12"),
    SimUnit("ou-ab12-prod0000", "Prod", "ou-ab12-workload"),
    SimUnit("ou-ab12-payments", "Payments", "ou-ab12-prod0000"),
    SimUnit("ou-ab12-sandbox0", "Sandbox", "r-ab12"),
    SimUnit("ou-ab12-empty000", "Empty", "r-ab12"),
)


def organized(estate: Estate) -> Estate:
    """Five accounts: at the root, in Workloads, Prod, Payments, and Sandbox."""
    places = ("r-ab12", "ou-ab12-workload", "ou-ab12-prod0000", "ou-ab12-payments", "ou-ab12-sandbox0")
    accounts = tuple(replace(account, external_id=None) for account in estate.accounts)
    members = tuple(
        SimMember(account.id, f"team-{number}", places[number], tags={"env": ("dev", "prod")[number % 2]})
        for number, account in enumerate(accounts)
    )
    how: dict[str, Any] = {
        "management": estate.base.account_id,
        "members": members,
        "units": UNITS,
        "page_size": 2,
    }
    return replace(estate, accounts=accounts, organization=SimOrganization(**how))


def states(estate: Estate, *given: tuple[str | None, bool]) -> Estate:
    """Give the members these states, and say whether AWS says them the old way."""
    organization = estate.organization
    assert organization is not None
    members = tuple(
        replace(member, state=state, old_style=old)
        for member, (state, old) in zip(organization.members, given, strict=True)
    )
    return replace(estate, organization=replace(organization, members=members))


@dataclass
class Organizing:
    folder: Path
    monkeypatch: pytest.MonkeyPatch
    calls: list[Any]
    runs: int = 0
    all_sources: bool = False
    """Whether policies are known that need more than the records."""

    def config(self, text: str) -> Config:
        path = self.folder / "accounts.yaml"
        path.write_text(
            "version: 1\ndefaults: {role_name: LightsailExportAuditor, regions: [us-east-1]}\n" + text,
            "utf-8",
        )
        return load_config(
            path,
            policy_settings={
                policy_id: entry.settings_type
                for policy_id, entry in catalogue().items()
                if self.all_sources or not entry.policy.needs(entry.settings_type())
            },
            known_regions=lightsail_regions(),
            environ={},
        )

    async def accounts(self, estate: Estate, text: str, *faults: Fault) -> Inventory:
        config = self.config(text)
        with serve_in_thread(estate, faults=faults) as running:
            self.calls = running.calls
            for name, value in running.environ.items():
                self.monkeypatch.setenv(name, value)
            return await list_accounts(config)

    async def run(
        self, estate: Estate, text: str, *faults: Fault, filters: Filters | None = None
    ) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        config = self.config(text)
        self.runs += 1
        folder = self.folder / f"run-{self.runs}"
        with serve_in_thread(estate, faults=faults) as running:
            self.calls = running.calls
            for name, value in running.environ.items():
                self.monkeypatch.setenv(name, value)
            await audit(config, RunOptions(folder=folder, filters=filters or Filters(), fail_on=None))
        lines = (folder / "coverage.jsonl").read_text("utf-8").splitlines()
        return json.loads((folder / "run.json").read_text("utf-8")), [json.loads(line) for line in lines]

    def asked(self, operation: str) -> int:
        return sum(call.operation == operation for call in self.calls)


@pytest.fixture
def organizing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Organizing:
    return Organizing(tmp_path, monkeypatch, [])


@pytest.fixture
def estate(estate_of: EstateMaker) -> Estate:
    return organized(estate_of(5, regions=["us-east-1"], records_per_target=2, page_size=7))


async def test_every_account_of_the_organization_is_audited_without_a_list(
    organizing: Organizing, estate: Estate
) -> None:
    record, lines = await organizing.run(estate, "organization: {}\n")

    assert {(line["account_id"], line["verdict"]) for line in lines} == {
        (account.id, "complete") for account in estate.accounts
    }
    assert [line["account_name"] for line in lines] == [f"team-{number}" for number in range(5)]
    assert record["scope"]["accounts_from"] == "organization"
    assert record["scope"]["accounts_excluded"] == []
    assert record["scope"]["organization_gap"] is None
    assert organizing.asked("ListAccounts") == 3
    assert organizing.asked("ListRoots") == organizing.asked("ListTagsForResource") == 0


@pytest.mark.parametrize(
    ("chosen", "audited"),
    [
        ("include: {ous: [Root/Workloads]}", "123"),
        ("include: {ous: [Root/Workloads/Prod]}", "23"),
        ("include: {ous: [ou-ab12-payments]}", "3"),
        ("include: {ous: [Root]}", "01234"),
        ("include: {ous: [Root/Workloads]}, exclude: {ous: [Root/Workloads/Prod/Payments]}", "12"),
        ("include: {names: ['team-[02]']}", "02"),
        ("exclude: {names: ['*-4']}", "0123"),
        ("include: {tags: {env: prod}}", "13"),
        ("exclude: {tags: {env: [prod, other]}}", "024"),
        ("include: {tags: {env: '*'}}, exclude: {names: [team-0]}", "1234"),
        ("include: {names: [team-0], ous: [Root/Sandbox]}", "04"),
    ],
)
async def test_what_is_left_out_is_named_with_why(
    organizing: Organizing, estate: Estate, chosen: str, audited: str
) -> None:
    record, lines = await organizing.run(estate, f"organization: {{{chosen}}}\n")

    ids = [account.id for account in estate.accounts]
    assert sorted(line["account_id"] for line in lines) == sorted(ids[int(number)] for number in audited)
    left_out = record["scope"]["accounts_excluded"]
    # Existing = planned + named exclusions.
    assert {line["account_id"] for line in lines} | {one["id"] for one in left_out} == set(ids)
    assert all(one["why"].startswith(("excluded by ", "not included")) for one in left_out)


async def test_accounts_that_nobody_can_enter_are_skipped_in_sight_and_without_a_call(
    organizing: Organizing, estate: Estate
) -> None:
    estate = states(
        estate,
        ("SUSPENDED", True),
        ("CLOSED", False),
        ("PENDING_CLOSURE", True),
        ("PENDING_ACTIVATION", False),
        ("SOMETHING_NEW", False),
    )
    record, lines = await organizing.run(estate, "organization: {}\n")

    assert [(line["verdict"], line["reason"]) for line in lines] == [
        ("skipped", "account-suspended"),
        ("skipped", "account-suspended"),
        ("complete", None),
        ("complete", None),
        ("complete", None),
    ]
    assert record["coverage_percent"] == 100
    closed = {account.id for account in estate.accounts[:2]}
    assert not [call for call in organizing.calls if call.account_id in closed]


async def test_every_source_of_a_suspended_account_stands_in_the_ledger(
    organizing: Organizing, estate: Estate
) -> None:
    organizing.all_sources = True
    estate = states(estate, ("SUSPENDED", False), *(("ACTIVE", False),) * 4)
    record, lines = await organizing.run(estate, "organization: {}\n")

    closed = estate.accounts[0].id
    sources = {line["source"] for line in lines if line["account_id"] != closed}
    skipped = [line for line in lines if line["account_id"] == closed]
    assert len(sources) > 1
    assert sorted(line["source"] for line in skipped) == sorted(sources)
    assert {(line["verdict"], line["reason"]) for line in skipped} == {("skipped", "account-suspended")}
    assert record["totals"]["targets"]["planned"] == 5 * len(sources)
    assert not [call for call in organizing.calls if call.account_id == closed]


async def test_an_account_in_both_is_audited_once_and_as_the_list_says(
    organizing: Organizing, estate: Estate
) -> None:
    first = estate.accounts[0].id
    text = (
        f'organization: {{exclude: {{names: [team-0, team-1]}}}}\naccounts: [{{id: "{first}", name: mine}}]\n'
    )
    found = await organizing.accounts(estate, text)

    assert [account.id for account in found.accounts].count(first) == 1
    assert found.accounts[0].name == "mine"
    assert found.comes_from[first] == "both"
    assert [one.id for one in found.excluded] == [estate.accounts[1].id]
    assert found.own == {account.id for account in estate.accounts}
    assert found.path_of[estate.accounts[3].id] == "Root/Workloads/Prod/Payments"


async def test_a_listed_account_that_is_suspended_is_skipped_too(
    organizing: Organizing, estate: Estate
) -> None:
    estate = states(estate, ("CLOSED", False), *(("ACTIVE", False),) * 4)
    text = f'organization: {{}}\naccounts: [{{id: "{estate.accounts[0].id}"}}]\n'
    record, lines = await organizing.run(estate, text)
    assert lines[0]["reason"] == "account-suspended"
    assert record["scope"]["accounts_from"] == "list and organization"


async def test_a_role_of_the_management_account_lists(organizing: Organizing, estate: Estate) -> None:
    manager = estate.accounts[0]
    assert estate.organization is not None
    estate = replace(estate, organization=replace(estate.organization, management=manager.id))
    text = f'organization: {{role_arn: "{manager.role_arn}"}}\n'
    _, lines = await organizing.run(estate, text)
    assert {line["verdict"] for line in lines} == {"complete"}
    assert {call.account_id for call in organizing.calls if call.operation == "ListAccounts"} == {manager.id}

    with pytest.raises(
        UsageError, match=r":3: the organization can't be read: organizations:ListAccounts: acc"
    ):
        await organizing.run(estate, "organization: {}\n")
    assert not (organizing.folder / "run-2").exists()


async def test_the_session_that_lists_is_for_nothing_else_and_is_given_by_the_hub(
    organizing: Organizing, estate: Estate
) -> None:
    manager, hub = estate.accounts[0], SimHub("999988887777")
    assert estate.organization is not None
    estate = replace(estate, hub=hub, organization=replace(estate.organization, management=manager.id))
    path = organizing.folder / "accounts.yaml"
    path.write_text(
        f'version: 1\ndefaults: {{role_name: LightsailExportAuditor, hub_role_arn: "{hub.role_arn}"}}\n'
        f'organization: {{role_arn: "{manager.role_arn}"}}\n',
        "utf-8",
    )
    config = load_config(path, policy_settings={}, known_regions=["us-east-1"], environ={})
    with serve_in_thread(estate) as running:
        for name, value in running.environ.items():
            organizing.monkeypatch.setenv(name, value)
        found = await list_accounts(config)

    assert [account.id for account in found.accounts] == [account.id for account in estate.accounts]
    assumed = [call for call in running.calls if call.operation == "AssumeRole"]
    assert [call.account_id for call in assumed] == [hub.account_id, manager.id]
    assert set(json.loads(assumed[1].form["Policy"])["Statement"][0]["Action"]) == set(ORGANIZATION_ACTIONS)
    assert assumed[1].access_key_id != assumed[0].access_key_id


@pytest.mark.parametrize(
    ("fault", "text", "told"),
    [
        (
            Fault(FaultKind.ACCESS_DENIED, operation="ListAccounts"),
            "{}",
            "organizations:ListAccounts: access-denied",
        ),
        (
            Fault(FaultKind.ACCESS_DENIED, operation="ListRoots"),
            "{include: {ous: [Root]}}",
            "organizations:ListRoots",
        ),
        (
            Fault(FaultKind.ACCESS_DENIED, operation="ListTagsForResource"),
            "{include: {tags: {env: '*'}}}",
            "allow organizations:ListTagsForResource to arn:aws:iam::",
        ),
        (Fault(FaultKind.TOKEN_LOOP, operation="ListAccounts"), "{}", "page-token-loop"),
        (Fault(FaultKind.MISSING_KEY, operation="ListAccounts"), "{}", "bad-response"),
    ],
    ids=lambda value: value.kind if isinstance(value, Fault) else None,
)
async def test_an_organization_that_cannot_be_read_is_the_end_or_beside_a_list_a_gap(
    organizing: Organizing, estate: Estate, fault: Fault, text: str, told: str
) -> None:
    with pytest.raises(UsageError) as raised:
        await organizing.accounts(estate, f"organization: {text}\n", fault)
    assert told in str(raised.value)

    listed = f'organization: {text}\naccounts: [{{id: "{estate.accounts[0].id}"}}]\n'
    record, lines = await organizing.run(estate, listed, fault)
    assert [(line["source"].partition(":")[0], line["verdict"]) for line in lines] == [
        ("organizations", "failed"),
        ("lightsail", "complete"),
    ]
    assert lines[0]["account_id"] == estate.base.account_id
    assert record["coverage_percent"] == 50
    assert record["exit_code"] == 3
    assert record["totals"]["accounts"] == 1
    assert record["scope"]["organization_gap"]["source"] == lines[0]["source"]
    assert record["scope"]["organization_gap"]["reason"] == lines[0]["reason"]


async def test_empty_pages_and_throttling_are_gone_through(organizing: Organizing, estate: Estate) -> None:
    found = await organizing.accounts(
        estate,
        "organization: {}\n",
        Fault(FaultKind.EMPTY_PAGE, operation="ListAccounts", page=1, times=1),
        Fault(FaultKind.THROTTLE, operation="ListAccounts", times=2),
    )
    assert [account.id for account in found.accounts] == [account.id for account in estate.accounts]


@pytest.mark.parametrize(
    ("chosen", "told"),
    [
        ("{ous: [Root/Worklods]}", "'Root/Worklods' does not exist; write Root/Workloads"),
        ("{ous: [Prod/Payments]}", "does not exist; write Root/Workloads/Prod/Payments"),
        ("{ous: [Root/Empty]}", "no account is in organizational unit 'Root/Empty'"),
        ("{names: [teem-1]}", "is called 'teem-1'; write team-1"),
        ("{tags: {env: qa}}", "has the tag 'env: qa'"),
        ("{tags: {owner: '*'}}", "has the tag 'owner: *'"),
        ('{accounts: ["000000000000"]}', "account '000000000000' is not in the organization"),
    ],
)
async def test_a_filter_that_matches_nothing_is_refused_with_its_line(
    organizing: Organizing, estate: Estate, chosen: str, told: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        await organizing.accounts(estate, f"organization:\n  include: {chosen}\n")
    (problem,) = raised.value.problems
    assert told in problem.text
    assert problem.line == 4


async def test_an_account_that_is_found_can_be_chosen_and_one_left_out_can_not(
    organizing: Organizing, estate: Estate
) -> None:
    last = estate.accounts[4].id
    record, lines = await organizing.run(estate, "organization: {}\n", filters=Filters(accounts=(last,)))
    assert [line["account_id"] for line in lines] == [last]
    assert len(record["scope"]["accounts_not_planned"]) == 4

    with pytest.raises(UsageError, match=f"--account {last}: is left out by .*: excluded by names: team-4"):
        await organizing.run(
            estate, "organization: {exclude: {names: [team-4]}}\n", filters=Filters(accounts=(last,))
        )


async def test_five_thousand_accounts_take_their_pages_and_no_call_more(
    organizing: Organizing, estate: Estate
) -> None:
    members = tuple(SimMember(f"{number:012d}", f"a-{number}", "r-ab12") for number in range(5_000))
    assert estate.organization is not None
    estate = replace(estate, organization=replace(estate.organization, members=members, page_size=20))
    config = organizing.config("organization: {include: {names: ['a-*']}}\n")
    with serve_in_thread(estate) as running:
        for name, value in running.environ.items():
            organizing.monkeypatch.setenv(name, value)
        folder = organizing.folder / "many"
        chosen = Filters(accounts=("000000004999",))
        await audit(config, RunOptions(folder=folder, filters=chosen))
    operations = [call.operation for call in running.calls]
    assert operations.count("ListAccounts") == 250
    assert {name for name in operations if name.startswith("List")} == {"ListAccounts"}


@pytest.fixture
def moto() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


async def test_somebody_elses_organizations_are_read(
    organizing: Organizing, moto: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = {"aws_access_key_id": "AKIAEXAMPLEEXAMPLE00", "aws_secret_access_key": "secret"}
    client = boto3.client("organizations", "us-east-1", endpoint_url=moto, **keys)
    client.create_organization(FeatureSet="ALL")
    root = client.list_roots()["Roots"][0]["Id"]
    unit = client.create_organizational_unit(ParentId=root, Name="Workloads")["OrganizationalUnit"]["Id"]
    ids = []
    for number in range(25):
        created = client.create_account(AccountName=f"made-{number}", Email=f"{number}@example.com")
        ids.append(created["CreateAccountStatus"]["AccountId"])
    for account in ids[:2]:
        client.move_account(AccountId=account, SourceParentId=root, DestinationParentId=unit)
    client.tag_resource(ResourceId=ids[5], Tags=[{"Key": "env", "Value": "prod"}])
    client.close_account(AccountId=ids[1])
    client.close()
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto)
    for name, value in keys.items():
        monkeypatch.setenv(name.upper(), value)

    everything = await list_accounts(organizing.config("organization: {}\n"))
    assert {account.id for account in everything.accounts} >= set(ids)
    assert everything.path_of[ids[0]] == "Root/Workloads"
    chosen = await list_accounts(
        organizing.config("organization: {include: {ous: [Root/Workloads], tags: {env: prod}}}\n")
    )
    assert [account.id for account in chosen.accounts] == [ids[0], ids[1], ids[5]]
    assert chosen.suspended.keys() == {ids[1]}
