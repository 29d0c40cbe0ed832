"""Waivers and accepted gaps as they are written, and what a bad one is answered with."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from auditor.config.accepting import check_acceptances
from auditor.config.faults import Faults
from auditor.config.nodes import MappingNode
from auditor.config.tree import read_tree
from auditor.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditor.config import Config

    Load = Callable[..., Config]

HEAD = 'version: 1\ndefaults: {role_name: R}\naccounts:\n  - id: "111122223333"\n'  # four lines
SAID = {
    "waivers": "owner: o, reason: r, until: 2027-03-31",
    "accepted_gaps": "owner: o, explanation: e, until: 2027-03-31",
}


def problems(load: Load, content: str, **environ: str) -> list[tuple[int | None, str]]:
    with pytest.raises(ConfigError) as caught:
        load(content, environ)
    return [(problem.line, problem.text) for problem in caught.value.problems]


BAD_WAIVERS = [
    ("owner: o, reason: r, policy: stuck-export", "this waiver has no until; write until: the last day"),
    (
        "owner: o, until: 2027-03-31, policy: stuck-export",
        "this waiver has no reason; write reason: why it is",
    ),
    (
        "reason: o, until: 2027-03-31, policy: stuck-export",
        "this waiver has no owner; write owner: who answers",
    ),
    ("{}", "this waiver matches every finding; narrow it by policy, account, region or resource"),
    ("policy: '*'", "this waiver matches every finding; narrow it by policy"),
    ("policy: '*', account: '*', region: '*', resource: '*'", "this waiver matches every finding"),
    ("policy: '*-*', account: '????????????', region: '*-*-?'", "this waiver matches every finding"),
    ("resource: 'arn:*'", "this waiver matches every finding"),
    ("resource: 'arn:aws:lightsail:*:*:ExportSnapshotRecord/*'", "this waiver matches every finding"),
    ("resource: '?*'", "this waiver matches every finding"),
    ("resource: 'arn:aws:ec2:*'", "this waiver matches every finding"),
    ("policy: stale-export", "policy 'stale-export' is none that there is; write stale-failed-export"),
    (
        "policy: zzzz",
        "policy 'zzzz' is none that there is; there are oversized-disk, stale-failed-export and",
    ),
    ("policy: 'zz*'", "policy 'zz*' matches none that there is; there are oversized-disk"),
    ('account: "111122223334"', "account '111122223334' is none that there is; write 111122223333"),
    (
        'account: "999999999999"',
        "account '999999999999' is none that there is; write one that accounts lists",
    ),
    ("account: 111122223333", 'account 111122223333 is a number; write it in quotes: "111122223333"'),
    ('account: "1111"', "account '1111' can't be used; write twelve digits in quotes"),
    ("region: us-east-1a", "region 'us-east-1a' is none that there is; write us-east-1"),
    ("regions: us-east-1", "unknown key 'regions'; write region, or remove it"),
    (
        "resource: web-1",
        "resource 'web-1' is no ARN, so that no finding would match; write a finding's resource_arn",
    ),
    ("policy: ", "policy is empty; write a policy's id, or a pattern, or leave the key out"),
    ("policy: ''", "policy '' can't be used; write a policy's id, or a pattern"),
    ("policy: [stuck-export]", "policy is a list; write a policy's id"),
    (r'policy: "\x1b[2J"', r"policy '\x1b[2J' is none that there is"),
    ("source: ec2:DescribeImages, policy: stuck-export", "unknown key 'source'"),
]
BAD_UNTIL = [
    ("until: 2027-02-30", "until '2027-02-30' can't be used; write the last day on which it holds, such as"),
    ("until: 2027-3-1", "until '2027-3-1' can't be used"),
    ("until: 20270331", "until is a number; write the last day"),
    ("until: '20270331'", "until '20270331' can't be used"),
    ("until: 2027-03-31T00:00:00Z", "until '2027-03-31T00:00:00Z' can't be used"),
    ("until: never", "until 'never' can't be used"),
    ("until: ٢٠٢٧-٠٣-٣١", "can't be used; write the last day"),
    ("until:", "until is empty; write the last day on which it holds, such as 2027-03-31"),
    ("until: []", "until is a list; write the last day"),
]
BAD_GAPS = [
    (
        "region: us-east-1, owner: o, explanation: e",
        "this accepted gap has no until; write until: the last day",
    ),
    (
        "region: us-east-1, owner: o, until: 2027-03-31",
        "this accepted gap has no explanation; write explanation: why",
    ),
    ("{}", "this accepted gap matches every gap; narrow it by account, region, source or reason"),
    ("account: '*', region: '*', source: '*', reason: '*'", "this accepted gap matches every gap"),
    ("reason: acess-denied", "reason 'acess-denied' is none that there is; write access-denied"),
    ("reason: because", "reason 'because' is none that there is; there are access-denied,"),
    (
        "reason: ",
        "reason is empty; write a reason of the ledger, such as access-denied, or a pattern, or leave",
    ),
    (
        "source: lightsail:GetExportSnapshotRecord",
        "is none that there is; write lightsail:GetExportSnapshotRecords",
    ),
    ("source: 's3:*'", "source 's3:*' matches none that there is; there are ec2:DescribeImageAttribute"),
]


@pytest.mark.parametrize(
    ("kind", "written", "said"),
    [("waivers", *row) for row in BAD_WAIVERS] + [("accepted_gaps", *row) for row in BAD_GAPS],
)
def test_a_bad_one_is_told_on_its_line(load: Load, kind: str, written: str, said: str) -> None:
    rest = "" if "owner" in written or "reason: o" in written else SAID[kind]
    entry = f"{{{', '.join(filter(None, (written.removeprefix('{}'), rest)))}}}"
    ((line, text),) = problems(load, f"{HEAD}{kind}:\n  - {entry}\n")
    assert line == 6
    assert said in text


@pytest.mark.parametrize(("written", "said"), BAD_UNTIL)
def test_an_end_that_is_no_day_is_told_on_its_line(load: Load, written: str, said: str) -> None:
    text = f"{HEAD}waivers:\n  - policy: stuck-export\n    owner: o\n    reason: r\n    {written}\n"
    ((line, found),) = problems(load, text)
    assert line == 9
    assert said in found


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("waivers: {}", "waivers is a mapping; write a list with an entry for each waiver"),
        ("waivers:", "waivers is empty; write a list with an entry for each waiver"),
        ("waivers: [x]", "this waiver is text; write a mapping of what it is for, its owner and its until"),
        ("accepted_gaps: [[]]", "this accepted gap is a list; write a mapping of what it is for"),
        ("waivrs: []", "unknown key 'waivrs'; write waivers, or remove it"),
    ],
)
def test_a_list_that_is_none_is_told(load: Load, written: str, said: str) -> None:
    ((line, text),) = problems(load, f"{HEAD}{written}\n")
    assert line == 5
    assert said in text


def test_each_is_read_with_its_line_and_an_end_in_the_past_is_none_the_worse(load: Load) -> None:
    config = load(
        HEAD
        + """\
