"""What can be wrong with organisations, hubs and policies of one's own: how each is told, and how the command exits.

Others of the kind stand elsewhere: waivers and accepted gaps that can't be used or have ended, in test_acceptances;
a field that nothing has, and a policy of one's own that is called as a built-in one, in test_own_policies; an
organisation that can't be read, asked for by `auditor accounts`, in test_accounts, and by the doctor, in
test_doctor_of_facts; two installed policies of one id, in tests/policies/test_discovery; EC2 answering with other ids
than were asked for, or with fewer, in tests/audit/test_faults_of_ec2.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from auditor.simulator.faults import Fault, FaultKind
from tests.cli.estates import OTHER, organized

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Auditor, Ended, RunFolder, Serve

HEAD = "version: 1\ndefaults: {role_name: R}\n"
LISTED = HEAD + 'accounts: [{id: "111122223333"}]\n'
RULE = "policies:\n  mine:\n    message: m\n    remediation: r\n    expression: "


def assert_refused(ended: Ended, folder: Path, *told: str) -> None:
    """It is exit 2, says all of this in one of its lines, shows no traceback, and has written nothing."""
    assert ended.code == 2
    assert ended.out == ""
    assert "Traceback" not in ended.err
    *said, last = ended.err.splitlines()
    assert any(all(text in line for text in told) for line in said), ended.err
    assert json.loads(last)["exit_code"] == 2 if last.startswith("{") else "exit 2: " in last
    assert sorted(entry.name for entry in folder.iterdir()) == ["accounts.yaml"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param(
            "organization:\n  include: {ous: [Root/Prd]}\n",
            ("accounts.yaml:4: ", "organizational unit 'Root/Prd' does not exist; write Root/Prod"),
            id="unit-that-does-not-exist",
        ),
        pytest.param(
            "organization:\n  include: {tags: {env: qa}}\n",
            ("accounts.yaml:4: ", "no account", "has the tag 'env: qa'"),
            id="tag-that-none-has",
        ),
        pytest.param(
            "organization:\n  exclude: {tags: {owner: '*'}}\n",
            ("accounts.yaml:4: ", "no account", "has the tag 'owner: *'"),
            id="tag-to-exclude-that-none-has",
        ),
        pytest.param(
            'organization:\n  role_arn: "arn:aws:iam::BASE:role/Nobody"\n',
            (
                "accounts.yaml:3: the organization can't be read: sts:AssumeRole: role-not-assumable (AccessDenied",
                "; let arn:aws:",
                " assume arn:aws:iam::",
                ":role/Nobody",
            ),
            id="role-of-the-organization-that-is-refused",
        ),
    ],
)
def test_an_organization_s_part_that_comes_to_nothing_is_refused_once_aws_was_asked(
    auditor: Auditor, serve: Serve, tmp_path: Path, text: str, told: tuple[str, ...]
) -> None:
    served = organized(serve, text)
    for command in (("run", "-o", "out"), ("accounts",), ("doctor",)):
        assert_refused(auditor(*command), tmp_path, *told)
    assert "GetExportSnapshotRecords" not in {call.operation for call in served.calls}
    assert auditor("check").code == 0, "none of it can be seen without asking"


@pytest.mark.parametrize(
    ("operation", "text"),
    [
        ("ListAccounts", "organization: {}\n"),
        ("ListRoots", "organization: {include: {ous: [Root/Prod]}}\n"),
        ("ListOrganizationalUnitsForParent", "organization: {include: {ous: [Root/Prod]}}\n"),
        ("ListAccountsForParent", "organization: {include: {ous: [Root/Prod]}}\n"),
        ("ListTagsForResource", "organization: {include: {tags: {env: prod}}}\n"),
    ],
)
def test_an_organization_that_can_t_be_read_names_the_permission_or_is_a_gap_beside_a_list(
    auditor: Auditor, serve: Serve, out: RunFolder, operation: str, text: str
) -> None:
    denied = Fault(FaultKind.ACCESS_DENIED, operation=operation)
    organized(serve, text, denied)
    told = (
        f"accounts.yaml:3: the organization can't be read: organizations:{operation}: access-denied",
        f"; allow organizations:{operation} to arn:aws:",
    )
    assert_refused(auditor("run", "-o", "out"), out.path.parent, *told)

    organized(serve, text + 'accounts: [{id: "HERE"}]\n', denied)
    ended = auditor("run", "-o", "out", "--fail-on", "none")
    assert ended.code == 3
    assert "Traceback" not in ended.err
    gaps = [line for line in out.coverage if line["verdict"] != "complete"]
    assert [(line["source"], line["reason"]) for line in gaps] == [
        (f"organizations:{operation}", "access-denied")
    ]
    assert len(out.coverage) > 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param(
            HEAD
            + f'organization:\n  include: {{accounts: ["{OTHER}"]}}\n  exclude: {{accounts: ["{OTHER}"]}}\n',
            f"accounts.yaml:5: account '{OTHER}' is both included (line 4) and excluded; keep one of them",
            id="included-and-excluded",
        ),
        pytest.param(
            LISTED + 'organization: {exclude: {accounts: ["111122223333"]}}\n',
            "accounts.yaml:4: account '111122223333' is excluded, and listed under accounts (line 3)",
            id="listed-and-excluded",
        ),
        pytest.param(
            LISTED + RULE + "record.name ==\n",
            "accounts.yaml:8: expression of mine, line 1, column ",
            id="expression-that-does-not-parse",
        ),
        pytest.param(
            LISTED + RULE + "size(record.name)\n",
            "accounts.yaml:8: expression of mine yields a number; write one that is true where",
            id="expression-that-is-no-boolean",
        ),
        pytest.param(
            LISTED + RULE + "''\n",
            'accounts.yaml:8: expression of mine is empty; write one, such as record.state == "Failed"',
            id="expression-of-nothing",
        ),
        pytest.param(
            LISTED + RULE + f"{'x' * 2001}\n",
            "accounts.yaml:8: expression of mine is longer than 2,000 characters; shorten it, or make two policies",
            id="expression-that-is-too-long",
        ),
        pytest.param(
            LISTED + RULE.removesuffix("    expression: "),
            "accounts.yaml:5: policy 'mine' has no expression; write expression: one in CEL that is true where",
            id="policy-of-ones-own-without-an-expression",
        ),
        *(
            pytest.param(
                LISTED + RULE.replace("message: m", f"message: {message}") + "'true'\n",
                f"accounts.yaml:6: message of mine{told}",
                id=f"message-{name}",
            )
            for name, message, told in (
                ("of-nothing", "''", " '' can't be used; write a text of at least 1 character"),
                (
                    "that-is-too-long",
                    "x" * 2001,
                    f" '{'x' * 80}…' can't be used; write a text of at most 2,000 char",
                ),
                (
                    "with-empty-braces",
                    "'a {}'",
                    ", column 4: nothing stands between the braces; write an expression",
                ),
                ("with-a-brace-alone", "'a {'", ", column 3: a brace that stands alone; write { twice"),
            )
        ),
        *(
            pytest.param(
                LISTED + RULE + f"'true'\n    controls: [{control}]\n",
                f"accounts.yaml:9: an entry of controls of mine {told}",
                id=f"control-{control}",
            )
            for control, told in (
                ("CM-8", "is text; write a mapping, such as {framework: NIST SP 800-53 r5, id: CM-8}"),
                ("{framework: x}", "has no id; write id: the control's, such as CM-8"),
            )
        ),
        pytest.param(
            LISTED + RULE + "'true'\n" + RULE.removeprefix("policies:\n") + "'false'\n",
            "accounts.yaml:9: the key 'mine' stands here twice, on line 5 first; keep one",
            id="two-policies-of-one-id",
        ),
    ],
)
def test_what_can_be_seen_without_asking_is_refused_before_the_first_call(
    auditor: Auditor, serve: Serve, tmp_path: Path, text: str, told: str
) -> None:
    served = serve(accounts=1)
    served.config.write_text(text, "utf-8")
    for command in (("check",), ("run", "-o", "out"), ("accounts",), ("doctor",)):
        assert_refused(auditor(*command), tmp_path, told)
    assert not served.calls


@pytest.mark.parametrize("wrong", ["role", "external id"])
@pytest.mark.parametrize("command", ["run", "doctor"])
def test_a_hub_that_can_t_be_assumed_is_exit_2_with_what_lets_it_be(
    auditor: Auditor, serve: Serve, tmp_path: Path, command: str, wrong: str
) -> None:
    served = serve(hub=True)
    hub = served.estate.hub
    assert hub is not None
    right = hub.role_arn if wrong == "role" else str(hub.external_id)
    other = f"arn:aws:iam::{hub.account_id}:role/Other" if wrong == "role" else "another"
    text = served.config.read_text("utf-8")
    assert right in text
    served.config.write_text(text.replace(right, other), "utf-8")
    arn = other if wrong == "role" else hub.role_arn
    told = (
        f"the hub role {arn} can't be assumed: AccessDenied: ",
        f"; allow the base credentials sts:AssumeRole on {arn}",
        "(`auditor iam` prints both)",
    )
    assert_refused(auditor(command), tmp_path, *told)
    assert {call.operation for call in served.calls} <= {"GetCallerIdentity", "AssumeRole"}


def test_an_expression_that_divides_by_zero_on_some_record_leaves_that_record_unjudged(
    auditor: Auditor, serve: Serve, out: RunFolder
) -> None:
    served = serve()
    text = served.config.read_text("utf-8")
    plain = auditor("run", "-o", "plain", "--fail-on", "none")
    assert plain.code == 0
    rule = "    message: m\n    remediation: r\n    expression: "
    failed = "1 / (record.state == 'Failed' ? 0 : 1) > 5"
    addition = f"  mine:\n{rule}{json.dumps(failed)}\n"
    served.config.write_text(
        text + addition if "\npolicies:\n" in text else f"{text}policies:\n{addition}", "utf-8"
    )
    ended = auditor("run", "-o", "out", "--fail-on", "none")
    assert ended.code == 3
    assert "Traceback" not in ended.err
    assert {line["verdict"] for line in out.coverage} == {"complete"}
    unjudged = out.run["totals"]["unjudged"]["by_policy"]
    assert set(unjudged) == {"mine"}
    assert 0 < unjudged["mine"] < out.run["totals"]["records"]
    assert out.findings
    assert "mine" not in {finding["policy"] for finding in out.findings}
    allowed = auditor("run", "-o", "allowed", "--fail-on", "none", "--max-unjudged", str(unjudged["mine"]))
    assert allowed.code == 0


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (FaultKind.CUT_JSON, "; look at the network, proxy and endpoint between here and AWS"),
        (FaultKind.EXPIRED, "; sign in again: the base credentials have ended"),
        (FaultKind.TOKEN_LOOP, "; try again later; where it stays, tell AWS's support"),
    ],
)
def test_an_organization_that_can_t_be_read_for_another_reason_is_told_with_what_to_do(
    auditor: Auditor, serve: Serve, tmp_path: Path, kind: FaultKind, told: str
) -> None:
    organized(serve, "organization: {}\n", Fault(kind, operation="ListAccounts"))
    assert_refused(
        auditor("accounts"),
        tmp_path,
        "accounts.yaml:3: the organization can't be read: organizations:L",
        told,
    )


def test_an_account_that_is_in_no_organization_is_told_where_to_ask(
    auditor: Auditor, serve: Serve, tmp_path: Path
) -> None:
    served = serve(accounts=1)
    assert served.estate.organization is None
    served.config.write_text(HEAD + "organization: {}\n", "utf-8")
    told = (
        "accounts.yaml:3: the organization can't be read: organizations:ListAccounts: ",
        "(AWSOrganizationsNotInUseException: Your account is not a member of an organization.); name a role of the",
        " management account with role_arn, or list the accounts without an organization",
    )
    for command in (("run", "-o", "out"), ("accounts",), ("doctor",)):
        assert_refused(auditor(*command), tmp_path, *told)
