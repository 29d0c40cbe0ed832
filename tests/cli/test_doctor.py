"""The doctor: what works in each account, and what is to be done where it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.simulator.faults import Fault, FaultKind
from tests.cli.estates import changed, three_accounts

if TYPE_CHECKING:
    from tests.cli.conftest import Auditor, Serve

READ = "lightsail:GetExportSnapshotRecords"


def test_all_is_well_behind_a_hub_and_nothing_is_written(auditor: Auditor, serve: Serve) -> None:
    served = serve(estate=three_accounts(hub=True))
    before = sorted(served.config.parent.iterdir())
    ended = auditor("doctor")
    assert ended.code == 0
    assert ended.out.count(": well; works: sts:AssumeRole, ") == 3
    # A Region that every account has is taken before one that may not be enabled.
    assert ended.out.count("(in us-east-1)") == 3
    assert '"exit 0: all is well in 3 account(s)"' in ended.last
    assert sorted(served.config.parent.iterdir()) == before
    assert sum(call.operation == "AssumeRole" for call in served.calls) == 4
    assert {call.error for call in served.calls} == {None}


def test_a_source_that_is_not_allowed_is_named_with_the_role_to_allow_it_to(
    auditor: Auditor, serve: Serve
) -> None:
    whole = changed(three_accounts(), 1, role_actions=frozenset({"sts:GetCallerIdentity"}))
    serve(estate=whole)
    ended = auditor("doctor")
    assert ended.code == 3
    ill = whole.accounts[1]
    assert f"{ill.id} {ill.name}: TO BE FIXED; works: sts:AssumeRole" in ended.out
    assert f"  {READ} in us-east-1: AccessDeniedException: User: " in ended.out
    assert f"    fix: allow {READ} in the policy of {ill.role_arn}" in ended.out
    assert ended.out.count(": well;") == 2
    assert '"exit 3: 1 of 3 account(s) have something to be fixed"' in ended.last


def test_a_role_that_can_t_be_assumed_is_told_with_both_sides_to_look_at(
    auditor: Auditor, serve: Serve
) -> None:
    whole = changed(three_accounts(), 0, external_id="ext-canary-4711")
    served = serve(estate=whole)
    text = served.config.read_text("utf-8").replace("ext-canary-4711", "ext-canary-4712")
    served.config.write_text(text, "utf-8")
    ended = auditor("doctor", "--account", whole.accounts[0].id)
    assert ended.code == 3
    assert "  sts:AssumeRole: AccessDenied: User: " in ended.out
    assert f"fix: allow the base credentials sts:AssumeRole on {whole.accounts[0].role_arn}" in ended.out
    assert "canary" not in ended.out + ended.err


def test_a_trust_without_tag_session_is_named(auditor: Auditor, serve: Serve) -> None:
    whole = changed(three_accounts(), 2, trust_actions=frozenset({"sts:AssumeRole"}))
    served = serve(estate=whole)
    text = served.config.read_text("utf-8").replace("defaults:\n", "defaults:\n  session_tags: {team: a}\n")
    served.config.write_text(text, "utf-8")
    ended = auditor("doctor")
    assert ended.code == 3
    assert (
        "fix: the trust policy has no sts:TagSession for it, or the base credentials may not; allow"
        in ended.out
    )
    assert ended.out.count(": well;") == 2


def test_a_region_that_is_not_enabled_is_told_apart(auditor: Auditor, serve: Serve) -> None:
    whole = three_accounts()
    serve(estate=whole)
    ended = auditor("doctor", "--region", "ap-southeast-3")
    assert ended.code == 3
    assert ended.out.count("fix: enable ap-southeast-3 in this account, or leave it out") == 1


def test_a_hub_that_is_refused_is_exit_2(auditor: Auditor, serve: Serve) -> None:
    whole = three_accounts(hub=True)
    assert whole.hub is not None
    serve(Fault(FaultKind.ACCESS_DENIED, whole.hub.account_id, operation="AssumeRole"), estate=whole)
    ended = auditor("doctor")
    assert (ended.code, ended.out) == (2, "")
    assert f"the hub role {whole.hub.role_arn} can't be assumed: AccessDenied" in ended.err


def test_without_being_asked_no_role_is_tried_without_its_external_id(auditor: Auditor, serve: Serve) -> None:
    served = serve(estate=changed(three_accounts(), 1, external_id=None))
    auditor("doctor")
    asked = [call for call in served.calls if call.operation == "AssumeRole"]
    assert sum("ExternalId" in call.form for call in asked) == 2
    assert len(asked) == 3


def test_a_role_that_is_given_out_without_its_external_id_is_a_problem(
    auditor: Auditor, serve: Serve
) -> None:
    whole = three_accounts()
    served = serve(estate=changed(whole, 1, external_id=None))
    # The configuration has one, and the role does not ask for it.
    account_id = whole.accounts[1].id
    text = served.config.read_text("utf-8")
    served.config.write_text(
        text.replace(
            f'  - id: "{account_id}"\n', f'  - id: "{account_id}"\n    external_id: ext-canary-4711\n'
        ),
        "utf-8",
    )
    assert auditor("doctor").code == 0
    ended = auditor("doctor", "--probe-external-id")
    assert ended.code == 3
    assert "  sts:AssumeRole without the ExternalId: the role was given out all the same" in ended.out
    assert "ask for it: a Condition StringEquals sts:ExternalId" in ended.out
    assert ended.out.count("sts:AssumeRole without the ExternalId (in us-east-1)") == 2
    assert "canary" not in ended.out + ended.err


def test_an_account_that_is_not_there_is_exit_2(auditor: Auditor, serve: Serve) -> None:
    serve(estate=three_accounts())
    ended = auditor("doctor", "--account", "999999999999")
    assert (ended.code, ended.out) == (2, "")
    assert "--account 999999999999" in ended.err