waivers:
  - policy: stuck-export
    owner: "  o  "
    reason: |
      Two lines
      of it.
    until: 1999-12-31
  - {resource: "*/0a1b*", owner: o, reason: r, ticket: T-1, until: "2027-03-31"}
accepted_gaps:
  - {account: "1111*", region: eu-*, source: "lightsail:*", reason: access-denied, owner: o, explanation: e, until: 2027-03-31}
"""
    )
    first, second = config.waivers
    (gap,) = config.accepted_gaps
    assert (first.line, first.policy, first.owner, first.reason) == (
        6,
        "stuck-export",
        "o",
        "Two lines\nof it.",
    )
    assert (first.until, first.ticket, first.account) == (date(1999, 12, 31), None, None)
    assert (second.line, second.resource, second.ticket) == (12, "*/0a1b*", "T-1")
    assert (gap.line, gap.account, gap.source, gap.reason) == (14, "1111*", "lightsail:*", "access-denied")


@pytest.mark.parametrize(
    "narrowed", ["policy: stuck-*", "region: eu-*", "resource: '*image/*'", "account: '1*'"]
)
def test_a_pattern_that_narrows_is_enough(load: Load, narrowed: str) -> None:
    assert len(load(f"{HEAD}waivers: [{{{narrowed}, {SAID['waivers']}}}]\n").waivers) == 1


def test_they_are_part_of_what_the_digest_is_of_and_their_lines_are_not(load: Load) -> None:
    waiver = f"waivers: [{{policy: stuck-export, {SAID['waivers']}}}]\n"
    digests = [
        load(HEAD).digest,
        load(HEAD + waiver).digest,
        load(HEAD + waiver.replace("03-31", "04-01")).digest,
        load(HEAD + f"accepted_gaps: [{{region: eu-*, {SAID['accepted_gaps']}}}]\n").digest,
    ]
    assert len(set(digests)) == 4
    assert load(f"{HEAD}# a comment\n{waiver}").digest == digests[1]


@pytest.mark.parametrize(("organised", "faulty"), [("", 1), ("organization: {}\n", 0)])
def test_an_account_that_the_list_does_not_have_may_come_from_the_organisation(
    organised: str, faulty: int
) -> None:
    faults = Faults("accounts.yaml")
    text = f'{HEAD}{organised}waivers: [{{account: "999999999999", {SAID["waivers"]}}}]\n'
    node = read_tree(text, faults).node
    assert isinstance(node, MappingNode)
    check_acceptances(node, (), (), faults)
    if faulty:
        with pytest.raises(ConfigError, match="account '999999999999' is none that there is"):
            faults.check()
    else:
        faults.check()


def test_no_message_shows_what_a_variable_holds(load: Load) -> None:
    text = f"{HEAD}waivers: [{{policy: '${{C}}', account: '${{C}}', region: '${{C}}', resource: '${{C}}', {SAID['waivers']}}}]\n"
    for _, said in problems(load, text.replace("until: 2027-03-31", "until: '${C}'"), C="canary-s3cret"):
        assert "canary" not in said
