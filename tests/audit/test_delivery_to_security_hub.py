"""Whole runs that send to Security Hub in two accounts and two Regions: what is held where, and what is said of it."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from auditor.audit import RunOptions, audit
from auditor.cli.entry import auditor
from auditor.simulator.faults import Fault, FaultKind
from tests.delivery.hubs import ACTION, Hubs

if TYPE_CHECKING:
    from pathlib import Path

    from auditor.audit import Result
    from auditor.simulator.estate import Estate
    from tests.audit.conftest import Auditing, EstateMaker

HOME, REGION = "999988887777", "eu-west-1"
EXTRA = (
    "history: {}\ndestinations:\n"
    f'  hub: {{type: security-hub, account: "{HOME}", region: {REGION}, external_id: canary-of-the-role, drain: 20s}}\n'
)


@dataclass
class Night:
    """A run and what it left."""

    result: Result
    folder: Path
    run: dict[str, Any]
    findings: list[dict[str, Any]]

    @property
    def delivery(self) -> dict[str, Any]:
        (one,) = self.run["deliveries"]
        return dict(one)


@dataclass
class Nights:
    auditing: Auditing
    folder: Path
    monkeypatch: pytest.MonkeyPatch
    extra: str = EXTRA
    count: int = 0

    async def __call__(self, hubs: Hubs) -> Night:
        self.count += 1
        config = self.auditing.config(hubs.estate, self.extra)
        folder = self.folder / f"night-{self.count}"
        async with hubs.serve() as url:
            environ = {**hubs.environ, "AWS_ENDPOINT_URL": url, "AWS_EC2_METADATA_DISABLED": "true"}
            for name, value in environ.items():
                self.monkeypatch.setenv(name, value)
            result = await audit(config, RunOptions(folder=folder))
        lines = (folder / "findings.jsonl").read_text("utf-8").splitlines()
        run = json.loads((folder / "run.json").read_text("utf-8"))
        return Night(result, folder, run, [json.loads(line) for line in lines])


@pytest.fixture
def night(auditing: Auditing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Nights:
    return Nights(auditing, tmp_path, monkeypatch)


def hubs_of(estate: Estate, **how: Any) -> Hubs:
    return Hubs(estate, external_id="canary-of-the-role", home=HOME, **how)


async def test_findings_are_held_where_they_are_and_the_run_at_home(
    night: Nights, estate_of: EstateMaker, capfd: pytest.CaptureFixture[str]
) -> None:
    hubs = hubs_of(estate_of(2))
    first = await night(hubs)

    held = {(a, r, each["Id"]) for (a, r), hub in hubs.held.items() for each in hub.values() if a != HOME}
    assert held == {(each["account_id"], each["region"], each["finding_id"]) for each in first.findings}
    assert len({place[:2] for place in held}) == 4
    (of_run,) = hubs.findings(HOME, REGION).values()
    assert of_run["ProductFields"]["auditor/run_id"] == first.run["run_id"]
    assert 4 not in first.run["exit_conditions"]
    taken = len(first.findings) + 1
    expected = {
        "destination": "hub",
        "taken": taken,
        "refused": 0,
        "undeliverable": 0,
        "left": 0,
        "why": None,
    }
    assert first.delivery.items() >= expected.items()
    # Nothing of what opens an account stands anywhere.
    written = "".join(path.read_text("utf-8", "replace") for path in first.folder.iterdir())
    shown = "".join((written, *capfd.readouterr(), json.dumps([call.findings for call in hubs.calls])))
    assert "canary-of-the-role" not in shown
    assert not any(secret in shown for secret in hubs.secrets)


async def test_what_is_gone_the_next_night_is_archived_and_the_run_is_renewed(
    night: Nights, estate_of: EstateMaker
) -> None:
    estate = estate_of(2)
    hubs = hubs_of(estate)
    first = await night(hubs)
    (before,) = hubs.findings(HOME, REGION).values()
    emptied = tuple(replace(account, records={}) for account in estate.accounts)
    # The hubs stay what they are, and the records are gone.
    after = hubs_of(replace(estate, accounts=emptied), held=hubs.held)
    await night(after)

    (run,) = after.findings(HOME, REGION).values()
    assert (run["Id"], run["UpdatedAt"] > before["UpdatedAt"]) == (before["Id"], True)
    ends = {after.all[each["finding_id"]]["RecordState"] for each in first.findings}
    assert first.findings
    assert ends == {"ARCHIVED"}


async def test_an_account_that_can_not_be_entered_at_all_is_told_of_at_home_and_its_findings_wait(
    night: Nights, estate_of: EstateMaker
) -> None:
    estate = estate_of(2)
    here, there = (account.id for account in estate.accounts)
    hubs = hubs_of(estate, without_role={here})
    night.extra = EXTRA.replace("20s", "1s")
    first = await night(hubs)
    waiting = [each for each in first.findings if each["account_id"] == here]

    assert {account_id for account_id, _ in hubs.held} - {HOME} == {there}
    assert first.result.exit_code == 4
    # The run itself may have waited for them until the time was over.
    assert first.delivery["left"] >= len(waiting) > 0
    assert f"{here} " in first.result.conditions[0].text
    # Then nothing can be read there either: of this gap its account can't be told.
    denied = Fault(FaultKind.ACCESS_DENIED, here, operation="AssumeRole")
    night.extra = EXTRA.replace("20s", "2s")
    second = await night(hubs_of(estate, without_role={here}, faults_of_audit=(denied,), held=hubs.held))
    gaps = [
        each
        for each in hubs.findings(HOME, REGION).values()
        if each["GeneratorId"].startswith("auditor/coverage")
    ]
    assert {each["ProductFields"]["auditor/asked_as"] for each in gaps} == {here}
    assert second.delivery["undeliverable"] == 0
    # Once there is a role, all that waited arrives.
    night.extra = EXTRA
    third = await night(hubs_of(estate, held=hubs.held))
    assert 4 not in third.run["exit_conditions"]
    assert {each["finding_id"] for each in waiting} <= hubs.all.keys()


async def test_what_can_be_told_nowhere_is_counted_is_exit_4_and_is_not_there_the_next_night(
    night: Nights, estate_of: EstateMaker
) -> None:
    estate = estate_of(1)
    (here,) = (account.id for account in estate.accounts)
    denied = Fault(FaultKind.ACCESS_DENIED, here, operation="AssumeRole")
    hubs = hubs_of(estate, without_role={here}, faults_of_audit=(denied,), disabled={(HOME, REGION)})
    first = await night(hubs)

    assert hubs.held == {}
    told = first.delivery["undeliverable"]
    assert told >= 2  # the gaps of the account, and the run
    assert (first.delivery["refused"], first.delivery["left"]) == (told, 0)
    assert 4 in first.run["exit_conditions"]
    assert f"hub: {told} undeliverable, each in dead-letter.jsonl" in first.result.conditions[0].text
    letters = (first.folder / "dead-letter.jsonl").read_text("utf-8").splitlines()
    assert {json.loads(letter)["kind"] for letter in letters} == {"gap", "run"}
    second = await night(hubs_of(estate, held=hubs.held))
    assert (second.delivery["undeliverable"], second.delivery["left"]) == (0, 0)
    assert 4 not in second.run["exit_conditions"]


async def test_through_a_hub_no_role_is_assumed_without_it(night: Nights, estate_of: EstateMaker) -> None:
    hubs = hubs_of(estate_of(2, hub=True))
    seen = await night(hubs)

    assert 4 not in seen.run["exit_conditions"]
    assert hubs.findings(HOME, REGION)
    assert {form["RoleArn"].split(":")[4] for form in hubs.assumed} == {
        *(account.id for account in hubs.estate.accounts),
        HOME,
    }


async def test_what_auditor_iam_prints_is_what_is_called(
    night: Nights, estate_of: EstateMaker, tmp_path: Path
) -> None:
    hubs = hubs_of(estate_of(2))
    await night(hubs)
    arguments = ["iam", "--with-delivery", "security-hub", "--config", str(tmp_path / "accounts-0.yaml")]
    ended = CliRunner().invoke(auditor, arguments, standalone_mode=False)
    printed = json.loads(ended.stdout)

    (statement,) = printed["delivery"]["policy"]["Statement"]
    assert statement["Action"] == [ACTION]
    products = {each["ProductArn"] for call in hubs.calls for each in call.findings}
    assert products
    assert all(fnmatchcase(product, statement["Resource"]) for product in products)
    (may,) = (each for each in printed["base"]["policy"]["Statement"] if each["Sid"] == "AssumeDelivery")
    (roles,) = may["Resource"]
    assert all(fnmatchcase(form["RoleArn"], roles) for form in hubs.assumed)
    (trust,) = printed["delivery"]["trust"]["Statement"]
    assert (trust["Action"], "sts:ExternalId" in str(trust["Condition"])) == ("sts:AssumeRole", True)
    # Each session was narrowed to the same.
    policies = {form["Policy"] for form in hubs.assumed}
    assert [json.loads(policy)["Statement"][0]["Action"] for policy in policies] == [[ACTION]]
