"""The doctor where every policy is on: EC2 and Lightsail's other lists are tried as well, each as a run would call it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from auditor.aws.sources import SOURCES
from auditor.simulator.faults import Fault, FaultKind
from auditor.simulator.organizations import SimMember, SimOrganization
from tests.cli.estates import changed, three_accounts

if TYPE_CHECKING:
    from auditor.simulator.estate import Estate
    from tests.cli.conftest import Auditor, Serve, Served

ACTIONS = sorted(SOURCES)
READ = "lightsail:GetExportSnapshotRecords"
SHARING = "policies:\n  public-export: {sharing: true}\n"
"""With which every source there is has a policy that needs it."""


def estate(**how: Any) -> Estate:
    return three_accounts(afterlife=True, **how)


def organized(whole: Estate, **how: Any) -> Estate:
    members = tuple(SimMember(account.id, f"team-{account.id}", "r-ab12") for account in whole.accounts)
    return replace(whole, organization=SimOrganization(whole.base.account_id, members, **how))


def everything(served: Served) -> Served:
    """Ask for all that a policy can need."""
    served.config.write_text(served.config.read_text("utf-8") + SHARING, "utf-8")
    return served


def organize(served: Served, *lines: str) -> None:
    """Leave the accounts to the organization, and keep what each session is asked for."""
    text = served.config.read_text("utf-8")
    head = text.partition("accounts:\n")[0]
    served.config.write_text(
        head
        + "  regions: [us-east-1]\norganization:"
        + ("\n  " + "\n  ".join(lines) if lines else " {}")
        + "\n",
        "utf-8",
    )


def test_all_sources_are_well_and_each_is_called_once_an_account(auditor: Auditor, serve: Serve) -> None:
    served = everything(serve(estate=estate(hub=True)))
    ended = auditor("doctor")
    assert ended.code == 0
    works = ", ".join(["sts:AssumeRole", READ, *(action for action in ACTIONS if action != READ)])
    assert ended.out.count(f": well; works: {works} (in us-east-1)\n") == 3
    called = [
        call.operation for call in served.calls if call.operation not in {"AssumeRole", "GetCallerIdentity"}
    ]
    assert sorted(called) == sorted([action.partition(":")[2] for action in ACTIONS] * 3)


def test_ec2_is_asked_without_anything_being_read(auditor: Auditor, serve: Serve) -> None:
    served = everything(serve(estate=estate()))
    assert auditor("doctor").code == 0
    asked = [call for call in served.calls if call.operation.startswith("Describe")]
    assert len(asked) == 15
    assert {call.error for call in asked} == {"DryRunOperation"}


@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_that_is_denied_in_one_account_is_named_there_with_what_to_do(
    auditor: Auditor, serve: Serve, action: str
) -> None:
    whole = changed(estate(), 1, role_actions=frozenset({*ACTIONS, "sts:GetCallerIdentity"} - {action}))
    everything(serve(estate=whole))
    ended = auditor("doctor")
    assert ended.code == 3
    ill = whole.accounts[1]
    lines = ended.out.splitlines()
    (first,) = [
        number for number, line in enumerate(lines) if line.startswith(f"{ill.id} {ill.name}: TO BE FIXED")
    ]
    assert action not in lines[first]
    assert lines[first + 1].startswith(f"  {action} in us-east-1: ")
    assert f"is not authorized to perform: {action}" in lines[first + 1]
    assert lines[first + 2].startswith(f"    fix: allow {action} in the policy of {ill.role_arn}")
    assert ended.out.count(": well;") == 2
    assert ended.out.count("    fix: ") == 1
    assert '"exit 3: 1 of 3 account(s) have something to be fixed"' in ended.last


def test_a_policy_that_is_off_needs_none_of_its_actions(auditor: Auditor, serve: Serve) -> None:
    whole = estate()
    for number in range(3):
        whole = changed(whole, number, role_actions=frozenset({*ACTIONS} - {"ec2:DescribeVolumes"}))
    served = serve(estate=whole)
    assert auditor("doctor").code == 3
    text = served.config.read_text("utf-8")
    served.config.write_text(text + "policies:\n  unused-export: {enabled: false}\n", "utf-8")
    assert auditor("doctor").code == 0


def test_a_role_that_can_t_be_assumed_is_asked_for_no_source(auditor: Auditor, serve: Serve) -> None:
    whole = estate(hub=True)
    ill = whole.accounts[2]
    served = serve(Fault(FaultKind.ACCESS_DENIED, ill.id, operation="AssumeRole"), estate=whole)
    ended = auditor("doctor")
    assert ended.code == 3
    assert whole.hub is not None
    assert f"{ill.id} {ill.name}: TO BE FIXED; works: nothing\n" in ended.out
    assert f"fix: allow the hub {whole.hub.role_arn} sts:AssumeRole on {ill.role_arn}" in ended.out
    assert ended.out.count(": well;") == 2
    assert {call.operation for call in served.calls if call.account_id == ill.id} == {"AssumeRole"}


def test_a_region_that_is_not_enabled_is_no_lack_of_permission_in_any_source(
    auditor: Auditor, serve: Serve
) -> None:
    serve(estate=estate())
    ended = auditor("doctor", "--region", "ap-southeast-3")
    assert ended.code == 3
    # Once: nothing else is called there.
    assert ended.out.count("fix: enable ap-southeast-3 in this account") == 1
    assert ended.out.count("    fix: ") == 1


def test_a_source_that_stumbles_is_tried_again_and_one_that_stays_down_is_no_matter_of_permissions(
    auditor: Auditor, serve: Serve
) -> None:
    whole = estate()
    serve(
        Fault(FaultKind.THROTTLE, whole.accounts[0].id, operation="DescribeImages", times=2),
        Fault(FaultKind.SERVICE_ERROR, whole.accounts[1].id, operation="DescribeVolumes"),
        estate=whole,
    )
    ended = auditor("doctor")
    assert ended.code == 3
    assert ended.out.count(": well;") == 2
    assert "  ec2:DescribeVolumes in us-east-1: " in ended.out
    assert "fix: try again later; where it stays, tell AWS's support" in ended.out


def test_the_accounts_of_an_organization_are_seen_as_well(auditor: Auditor, serve: Serve) -> None:
    whole = estate()
    ill = whole.accounts[0]
    for number in range(3):
        whole = changed(whole, number, external_id=None)
    whole = organized(changed(whole, 0, role_actions=frozenset(ACTIONS) - {READ}))
    served = serve(estate=whole)
    organize(served)
    ended = auditor("doctor")
    assert ended.code == 3
    assert ended.out.count(": well;") == 2
    assert f"fix: allow {READ} in the policy of {ill.role_arn}" in ended.out


def test_an_organization_that_can_t_be_read_is_exit_2_with_what_it_lacks(
    auditor: Auditor, serve: Serve
) -> None:
    served = serve(Fault(FaultKind.ACCESS_DENIED, operation="ListAccounts"), estate=organized(estate()))
    organize(served)
    ended = auditor("doctor")
    assert (ended.code, ended.out) == (2, "")
    assert "allow organizations:ListAccounts to arn:aws:iam::" in ended.err
    assert "Traceback" not in ended.err


def test_beside_a_list_an_organization_that_can_t_be_read_is_something_to_be_fixed(
    auditor: Auditor, serve: Serve
) -> None:
    served = serve(Fault(FaultKind.ACCESS_DENIED, operation="ListAccounts"), estate=organized(estate()))
    served.config.write_text(served.config.read_text("utf-8") + "organization: {}\n", "utf-8")
    ended = auditor("doctor")
    assert ended.out.count(": well;") == 3
    assert ended.code == 3
    assert "organizations:ListAccounts: AccessDeniedException" in ended.out
    assert "fix: allow organizations:ListAccounts to " in ended.out
    assert " organization: TO BE FIXED; works: nothing\n" in ended.out
    assert '"exit 3: 1 of 4 account(s) have something to be fixed"' in ended.last


def test_accounts_that_are_suspended_are_not_tried_and_are_said_to_be_so(
    auditor: Auditor, serve: Serve
) -> None:
    whole = estate()
    for number in range(3):
        whole = changed(whole, number, external_id=None)
    whole = organized(whole)
    assert whole.organization is not None
    first, *others = whole.organization.members
    members = (replace(first, state="SUSPENDED"), *others)
    served = serve(estate=replace(whole, organization=replace(whole.organization, members=members)))
    organize(served)
    ended = auditor("doctor")
    assert ended.code == 0
    assert ended.out.count(": well;") == 2
    assert (
        f"{first.id} {first.name}: not tried\n  note: AWS Organizations says SUSPENDED: nobody " in ended.out
    )
    assert '"exit 0: all is well in 2 account(s)"' in ended.last
    assert first.id not in {call.account_id for call in served.calls}


def test_the_probe_of_the_external_id_tells_those_that_refuse_from_those_that_do_not(
    auditor: Auditor, serve: Serve
) -> None:
    whole = estate(hub=True)
    served = serve(estate=changed(whole, 1, external_id=None))
    ill = whole.accounts[1]
    text = served.config.read_text("utf-8")
    served.config.write_text(
        text.replace(f'- id: "{ill.id}"\n', f'- id: "{ill.id}"\n    external_id: ext-canary-4711\n'), "utf-8"
    )
    ended = auditor("doctor", "--probe-external-id")
    assert ended.code == 3
    lines = ended.out.splitlines()
    (first,) = [
        number for number, line in enumerate(lines) if line.startswith(f"{ill.id} {ill.name}: TO BE FIXED")
    ]
    assert lines[first + 1] == "  sts:AssumeRole without the ExternalId: the role was given out all the same"
    assert lines[first + 2].startswith(f"    fix: let the trust policy of {ill.role_arn} ask for it")
    assert ended.out.count(", sts:AssumeRole without the ExternalId (in us-east-1)\n") == 2
    bare = [
        call
        for call in served.calls
        if call.operation == "AssumeRole"
        and "ExternalId" not in call.form
        and call.account_id != whole.base.account_id
    ]
    # Once an account, by the hub, and refused for want of it alone.
    assert [call.account_id for call in bare].count(ill.id) == 1
    assert {call.error for call in bare if call.account_id != ill.id} == {"AccessDenied"}
    assert "canary" not in ended.out + ended.err
