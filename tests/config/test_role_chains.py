"""The hub, session tags, the source identity and the session policy, as a file says them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import yaml

from auditor.config import json_schema
from auditor.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from auditor.config import Config, PolicySettings

    Load = Callable[..., Config]

HUB = "arn:aws:iam::999988887777:role/audit/AuditHub"
FILE = """\
version: 1
defaults:
  role_name: R
{defaults}
accounts:
  - id: "111122223333"
{account}
"""


def written(defaults: str = "", account: str = "") -> str:
    return FILE.format(
        defaults="".join(f"  {line}\n" for line in defaults.splitlines()),
        account="".join(f"    {line}\n" for line in account.splitlines()),
    )


def problems(load: Load, content: str) -> list[tuple[int | None, str]]:
    with pytest.raises(ConfigError) as caught:
        load(content)
    return [(problem.line, problem.text) for problem in caught.value.problems]


def test_there_is_no_hub_tag_or_identity_unless_they_are_written_and_the_session_policy_is_on(
    load: Load,
) -> None:
    (account,) = load(written()).accounts
    assert (account.hub, account.session_tags, account.source_identity) == (None, (), None)
    assert account.session_policy is True


def test_a_hub_is_an_account_s_way_in_with_the_defaults_own_session(load: Load) -> None:
    defaults = (
        f"hub_role_arn: {HUB}\nhub_external_id: hub-canary\nexternal_id: member-1\nsession_name: night\n"
        "session_duration: 4h\nsession_tags: {team: security}\nsource_identity: auditor"
    )
    (account,) = load(written(defaults, "session_tags: {team: shop, purpose: audit}")).accounts
    hub = account.hub
    assert hub is not None
    assert (hub.id, hub.role_arn, hub.external_id) == ("999988887777", HUB, "hub-canary")
    assert (hub.session_name, hub.session_duration, hub.hub) == ("night", 3600, None)
    assert (hub.session_tags, hub.source_identity) == ((("team", "security"),), "auditor")
    # An account's tags take the place of all those of the defaults.
    assert account.session_tags == (("team", "shop"), ("purpose", "audit"))
    assert (account.external_id, account.session_duration) == ("member-1", 14_400)
    assert "canary" not in repr(account)


def test_an_account_may_have_its_own_identity_and_do_without_a_session_policy(load: Load) -> None:
    (account,) = load(
        written("source_identity: auditor", "source_identity: other.one\nsession_policy: false")
    ).accounts
    assert (account.source_identity, account.session_policy) == ("other.one", False)


def test_the_digest_tells_each_of_them(load: Load) -> None:
    texts = [
        written(),
        written(f"hub_role_arn: {HUB}"),
        written("session_tags: {team: a}"),
        written("session_tags: {team: b}"),
        written("source_identity: auditor"),
        written("session_policy: false"),
    ]
    assert len({load(text).digest for text in texts}) == len(texts)


BAD = [
    (
        "hub_role_arn: AuditHub",
        4,
        "hub_role_arn 'AuditHub' can't be used; write the ARN of one role, such as",
    ),
    ("hub_role_arn: arn:aws:iam::{account_id}:role/Hub", 4, "can't be used; write the ARN of one role"),
    ("hub_role_arn: arn:aws:iam::999988887777:user/Hub", 4, "can't be used; write the ARN of one role"),
    ("hub_role_arn:", 4, "hub_role_arn is empty; write the ARN of one role"),
    (
        "hub_external_id: abc",
        4,
        "hub_external_id stands without hub_role_arn; write the hub's ARN, or remove it",
    ),
    (f"hub_role_arn: {HUB}\nhub_external_id: canary!", 5, "hub_external_id can't be used; write 2 to 1224"),
    ("source_identity: a", 4, "source_identity 'a' can't be used; write 2 to 64 letters, digits or _+=,.@-"),
    ("source_identity: a b", 4, "source_identity 'a b' can't be used; write 2 to 64"),
    (f"source_identity: {'x' * 65}", 4, "can't be used; write 2 to 64"),
    ("session_policy: 'yes'", 4, "session_policy is text; write true or false"),
    ("session_tags: [a]", 4, "session_tags is a list; write a mapping, such as {team: security}"),
    ("session_tags: x", 4, "session_tags is text; write a mapping, such as {team: security}"),
    ("session_tags:\n  name: 12", 5, 'name 12 is a number; write it in quotes: "12"'),
    ("session_tags:\n  team: [a]", 5, "team is a list; write text"),
    ("session_tags:\n  team:", 5, "team is empty; write text"),
    ("session_tags:\n  team: a\n  Team: b", 6, "the tag 'Team' is on line 5 too but for its case; keep one"),
    ("session_tags: {team: a, Team: b}", 4, "the tag 'Team' is on line 4 too but for its case; keep one"),
    ("session_tags:\n  aws:x: a", 5, "a tag's key can't be 'aws:x': AWS keeps aws: for its own"),
    ("session_tags:\n  AWS:x: a", 5, "a tag's key can't be 'AWS:x': AWS keeps aws: for its own"),
    (
        "session_tags:\n  'a*': b",
        5,
        "a tag's key can't be 'a*'; write 1 to 128 letters, digits, blanks or _.:/=+-@",
    ),
    ("session_tags:\n  '': b", 5, "a tag's key can't be ''; write 1 to 128"),
    (f"session_tags:\n  {'k' * 129}: b", 5, "write 1 to 128"),
    ("session_tags:\n  team: 'a#b'", 5, "the tag team can't be 'a#b'; write at most 256 letters"),
    (f"session_tags:\n  team: {'v' * 257}", 5, "write at most 256"),
    (
        "session_tags: {" + ", ".join(f"t{n}: v" for n in range(51)) + "}",
        4,
        "session_tags has 51 tags; STS takes 50: remove some of them",
    ),
]


@pytest.mark.parametrize(("defaults", "line", "text"), BAD)
def test_what_sts_would_refuse_is_told_with_its_line(load: Load, defaults: str, line: int, text: str) -> None:
    ((found, told),) = problems(load, written(defaults))
    assert found == line
    assert text in told
    assert "canary" not in told


def test_a_hub_of_one_account_is_said_to_belong_elsewhere(load: Load) -> None:
    ((line, text),) = problems(load, written("", f"hub_role_arn: {HUB}"))
    assert (line, text) == (7, "hub_role_arn has no place here; move it under defaults")


def test_a_source_identity_that_the_hub_s_session_would_keep_from_being_set_is_told(load: Load) -> None:
    content = written(f"hub_role_arn: {HUB}\nsource_identity: auditor", "source_identity: other")
    ((line, text),) = problems(load, content)
    assert line == 9
    assert text.startswith("source_identity 'other': the hub's session has another one (line 5)")
    load(written("source_identity: auditor", "source_identity: other"))  # no hub, nothing to keep
    load(written(f"hub_role_arn: {HUB}\nsource_identity: same", "source_identity: same"))


@pytest.mark.parametrize(
    "defaults",
    [
        "session_tags: {}",
        "session_tags:\n  Grüße an: alle 12\n  empty: ''\n  '_.:/=+-@': '_.:/=+-@'",
        "session_tags: {" + ", ".join(f"t{n}: {'v' * 256}" for n in range(50)) + "}",
        f"hub_role_arn: {HUB}\nhub_external_id: a/b\nsource_identity: {'x' * 64}",
    ],
)
def test_what_sts_takes_is_taken_by_the_loader_and_the_schema(
    load: Load,
    policies: Mapping[str, type[PolicySettings]],
    regions: tuple[str, ...],
    defaults: str,
) -> None:
    load(written(defaults))
    schema: Any = json_schema(policies, regions)
    jsonschema.Draft202012Validator(schema).validate(yaml.safe_load(written(defaults)))


@pytest.mark.parametrize(
    "defaults",
    [
        "hub_role_arn: AuditHub",
        "hub_external_id: abc",
        "source_identity: a",
        BAD[-1][0],
        "session_policy: 'yes'",
    ],
)
def test_the_schema_refuses_what_the_loader_refuses(
    policies: Mapping[str, type[PolicySettings]], regions: tuple[str, ...], defaults: str
) -> None:
    schema: Any = json_schema(policies, regions)
    assert not jsonschema.Draft202012Validator(schema).is_valid(yaml.safe_load(written(defaults)))
