"""What a bad file is answered with: each fault with its line, what was found and what to write."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from auditor.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditor.config import Config

    Load = Callable[..., Config]

HEAD = 'version: 1\ndefaults: {role_name: R}\naccounts:\n  - id: "111122223333"\n'  # four lines
LONG = "x" * 65


def problems(load: Load, content: str | bytes, **environ: str) -> list[tuple[int | None, str]]:
    with pytest.raises(ConfigError) as caught:
        load(content, environ)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return [(problem.line, problem.text) for problem in caught.value.problems]


ACCOUNT = [
    ("id: 111122223333", 'account id 111122223333 is a number; write it in quotes: "111122223333"'),
    ("id: 012345678901", 'account id 012345678901 is a number; write it in quotes: "012345678901"'),
    ("id: 1111", "account id 1111 is a number; write twelve digits in quotes"),
    ("id: 1.5", "account id 1.5 is a number; write twelve digits"),
    ("id: true", "account id true is true or false to YAML; write twelve digits"),
    ('id: "11112222333"', "account id '11112222333' has 11 digits; write twelve digits"),
    ('id: "1111-2222-3333"', "account id '1111-2222-3333' holds more than digits; write \"111122223333\""),
    ('id: "11112222333x"', "account id '11112222333x' is not twelve digits"),
    ('id: "١١١١٢٢٢٢٣٣٣٣"', "is not twelve digits"),
    ("id:", "account id is empty; write twelve digits in quotes"),
    ("id: []", "account id is a list; write twelve digits"),
    ("name: x", "this account has no id; write id: twelve digits"),
    ("x", "this account is text; write a mapping, such as {id:"),
    ("[]", "this account is a list; write a mapping, such as {id:"),
    ("~", "this account is empty; write a mapping, such as {id:"),
]
SETTING = [
    ("name: 12", 'name 12 is a number; write it in quotes: "12"'),
    ("name: true", 'name true is true or false to YAML; write it in quotes: "true"'),
    ("name: {}", "name is a mapping; write 1 to 256 visible characters"),
    ('name: ""', "name '' can't be used; write 1 to 256 visible characters"),
    (r'name: "a\x1b[31m"', r"name 'a\x1b[31m' can't be used; write 1 to 256 visible characters"),
    (r'name: "a\u202eb"', r"name 'a\u202eb' can't be used"),
    (r'name: "a\nb"', r"name 'a\nb' can't be used"),
    ("name: " + "x" * 257, "x…' can't be used; write 1 to 256"),
    ("name:", "name is empty; write 1 to 256 visible characters"),
    ("nmae: x", "unknown key 'nmae'; write name, or remove it"),
    ("role-name: x", "unknown key 'role-name'; write role_name, or remove it"),
    ("zzzzzzz: x", "unknown key 'zzzzzzz'; the keys here are external_id, id, max_requests_per_second,"),
    (r'"\x1b[2J": x', r"unknown key '\x1b[2J'"),
    ("concurrency: 3", "concurrency has no place here; move it under limits"),
    ("<<: {name: x}", "merge keys (<<) are not read here"),
    ("role_name: audit/Reader", "role_name 'audit/Reader' can't be used; write the role's name alone"),
    ('role_name: ""', "role_name '' can't be used"),
    (f"role_name: {LONG}", "can't be used; write the role's name alone, 1 to 64"),
    ("role_name: Rôle", "role_name 'Rôle' can't be used"),
    ('role_name: "R\\n"', r"role_name 'R\n' can't be used"),
    ("role_name: [R]", "role_name is a list; write the role's name alone"),
    (
        "role_arn: Reader",
        "role_arn 'Reader' can't be used; write one such as \"arn:aws:iam::{account_id}:role/",
    ),
    ("role_arn: arn:aws:iam::111122223333:user/R", "can't be used; write one such as"),
    ("role_arn: arn:aws-cn:iam::111122223333:role/R", "can't be used; write one such as"),
    ("role_arn: arn:aws:sts::111122223333:assumed-role/R/s", "can't be used; write one such as"),
    ("role_arn: arn:aws:iam::1111:role/R", "can't be used; write one such as"),
    ("role_arn: arn:aws:iam::{account}:role/R", "can't be used; write one such as"),
    ("role_arn: arn:aws:iam::{account_id}:role/{name}", "can't be used; write one such as"),
    (f"role_arn: arn:aws:iam::111122223333:role/{LONG}", "its name at most 64 characters"),
    (
        "role_arn: arn:aws:iam::{account_id}:role/" + LONG[:53] + "{account_id}",
        "its name at most 64 characters",
    ),
    (
        "role_arn: arn:aws:iam::999988887777:role/R",
        "role_arn 'arn:aws:iam::999988887777:role/R' is not in account '111122223333' (line 4); write {account_id}",
    ),
    ("external_id: a", "external_id can't be used; write 2 to 1224 letters"),
    ("external_id: a b", "external_id can't be used; write 2 to 1224 letters"),
    ("external_id: " + "a" * 1225, "external_id can't be used; write 2 to 1224 letters"),
    ("external_id: 12", "external_id is a number; write 2 to 1224 letters"),
    (
        "external_id:",
        "external_id is empty; write 2 to 1224 letters, digits or _+=,.@:/-, or leave the key out",
    ),
    ("session_name: a", "session_name 'a' can't be used; write 2 to 64 letters"),
    ("session_name: a/b", "session_name 'a/b' can't be used; write 2 to 64 letters"),
    ("session_duration: 13h", "session_duration '13h' can't be used; write 15m to 12h"),
    ("session_duration: 899s", "session_duration '899s' can't be used; write 15m to 12h"),
    ("session_duration: 3600", "session_duration: '3600' has no unit; write 3600s, 3600m, 3600h or 3600d"),
    ("session_duration: -1h", "session_duration: '-1h' is not above zero"),
    ("session_duration: 1.5", "session_duration is a number; write 15m to 12h"),
    ("session_duration: true", "session_duration is true or false; write 15m to 12h"),
    ("session_duration: {}", "session_duration is a mapping; write 15m to 12h"),
    ("max_requests_per_second: 0", "max_requests_per_second '0' can't be used; write a number from 0.01 to"),
    (
        "max_requests_per_second: -2",
        "max_requests_per_second '-2' can't be used; write a number from 0.01 to",
    ),
    ("max_requests_per_second: 1e9", "max_requests_per_second '1e9' can't be used; write a number from 0.01"),
    ("max_requests_per_second: .inf", "max_requests_per_second is text; write a number from 0.01"),
    ("max_requests_per_second: .nan", "max_requests_per_second is text; write a number from 0.01"),
    ("max_requests_per_second: true", "max_requests_per_second is true or false; write a number from 0.01"),
    ('max_requests_per_second: "5"', "max_requests_per_second is text; write a number from 0.01 to 10000"),
    ("max_requests_per_second: [5]", "max_requests_per_second is a list; write a number from 0.01 to 10000"),
    ("max_requests_per_second:", "max_requests_per_second is empty; write a number from 0.01 to 10000"),
    ("max_request_per_second: 5", "unknown key 'max_request_per_second'; write max_requests_per_second,"),
    (
        "max_requests_per_second_per_region: 0.001",
        "max_requests_per_second_per_region '0.001' can't be used; write a number from 0.01 to 10000, such as",
    ),
    ("regions: []", "regions is empty, so nothing would be audited; write all, or a list"),
    ("regions:", "regions is empty; write all, or a list"),
    ("regions: us-east-1", "regions 'us-east-1' is no list; write [us-east-1]"),
    ("regions: everything", "regions 'everything' is no list; write all, or a list such as"),
    ("regions: {}", "regions is a mapping; write all, or a list"),
    ("regions: 1", "regions is a number; write all, or a list"),
    ("regions: [us-east-1a]", "Region 'us-east-1a' is none that Lightsail is known to have; write us-east-1"),
    (
        "regions: [zzzz]",
        "Region 'zzzz' is none that Lightsail is known to have; Lightsail is in eu-central-1,",
    ),
    ("regions: [us-east-1, us-east-1]", "Region 'us-east-1' is listed twice, on line 5 first; keep one"),
    ("regions: [all]", "all stands in a list of Regions; write regions: all, without brackets"),
    ("regions: [1]", "a Region is a number; write its name"),
    ("regions: [[us-east-1]]", "a Region is a list; write its name"),
    ("name: ${UNSET}", "${UNSET}: not set in the environment, or empty; set it before the run"),
    ("name: ${EMPTY}${UNSET}", "${EMPTY} and ${UNSET}: not set in the environment, or empty"),
    ("name: ${A-B}", "'${' begins the name of an environment variable; write ${NAME}, or $${ for a plain ${"),
    ("name: ${", "'${' begins the name of an environment variable"),
    ("name: !!binary aGk=", "the tag '!!binary' can't be used here; leave it out"),
    ("name: !!python/object/apply:os.system [id]", "the tag '!!python/object/apply:os.system' can't be used"),
    ("name: " + "1" * 5000, "a number of more than 4,300 digits is too long"),
]
TOP = [
    ("history:", "history is empty; write a mapping, such as {store: auditor-history.sqlite3}, or {}"),
    (
        "history: s3://bucket/key",
        "history is text; write a mapping, such as {store: auditor-history.sqlite3}",
    ),
    ("history: {stroe: a}", "unknown key 'stroe'; write store, or remove it"),
    ("history: {store: 1}", "store is a number; write a file's path, sqlite:///PATH, postgresql://"),
    ("history: {store: ''}", "store can't be used; write a file's path, sqlite:///PATH"),
    ("history: {store: [a]}", "store is a list; write a file's path"),
    (
        "history: {store: mysql://u:canary@host/db}",
        "store of history is of an unknown kind, 'mysql'; write a file",
    ),
    ("history: {store: 'sqlite://'}", "store of history names no file; write sqlite:///PATH, or"),
    ("history: {store: 'sqlite:///'}", "store of history names no file; write a file's path"),
    ("history: {store: some/}", "store of history names no file; write a file's path"),
    ("history: {store: 's3://Bucket/key'}", "store of history names no bucket of S3, 'Bucket'; write s3://"),
    (
        "history: {store: 's3://bucket'}",
        "store of history names no object of S3; write s3://BUCKET/KEY, such as",
    ),
    ("history: {store: 's3://bucket/a/'}", "store of history names no object of S3; write s3://BUCKET/KEY"),
    (
        "history: {store: 'postgresql://u:canary@h:x/db'}",
        "store of history is no URL of PostgreSQL; write postgresql",
    ),
    (
        "history: {store: 'postgresql://u:canary@h/db'}",
        "store of history holds a password; write ${NAME} in its place",
    ),
    (
        "history: {store: 'postgres://h/db?password=canary'}",
        "store of history holds a password; write ${NAME}",
    ),
    ("history: {wait: 0s}", "wait: '0s' is not above zero; write a whole number and one unit"),
    ("history: {wait: 10}", "wait: '10' has no unit; write 10s, 10m, 10h or 10d"),
    ("store: x", "store has no place here; move it under history"),
    (
        "destinations: 1",
        "destinations is a number; write a mapping of destinations, each by a name of your own",
    ),
    ("acounts: []", "unknown key 'acounts'; write accounts, or remove it"),
    ("role_name: R", "role_name has no place here; move it under defaults, or to an account"),
    ("version: 1", "the key 'version' stands here twice, on line 1 first; keep one"),
    ("limits: []", "limits is a list; write a mapping, such as {concurrency: 64}"),
    ("limits:", "limits is empty; write a mapping, such as {concurrency: 64}, or leave the key out"),
    ("limits: {concurrency: 0}", "concurrency '0' can't be used; write a whole number from 1 to 1024"),
    ("limits: {concurrency: -3}", "concurrency '-3' can't be used; write a whole number from 1 to 1024"),
    ("limits: {concurrency: 1025}", "concurrency '1025' can't be used; write a whole number"),
    ("limits: {concurrency: true}", "concurrency is true or false; write a whole number"),
    ("limits: {concurrency: 1.5}", "concurrency is a number; write a whole number"),
    ('limits: {concurrency: "64"}', "concurrency is text; write a whole number"),
    ("limits: {deadline: 0s}", "deadline: '0s' is not above zero; write"),
    ("limits: {deadline: 30}", "deadline: '30' has no unit; write 30s, 30m, 30h or 30d"),
    ("limits: {request_timeout: soon}", "request_timeout: 'soon' is no duration; write"),
    (
        "limits: {max_age: 3d}",
        "unknown key 'max_age'; the keys here are concurrency, deadline and request_timeout",
    ),
    (
        "limits: {max_requests_per_second: 5}",
        "max_requests_per_second has no place here; move it under defaults, or to an account",
    ),
    ("policies: []", "policies is a list; write a mapping of policies"),
    (
        "policies: {stale-export: {}}",
        "unknown policy 'stale-export'; write stale-failed-export, or remove it",
    ),
    ("policies: {zzzz: {}}", "unknown policy 'zzzz'; the policies are oversized-disk, stale-failed-export,"),
    ("policies: {stuck-export: false}", "stuck-export is true or false; write a mapping of settings"),
    (
        "policies: {stuck-export: }",
        "stuck-export is empty; write a mapping of settings, such as {enabled: true}",
    ),
    ("policies: {stuck-export: [1]}", "stuck-export is a list; write a mapping of settings"),
    ("policies: {stuck-export: {enabled: yes}}", "enabled of stuck-export is text; write true or false"),
    ("policies: {stuck-export: {enabled: 1}}", "enabled of stuck-export is a number; write true or false"),
    ("policies: {stuck-export: {severity: hihg}}", "severity of stuck-export 'hihg' is unknown; write high"),
    (
        "policies: {stuck-export: {severity: zz}}",
        "is unknown; write one of critical, high, medium, low, info",
    ),
    (
        "policies: {stuck-export: {severity: 1}}",
        "severity of stuck-export is a number; write one of critical",
    ),
    ("policies: {stuck-export: {severity: }}", "severity of stuck-export is empty; write one of critical"),
    ("policies: {stuck-export: {max-age: 3d}}", "unknown key 'max-age'; write max_age, or remove it"),
    ("policies: {stuck-export: {max_age: 24}}", "max_age of stuck-export: '24' has no unit; write 24s,"),
    (
        "policies: {stuck-export: {max_age: }}",
        "max_age of stuck-export is empty; write a whole number and one unit",
    ),
    (
        "policies: {oversized-disk: {max_gb: -1}}",
        "max_gb of oversized-disk '-1' can't be used; write a number above 0",
    ),
    ("policies: {oversized-disk: {max_gb: big}}", "max_gb of oversized-disk is text; write a number"),
    (
        "policies: {oversized-disk: {max_gb: true}}",
        "max_gb of oversized-disk is true or false; write a number",
    ),
    ("policies: {oversized-disk: {max_gb: 1e999}}", "max_gb of oversized-disk"),
    (
        "policies: {stale-failed-export: {ignore_after: 1d}}",
        "stale-failed-export: ignore_after is not longer than max_age",
    ),
    ("{a: b}: c", "a mapping can't be a key; write a plain word"),
    ("? {a: b}\n: c", "a mapping can't be a key; write a plain word"),
    ("...\n---\nversion: 1", ""),
]
WHOLE: list[tuple[str | bytes, int | None, str]] = [
    ("", None, "is empty; copy accounts.example.yaml"),
    (" \n\n", None, "is empty; copy accounts.example.yaml"),
    ("# nothing\n", None, "holds nothing but comments; copy accounts.example.yaml"),
    ("---\n", None, "the file holds nothing; write keys, the first of them version: 1"),
    ("- a\n", 1, "the file holds a list; write keys"),
    ("hello\n", 1, "the file holds text; write keys"),
    (b"ver\nsion: \xff\n", 2, "holds a byte that is not UTF-8; save the file as UTF-8"),
    ("version: 1\n".encode("utf-16"), 1, "is binary, or UTF-16; write it as text in UTF-8"),
    (b"\x7fELF\x00\x00", 1, "is binary"),
    ("a: b\nc: \x1b[31m\n", 2, "holds the control character U+001B; remove it"),
    ("a: b\nc: \x85d\n", 2, "holds the control character U+0085; remove it"),
    ("a: b\nc: \u2028d\n", 2, "holds the control character U+2028; remove it"),
    ("a: b\nc: \ufeffd\n", 2, "holds the control character U+FEFF; remove it"),
    ("a: b\n\tc: d\n", 2, "indent with spaces, not tabs"),
    ("a: b: c\n", 1, "is not valid YAML in column 5: mapping values are not allowed"),
    ("a: b\nc: [d\n", 2, "is not valid YAML"),
    ("a: @b\n", 1, "put a text that begins with @ in quotes"),
    ("a: *b\n", 1, "the alias *b stands before its anchor &b, or in it; write the value out"),
    ("a: &b [*b]\n", 1, "the alias *b stands before its anchor &b, or in it"),
    ("a: 1\n---\nb: 2\n", 2, "a second document begins here; one file holds one"),
    ("[" * 100_000, 1, "nested more than 20 levels deep"),
    ("a: " + "{a: " * 21 + "1" + "}" * 21, 1, "nested more than 20 levels deep"),
    (
        "a: &a " + "[" * 11 + "]" * 11 + "\nb: " + "[" * 10 + "*a" + "]" * 10,
        2,
        "nested more than 20 levels deep",
    ),
    ("# x\n" * 1_100_000, None, "is larger than 4 MiB; split the accounts"),
    ("[" + "a," * 600_000 + "]", 1, "unfolds to more than 500,000 values"),
]


def cases(rows: list[tuple[str, str]]) -> list[object]:
    return [
        pytest.param(written, said, id=written[:60].encode("unicode_escape").decode())
        for written, said in rows
    ]


@pytest.mark.parametrize(("written", "said"), cases(ACCOUNT))
def test_an_account_that_is_none_is_told_on_its_line(load: Load, written: str, said: str) -> None:
    ((line, text),) = problems(load, f"version: 1\ndefaults: {{role_name: R}}\naccounts:\n  - {written}\n")
    assert line == 4
    assert said in text


@pytest.mark.parametrize(("written", "said"), cases(SETTING))
@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_a_bad_setting_is_told_on_its_line(load: Load, written: str, said: str, newline: str) -> None:
    ((line, text),) = problems(load, f"{HEAD}    {written}\n".replace("\n", newline), EMPTY="")
    assert line == 5
    assert said in text
    assert len(text) < 400


@pytest.mark.parametrize(("written", "said"), cases(TOP))
def test_a_bad_key_at_the_margin_is_told_on_its_line(load: Load, written: str, said: str) -> None:
    found = problems(load, f"{HEAD}{written}\n")
    assert len(found) == 1
    assert found[0][0] == (6 if written.startswith("...") else 5)
    assert said in found[0][1]


@pytest.mark.parametrize(
    ("content", "line", "said"), [pytest.param(*row, id=repr(row[0][:30])) for row in WHOLE]
)
def test_a_file_that_is_no_configuration_is_one_problem(
    load: Load, content: str | bytes, line: int | None, said: str
) -> None:
    ((found, text),) = problems(load, content)
    assert found == line
    assert said in text


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            "accounts: []\n",
            [(1, "version is missing; write version: 1"), (1, "accounts is empty; write a list with")],
        ),
        (
            "version: 2\naccounts:\n",
            [(1, "version is '2', and this auditor reads version 1"), (2, "accounts is empty;")],
        ),
        (
            'version: "1"\naccounts: {}\n',
            [(1, "version is '1', and this"), (2, "accounts is a mapping; write a list")],
        ),
        (
            "version: true\naccounts: x\n",
            [(1, "version is 'true', and"), (2, "accounts is text; write a list")],
        ),
        ("version: 1\n", [(1, "accounts is missing; write accounts: a list with an entry for each account")]),
    ],
)
def test_a_file_without_its_two_keys_says_which(
    load: Load, content: str, expected: list[tuple[int, str]]
) -> None:
    found = problems(load, content)
    assert [line for line, _ in found] == [line for line, _ in expected]
    assert all(said in text for (_, text), (_, said) in zip(found, expected, strict=True))


def test_an_account_listed_twice_names_both_lines(load: Load) -> None:
    text = HEAD + '  - id: "444455556666"\n  - name: again\n    id: "111122223333"\n'
    assert problems(load, text) == [(7, "account '111122223333' is listed twice, on line 4 first; keep one")]


def test_two_roles_at_one_level_are_one_too_many(load: Load) -> None:
    both = "role_name: R, role_arn: 'arn:aws:iam::{account_id}:role/R'"
    found = problems(
        load, f"version: 1\ndefaults: {{{both}}}\naccounts:\n  - {{id: '111122223333', {both}}}\n"
    )
    said = "role_name stands beside role_arn"
    assert [line for line, _ in found] == [2, 4]
    assert all("stands beside" in text and "keep one of them" in text for _, text in found), said


def test_an_account_without_a_role_is_told_once_for_all(load: Load) -> None:
    text = "version: 1\naccounts:\n" + "".join(f"  - id: '{number:012}'\n" for number in range(5))
    ((line, said),) = problems(load, text)
    assert line == 3
    assert said.startswith("this account (and 4 more) has no role, nor have the defaults; write role_name:")


def test_a_fixed_account_in_the_defaults_role_is_told_where_it_stands(load: Load) -> None:
    text = "version: 1\ndefaults:\n  role_arn: arn:aws:iam::111122223333:role/R\naccounts:\n"
    text += "".join(f"  - id: '{number:012}'\n" for number in range(5))
    ((line, said),) = problems(load, text)
    assert line == 3
    assert "is not in account '000000000000' (line 5); write {account_id}" in said


def test_all_faults_are_told_at_once_in_the_files_order(load: Load) -> None:
    found = problems(
        load,
        """\
