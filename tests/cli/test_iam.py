"""What `auditor iam` prints: the actions that are called, and nothing else; no ExternalId."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import hcl2
import pytest
import yaml
from cfnlint import api as cfnlint  # type: ignore[import-untyped]  # has no stubs

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Auditor, Serve

HUB = "arn:aws:iam::999988887777:role/AuditHub"
PRINCIPAL = "arn:aws:iam::444455556666:role/ci/Runner"
PLAIN = """\
version: 1
defaults: {role_arn: "arn:aws:iam::{account_id}:role/audit/Reader", external_id: canary-member-4711}
accounts: [{id: "111122223333"}, {id: "111122223334"}]
"""
CHAIN = PLAIN.replace(
    "defaults: {",
    f'defaults: {{hub_role_arn: "{HUB}", hub_external_id: canary-hub-4711, session_tags: {{team: a}}, '
    "source_identity: auditor, ",
)
KINDS = ("all", "policy", "trust", "cloudformation", "terraform", "hub-policy", "hub-trust", "base-policy")


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "accounts.yaml"
    path.write_text(PLAIN, "utf-8")
    return path


def documents(auditor: Auditor, *arguments: str) -> Any:
    return json.loads(auditor("iam", *arguments).out)


def actions(document: Any) -> list[str]:
    (statement,) = document["Statement"]
    assert statement["Effect"] == "Allow"
    return list(statement["Action"])


def test_the_policy_holds_the_actions_that_a_run_calls_and_no_other(auditor: Auditor, serve: Serve) -> None:
    served = serve()
    allowed = actions(documents(auditor, "--as", "policy"))

    auditor("run", "-o", "out")

    called = {
        f"lightsail:{call.operation}"
        for call in served.calls
        if call.operation not in ("AssumeRole", "GetCallerIdentity")
    }
    # What an account is asked only where a Region refuses.
    assert sorted(called | {"account:ListRegions"}) == allowed
    (policy, *others) = (
        json.loads(call.form["Policy"]) for call in served.calls if call.operation == "AssumeRole"
    )
    assert {*actions(policy)} == {*allowed}
    assert others == [policy]


@pytest.mark.usefixtures("written")
def test_the_trust_names_the_principal_and_asks_for_an_external_id_that_it_does_not_show(
    auditor: Auditor,
) -> None:
    (statement,) = documents(auditor, "--as", "trust", "--principal", PRINCIPAL)["Statement"]
    assert statement["Principal"] == {"AWS": PRINCIPAL}
    assert statement["Action"] == "sts:AssumeRole"
    assert statement["Condition"] == {"StringEquals": {"sts:ExternalId": "REPLACE-WITH-THE-EXTERNAL-ID"}}
    told = auditor("iam", "--as", "trust").err
    assert "in place of REPLACE-WITH-THE-ARN-OF-WHO-RUNS-AUDITOR, or name it with --principal" in told
    assert "put the ExternalId of the configuration in place of REPLACE-WITH-THE-EXTERNAL-ID" in told


def test_behind_a_hub_members_trust_it_alone_and_each_may_assume_the_next(
    auditor: Auditor, written: Path
) -> None:
    written.write_text(CHAIN, "utf-8")
    found = documents(auditor, "--principal", PRINCIPAL)
    chain = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]
    assume, others = found["member"]["trust"]["Statement"]
    assert assume["Principal"] == others["Principal"] == {"AWS": HUB}
    assert others["Action"] == chain[1:]
    (may,) = found["hub"]["policy"]["Statement"]
    assert (may["Action"], may["Resource"]) == (chain, ["arn:aws:iam::*:role/audit/Reader"])
    assert found["hub"]["trust"]["Statement"][0]["Principal"] == {"AWS": PRINCIPAL}
    (may,) = found["base"]["policy"]["Statement"]
    assert (may["Action"], may["Resource"]) == (chain, [HUB])


def test_without_a_hub_the_base_may_assume_the_members(auditor: Auditor, written: Path) -> None:
    written.write_text(PLAIN.replace(', {id: "111122223334"}', ""), "utf-8")
    (may,) = documents(auditor, "--as", "base-policy")["Statement"]
    assert may["Action"] == ["sts:AssumeRole"]
    assert may["Resource"] == ["arn:aws:iam::111122223333:role/audit/Reader"]


@pytest.mark.parametrize("content", [PLAIN, CHAIN])
def test_cloudformation_is_valid_and_holds_the_same(auditor: Auditor, written: Path, content: str) -> None:
    written.write_text(content, "utf-8")
    text = auditor("iam", "--as", "cloudformation").out
    # Errors and warnings: what is informational knows of other things than this template.
    assert [match for match in cfnlint.lint_all(text) if match.rule.id[0] in "EW"] == []
    template = yaml.safe_load(text)
    role = template["Resources"]["AuditRole"]["Properties"]
    assert (role["RoleName"], role["Path"]) == ("Reader", "/audit/")
    (policy,) = role["Policies"]
    assert policy["PolicyDocument"] == documents(auditor, "--as", "policy")
    assert template["Parameters"]["ExternalId"]["NoEcho"] is True
    assert template["Parameters"]["Principal"].get("Default") == (HUB if content == CHAIN else None)
    assume = role["AssumeRolePolicyDocument"]["Statement"][0]
    assert assume["Principal"] == {"AWS": {"Ref": "Principal"}}
    assert assume["Condition"] == {"StringEquals": {"sts:ExternalId": {"Ref": "ExternalId"}}}


@pytest.mark.parametrize("content", [PLAIN, CHAIN])
def test_terraform_can_be_read_back_and_holds_the_same(auditor: Auditor, written: Path, content: str) -> None:
    written.write_text(content, "utf-8")
    text = auditor("iam", "--as", "terraform").out
    read = hcl2.loads(text)
    told = json.dumps(read)
    assert [next(iter(one)).strip('"') for one in read["variable"]] == ["principal", "external_id"]
    assert [next(iter(one)).strip('"') for one in read["resource"]] == ["aws_iam_role", "aws_iam_role_policy"]
    assert "var.principal" in told
    assert "var.external_id" in told
    for action in actions(documents(auditor, "--as", "policy")):
        assert text.count(f'"{action}"') == 1
    assert text.count("sts:TagSession") == (content == CHAIN)


@pytest.mark.parametrize("kind", KINDS)
def test_no_external_id_stands_in_anything_printed(auditor: Auditor, written: Path, kind: str) -> None:
    written.write_text(CHAIN, "utf-8")
    ended = auditor("iam", "--as", kind)
    assert ended.code == 0
    assert "canary" not in ended.out + ended.err


def test_a_policy_that_is_switched_off_needs_nothing_and_accounts_that_differ_are_named(
    auditor: Auditor, written: Path
) -> None:
    written.write_text(PLAIN.replace("}]", "}, {id: '111122223335', role_name: Other}]"), "utf-8")
    told = auditor("iam", "--as", "cloudformation")
    assert "RoleName: Reader" in told.out
    assert "111122223335 need another role or trust" in told.err
    assert "RoleName: Other" in auditor("iam", "--as", "cloudformation", "--account", "111122223335").out


BAD = [
    (("--as", "hub-policy"), "--as hub-policy: the configuration has no hub_role_arn under defaults"),
    (("--as", "organization-trust"), "the configuration has no role_arn under organization"),
    (("--account", "999999999999"), "--account 999999999999: no account of accounts.yaml"),
    (("--principal", "me"), "--principal me is no ARN of a role, a user or an account; write one such as"),
    (
        ("--principal", "arn:aws:sts::444455556666:assumed-role/Runner/ci"),
        "is one session; name its role: arn:aws:iam::444455556666:role/Runner",
    ),
]


@pytest.mark.usefixtures("written")
@pytest.mark.parametrize(("arguments", "text"), BAD)
def test_what_can_t_be_printed_is_said(auditor: Auditor, arguments: tuple[str, ...], text: str) -> None:
    ended = auditor("iam", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert text in ended.err


# What a destination needs

DELIVERY = """\
history: {}
destinations:
  hub:
    {type: security-hub, account: "999988887777", region: eu-west-1, role_name: audit/Delivery, external_id: canary-hub}
