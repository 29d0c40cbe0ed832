"""`organization:` in the configuration: what it means, and what is wrong with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from auditor.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditor.config import Config

    Load = Callable[..., Config]

HEAD = "version: 1\ndefaults: {role_name: R, external_id: of-all, regions: [us-east-1]}\n"
LISTED = 'accounts: [{id: "111122223333"}]\n'


def refused(load: Load, text: str, head: str = HEAD) -> str:
    with pytest.raises(ConfigError) as caught:
        load(head + text)
    return "\n".join(f"{problem.line}: {problem.text}" for problem in caught.value.problems)


def test_what_defaults_say_holds_for_the_accounts_found(load: Load) -> None:
    config = load(HEAD + "organization: {}\n")
    assert config.accounts == ()
    assert config.organization is not None
    found = config.organization.found("444455556666", "\x1b[2J")
    assert (found.role_arn, found.external_id, found.regions) == (
        "arn:aws:iam::444455556666:role/R",
        "of-all",
        ("us-east-1",),
    )
    assert config.organization.lister() is None
    assert config.external_ids == ("of-all",)


def test_filters_keep_their_line_and_what_is_written(load: Load) -> None:
    text = HEAD + "organization:\n  include:\n    tags: {env: [a, b]}\n    names:\n      - x-*\n"
    organization = load(text).organization
    assert organization is not None
    assert [(one.kind, one.value, one.tag_values, one.line) for one in organization.include] == [
        ("names", "x-*", (), 7),
        ("tags", "env", ("a", "b"), 5),
    ]


def test_the_digest_knows_the_organization_and_not_the_way_it_is_written(load: Load) -> None:
    whole = load(HEAD + LISTED).digest
    one = load(HEAD + LISTED + "organization: {include: {names: [a, b]}}\n").digest
    same = load(HEAD + LISTED + "organization:\n  include:\n    names: [b, a]\n").digest
    other = load(HEAD + LISTED + "organization: {exclude: {names: [a, b]}}\n").digest
    assert one == same
    assert len({whole, one, other}) == 3


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("organization:\n", "organization is empty; write a mapping"),
        ("organization: []\n", "organization is a list; write a mapping"),
        ("organization: {inclde: {}}\n", "unknown key 'inclde'; write include"),
        ("organization: {include: {}}\n", "include is empty; name ous, accounts, names or tags"),
        ("organization: {include: {ous: []}}\n", "ous is empty; write a list of organizational units"),
        ("organization: {include: {ous: [/Root]}}\n", "can't be used; write a path of names"),
        ("organization: {include: {accounts: [111122223333]}}\n", "is a number; write it in quotes"),
        ('organization: {include: {accounts: ["123"]}}\n', "account id '123' has 3 digits"),
        ("organization: {include: {tags: {cost: 42}}}\n", 'cost 42 is a number; write it in quotes: "42"'),
        *(
            (
                f"organization: {{include: {{tags: {{cost: {value}}}}}}}\n",
                f'the tag cost is {told}; write a text in quotes, or a list of one or more such texts; "*" is any',
            )
            for value, told in (
                ("[]", "a list"),
                ("[42]", "a list"),
                ("{a: b}", "a mapping"),
                ("null", "empty"),
            )
        ),
        (
            "organization:\n  external_id: abc\n",
            "4: external_id stands without role_arn, which it is for; write the role that lists the accounts, or",
        ),
        ("organization: {role_arn: R}\n", "role_arn 'R' can't be used; write a role of one account"),
        (
            'organization: {role_arn: "arn:aws:iam::{account_id}:role/R"}\n',
            "can't be used; write a role of one account",
        ),
        (
            'organization:\n  include: {accounts: ["000000000001"]}\n  exclude: {accounts: ["000000000001"]}\n',
            "5: account '000000000001' is both included (line 4) and excluded; keep one of them",
        ),
        (
            LISTED + 'organization: {exclude: {accounts: ["111122223333"]}}\n',
            "4: account '111122223333' is excluded, and listed under accounts (line 3)",
        ),
        ("ous: [Root]\n" + LISTED, "ous has no place here; move it under include or exclude"),
        ("accounts: []\n", "accounts is empty"),
        ("", "accounts is missing"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_write(load: Load, text: str, told: str) -> None:
    assert told in refused(load, text)


def test_the_accounts_found_need_a_role_that_is_in_each(load: Load) -> None:
    assert "the accounts of the organization have no role" in refused(
        load, "organization: {}\n", "version: 1\n"
    )
    head = "version: 1\ndefaults: {role_arn: arn:aws:iam::111122223333:role/R}\n"
    assert "is of one account, and holds for every account" in refused(load, "organization: {}\n", head)