defaults:
  role_name: audit/Reader
  external_id: ${AUDITOR_EXTERNAL_ID}
  regoins: all
accounts:
  - id: 012345678901
    session_duration: 13h
  - id: "11112222333"
    regions: [us-east-1a, eu-west-9]
policies:
  stale-export: {max_age: 3d}
  stuck-export:
    max_age: 24
limits: {concurrency: 0}
""",
    )
    assert [line for line, _ in found] == [1, 2, 3, 4, 6, 7, 8, 9, 9, 11, 13, 14]


def test_a_bomb_of_aliases_does_not_go_off(load: Load) -> None:
    levels = "abcdefghij"
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    for before, name in pairwise(levels):
        lines.append(f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]")
    ((line, said),) = problems(load, "\n".join(lines))
    assert line == 6
    assert "unfolds to more than 500,000 values" in said


def test_thousands_of_faults_end_in_a_count(load: Load) -> None:
    found = problems(load, HEAD + "".join(f"x{number}: 1\n" for number in range(10_001)))
    assert len(found) == 10_001
    assert found[-1] == (None, "has 10,000 faults or more; mend these first")


@pytest.mark.parametrize(
    "written",
    [
        "    external_id: canary s3cret",
        "    external_id: ${CANARY}",
        "    external_id: [canary-s3cret]",
        "    external_id: {canary-s3cret: 1}",
        "    name: ${CANARY}",
        "    role_name: ${CANARY}",
        "    role_arn: ${CANARY}",
        "    role_arn: arn:aws:iam::${NUMBER}:role/R",
        "    session_name: ${CANARY}",
        "    session_duration: ${CANARY}",
        "    session_duration: ${NUMBER}",
        "    regions: ${CANARY}",
        "    regions: ['${CANARY}']",
        "    regions: ['${NEAR}']",
        "    regions: ['${NUMBER}', us-east-1, us-east-1]",
        "  - id: ${CANARY}",
        "  - id: ${NUMBER}\n  - id: ${NUMBER}",
        "limits: {concurrency: '${CANARY}', deadline: '${CANARY}'}",
        "policies: {stuck-export: {severity: '${CANARY}'}}",
        "policies: {stuck-export: {enabled: '${CANARY}', max_age: '${CANARY}'}}",
        "policies: {oversized-disk: {max_gb: '${CANARY}'}}",
        "policies: {stale-failed-export: {ignore_after: '${SHORT}'}}",
        "policies: '${CANARY}'",
    ],
)
def test_no_message_shows_an_external_id_or_what_a_variable_holds(load: Load, written: str) -> None:
    environ = {"CANARY": "canary s3cret\x1b", "NUMBER": "987698769876", "NEAR": "eu-east-1", "SHORT": "77s"}
    for _, text in problems(load, f"{HEAD}{written}\n", **environ):
        assert not any(secret in text for secret in ("canary", "s3cret", "9876", "eu-east", "77s"))