"""
WITH = ("--with-delivery", "security-hub")


@pytest.mark.usefixtures("written")
def test_nothing_of_a_delivery_is_printed_that_was_not_asked_for(auditor: Auditor, written: Path) -> None:
    written.write_text(PLAIN + DELIVERY, "utf-8")
    assert "elivery" not in auditor("iam").out
    assert "delivery" in documents(auditor, *WITH)


@pytest.mark.parametrize("content", [PLAIN, CHAIN])
def test_the_role_to_deliver_with_may_import_and_whoever_assumes_the_members_may_assume_it(
    auditor: Auditor, written: Path, content: str
) -> None:
    written.write_text(content + DELIVERY, "utf-8")
    found = documents(auditor, *WITH, "--principal", PRINCIPAL)

    (statement,) = found["delivery"]["policy"]["Statement"]
    assert statement["Action"] == ["securityhub:BatchImportFindings"]
    assert statement["Resource"] == "arn:aws:securityhub:*:*:product/*/default"
    assume, *others = found["delivery"]["trust"]["Statement"]
    assert assume["Principal"] == {"AWS": HUB if content == CHAIN else PRINCIPAL}
    assert assume["Condition"] == {"StringEquals": {"sts:ExternalId": "REPLACE-WITH-THE-EXTERNAL-ID"}}
    # The source identity of the hub's session stays with all that is assumed by it; tags don't.
    chained = ["sts:SetSourceIdentity"] if content == CHAIN else []
    assert [each["Action"] for each in others] == [chained] * len(chained)
    whose = "hub" if content == CHAIN else "base"
    may = {each["Sid"]: each for each in found[whose]["policy"]["Statement"]}
    assert may["AssumeDelivery"]["Resource"] == ["arn:aws:iam::*:role/audit/Delivery"]
    assert may["AssumeDelivery"]["Action"] == ["sts:AssumeRole", *chained]
    assert "AssumeMembers" in may
    assert documents(auditor, *WITH, "--as", "delivery-policy") == found["delivery"]["policy"]


@pytest.mark.parametrize("content", [PLAIN, CHAIN])
def test_templates_hold_both_roles(auditor: Auditor, written: Path, content: str) -> None:
    written.write_text(content + DELIVERY, "utf-8")
    policy = documents(auditor, *WITH, "--as", "delivery-policy")
    text = auditor("iam", *WITH, "--as", "cloudformation").out
    assert [match for match in cfnlint.lint_all(text) if match.rule.id[0] in "EW"] == []
    template = yaml.safe_load(text)
    assert list(template["Resources"]) == ["AuditRole", "DeliveryRole"]
    role = template["Resources"]["DeliveryRole"]["Properties"]
    assert (role["RoleName"], role["Path"]) == ("Delivery", "/audit/")
    assert [each["PolicyDocument"] for each in role["Policies"]] == [policy]
    assume = role["AssumeRolePolicyDocument"]["Statement"][0]
    assert assume["Condition"] == {"StringEquals": {"sts:ExternalId": {"Ref": "DeliveryExternalId"}}}
    assert template["Parameters"]["DeliveryExternalId"]["NoEcho"] is True

    text = auditor("iam", *WITH, "--as", "terraform").out
    read = hcl2.loads(text)
    variables = [next(iter(one)).strip('"') for one in read["variable"]]
    assert variables == ["principal", "external_id", "delivery_external_id"]
    assert len(read["resource"]) == 4
    assert text.count('"securityhub:BatchImportFindings"') == 1
    assert 'aws_iam_role" "auditor_delivery"' in text


@pytest.mark.parametrize("kind", [*KINDS, "delivery-policy", "delivery-trust"])
def test_no_external_id_of_a_delivery_is_printed(auditor: Auditor, written: Path, kind: str) -> None:
    written.write_text(CHAIN + DELIVERY, "utf-8")
    ended = auditor("iam", *WITH, "--as", kind)
    assert ended.code == 0
    assert "canary" not in ended.out + ended.err
    assert "the account at home of the destination needs the role to deliver with too" in ended.err


OTHER_HUB = DELIVERY + '  other: {type: security-hub, account: "999988887777", region: eu-west-1}\n'


@pytest.mark.parametrize(
    ("content", "arguments", "text"),
    [
        (PLAIN, WITH, "accounts.yaml has no destination of this type; add one first"),
        (PLAIN + OTHER_HUB, WITH, "hub, other import with a role each; give them the same role_name"),
        (PLAIN + DELIVERY, ("--as", "delivery-policy"), "ask for it by --with-delivery security-hub"),
        (PLAIN + DELIVERY, ("--with-delivery", "kafka"), "'kafka' is not 'security-hub'"),
    ],
)
def test_what_can_t_be_printed_of_a_delivery_is_said(
    auditor: Auditor, written: Path, content: str, arguments: tuple[str, ...], text: str
) -> None:
    written.write_text(content, "utf-8")
    ended = auditor("iam", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert text in ended.err
