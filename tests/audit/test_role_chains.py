"""The hub, tags, the source identity and the session policy, as STS and the accounts see them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import structlog
from structlog.testing import capture_logs

from auditor.audit import RunOptions
from auditor.errors import UsageError
from auditor.simulator.faults import Fault, FaultKind

if TYPE_CHECKING:
    from auditor.simulator.endpoint import Call
    from auditor.simulator.estate import Estate
    from tests.audit.conftest import Audited, Auditing, EstateMaker

READ = "lightsail:GetExportSnapshotRecords"


def assumed(seen: Audited, account: str) -> list[Call]:
    return [call for call in seen.calls if call.operation == "AssumeRole" and call.account_id == account]


def hub_of(estate: Estate) -> str:
    assert estate.hub is not None
    return estate.hub.account_id


class Defaults:
    """An estate whose configuration says more under defaults."""

    def __init__(self, estate: Estate, *lines: str) -> None:
        self._estate = estate
        self._lines = lines

    def accounts_yaml(self) -> str:
        return self._estate.accounts_yaml().replace(
            "defaults:\n", "defaults:\n" + "".join(f"  {line}\n" for line in self._lines)
        )

    def __getattr__(self, name: str) -> object:
        return getattr(self._estate, name)


def saying(estate: Estate, *lines: str) -> Estate:
    return Defaults(estate, *lines)  # type: ignore[return-value]  # all of it but for its configuration


async def test_a_hub_is_assumed_once_and_every_role_with_its_credentials(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    estate = estate_of(5, hub=True)
    # Slow answers, so that all accounts ask for the hub while it is being assumed.
    slow = Fault(FaultKind.LATENCY, operation="AssumeRole", seconds=0.1)

    seen = await auditing(estate, slow)

    assert set(seen.reasons.values()) == {("complete", None)}
    assert seen.found == estate.truth
    (hub,) = assumed(seen, hub_of(estate))
    assert hub.access_key_id == estate.base.access_key
    members = [call for account in estate.accounts for call in assumed(seen, account.id)]
    assert len(members) == 5
    (key,) = {call.access_key_id for call in members}
    assert key != estate.base.access_key


async def test_roles_that_trust_the_hub_alone_are_not_to_be_had_without_it(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    estate = estate_of(2, hub=True)
    assert estate.hub is not None

    class Direct(Defaults):
        def accounts_yaml(self) -> str:
            lines = estate.accounts_yaml().splitlines()
            return "\n".join(line for line in lines if "hub_" not in line) + "\n"

    seen = await auditing(Direct(estate))  # type: ignore[arg-type]  # as above

    assert set(seen.reasons.values()) == {("failed", "role-not-assumable")}


@pytest.mark.parametrize("wrong", ["hub_external_id", "hub_role_arn"])
async def test_a_hub_that_is_refused_ends_the_run_before_anything_is_written(
    auditing: Auditing, estate_of: EstateMaker, wrong: str
) -> None:
    estate = estate_of(2, hub=True)
    assert estate.hub is not None
    right = {"hub_external_id": str(estate.hub.external_id), "hub_role_arn": "role/AuditHub"}[wrong]
    arn = (
        estate.hub.role_arn
        if wrong == "hub_external_id"
        else estate.hub.role_arn.replace("AuditHub", "Other")
    )

    class Wrong(Defaults):
        def accounts_yaml(self) -> str:
            other = {"hub_external_id": "hub-canary-4711", "hub_role_arn": "role/Other"}[wrong]
            return estate.accounts_yaml().replace(right, other)

    with pytest.raises(UsageError) as caught:
        await auditing(Wrong(estate))  # type: ignore[arg-type]  # as above

    told = str(caught.value)
    assert told.startswith(
        f"the hub role {arn} can't be assumed: AccessDenied: User: {estate.base.arn} is not"
    )
    assert f"allow the base credentials sts:AssumeRole on {arn}" in told
    assert "canary" not in told
    assert not (auditing.folder / "run-1").exists()


async def test_a_hub_of_another_account_than_was_named_ends_the_run(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    estate = estate_of(1, hub=True)
    other = estate.accounts[0].id
    fault = Fault(FaultKind.WRONG_ACCOUNT, hub_of(estate), operation="AssumeRole", to_account=other)
    with pytest.raises(UsageError, match=rf"can't be assumed: wrong-account: .* is of account {other}"):
        await auditing(estate, fault)
    assert not (auditing.folder / "run-1").exists()


async def test_an_sts_that_stumbles_over_the_hub_at_the_start_is_asked_again(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    estate = estate_of(2, hub=True)
    fault = Fault(FaultKind.SERVICE_ERROR, hub_of(estate), operation="AssumeRole", times=6)

    seen = await auditing(estate, fault)

    assert set(seen.reasons.values()) == {("complete", None)}
    assert len(assumed(seen, hub_of(estate))) == 7


async def test_a_hub_s_session_that_ends_during_the_run_is_refreshed(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    estate = estate_of(2, hub=True, regions=["us-east-1"], records_per_target=24, page_size=1)

    seen = await auditing(estate, Fault(FaultKind.LATENCY, seconds=0.35), credential_lifetime=3)

    assert seen.found == estate.truth
    assert set(seen.reasons.values()) == {("complete", None)}
    assert len(assumed(seen, hub_of(estate))) >= 2


async def test_a_hub_that_is_lost_later_is_a_gap_of_the_accounts_that_still_need_it(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    estate = estate_of(3, hub=True, regions=["us-east-1"])
    first, *others = (account.id for account in estate.accounts)
    hub = hub_of(estate)

    # By then STS calls the hub's session expired, and does not give another.
    seen = await auditing(
        estate,
        *(Fault(FaultKind.EXPIRED, other, operation="AssumeRole", times=1) for other in others),
        Fault(FaultKind.ACCESS_DENIED, hub, operation="AssumeRole", spares=1),
        options=RunOptions(concurrency=1),
    )

    assert seen.reasons[first, "us-east-1"] == ("complete", None)
    for other in others:
        line = seen.line(other, "us-east-1")
        assert (line["verdict"], line["reason"]) == ("failed", "role-not-assumable")
        assert "role/AuditHub" in line["error_message"]


async def test_a_session_of_the_hub_that_sts_calls_expired_is_assumed_again_once(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    estate = estate_of(2, hub=True, regions=["us-east-1"])
    survives, stays = (account.id for account in estate.accounts)

    seen = await auditing(
        estate,
        Fault(FaultKind.EXPIRED, survives, operation="AssumeRole", times=1),
        Fault(FaultKind.EXPIRED, stays, operation="AssumeRole"),
        options=RunOptions(concurrency=1),
    )

    assert seen.reasons[survives, "us-east-1"] == ("complete", None)
    assert seen.reasons[stays, "us-east-1"] == ("failed", "expired-credentials")
    assert [len(assumed(seen, account)) for account in (survives, stays)] == [2, 2]
    assert len(assumed(seen, hub_of(estate))) == 3


async def test_a_role_behind_a_hub_is_asked_for_an_hour_from_the_first_and_told_of_once(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    estate = estate_of(4, hub=True, max_session_duration=43_200)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("warning"))

    with capture_logs() as logs:
        seen = await auditing(saying(estate, "session_duration: 4h"))

    assert set(seen.reasons.values()) == {("complete", None)}
    asked = {call.form["DurationSeconds"] for call in seen.calls if call.operation == "AssumeRole"}
    assert asked == {"3600"}
    told = [entry for entry in logs if "1h" in entry["event"]]
    assert [(entry["log_level"], entry["asked_s"]) for entry in told] == [("warning", 14_400)]


async def test_a_shorter_session_behind_a_hub_stays_as_it_is(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    seen = await auditing(saying(estate_of(1, hub=True), "session_duration: 15m"))
    assert {call.form["DurationSeconds"] for call in seen.calls if call.operation == "AssumeRole"} == {"900"}


@pytest.mark.parametrize("hub", [True, False], ids=["hub", "no hub"])
async def test_every_session_carries_its_tags_and_its_source_identity(
    auditing: Auditing, estate_of: EstateMaker, *, hub: bool
) -> None:
    estate = estate_of(2, hub=hub)

    seen = await auditing(
        saying(estate, "session_tags: {team: security, cost centre: '12'}", "source_identity: auditor@corp")
    )

    assert set(seen.reasons.values()) == {("complete", None)}
    forms = [call.form for call in seen.calls if call.operation == "AssumeRole"]
    assert len(forms) == 2 + hub
    for form in forms:
        assert (form["Tags.member.1.Key"], form["Tags.member.1.Value"]) == ("team", "security")
        assert (form["Tags.member.2.Key"], form["Tags.member.2.Value"]) == ("cost centre", "12")
        assert form["SourceIdentity"] == "auditor@corp"


@pytest.mark.parametrize(
    ("line", "action"),
    [("session_tags: {team: a}", "sts:TagSession"), ("source_identity: auditor", "sts:SetSourceIdentity")],
)
async def test_a_trust_that_does_not_allow_them_is_named_by_the_action_that_it_lacks(
    auditing: Auditing, estate_of: EstateMaker, line: str, action: str
) -> None:
    estate = estate_of(2, regions=["us-east-1"])
    lacking, right = estate.accounts
    trust = frozenset({"sts:AssumeRole"})
    estate = replace(estate, accounts=(replace(lacking, trust_actions=trust), right))

    seen = await auditing(saying(estate, line))

    told = seen.line(lacking.id, "us-east-1")
    assert (told["verdict"], told["reason"]) == ("failed", "role-not-assumable")
    assert f"not authorized to perform: {action} on resource: {lacking.role_arn}" in told["error_message"]
    assert seen.reasons[right.id, "us-east-1"] == ("complete", None)


async def test_every_session_is_narrowed_to_the_sources_of_the_run(
    auditing: Auditing, estate_of: EstateMaker
) -> None:
    estate = estate_of(2, hub=True)

    seen = await auditing(estate)

    called = {f"lightsail:{call.operation}" for call in seen.calls if call.page}
    for account in estate.accounts:
        (call,) = assumed(seen, account.id)
        (statement,) = json.loads(call.form["Policy"])["Statement"]
        assert set(statement["Action"]) >= called == {READ}
        assert (statement["Effect"], statement["Resource"]) == ("Allow", "*")
    (call,) = assumed(seen, hub_of(estate))
    (statement,) = json.loads(call.form["Policy"])["Statement"]
    assert statement["Action"] == ["sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"]


async def test_a_session_policy_can_be_left_out(auditing: Auditing, estate_of: EstateMaker) -> None:
    seen = await auditing(saying(estate_of(1, hub=True), "session_policy: false"))
    assert set(seen.reasons.values()) == {("complete", None)}
    assert [call for call in seen.calls if "Policy" in call.form] == []
