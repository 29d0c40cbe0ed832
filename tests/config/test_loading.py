"""What a good file means."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from auditor.config import Limits, PolicySettings
from auditor.model import Severity

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditor.config import Config

    Load = Callable[..., Config]

SMALL = """\
version: 1
defaults: {role_name: Reader}
accounts:
  - id: "000022223333"
"""


def test_what_is_not_said_has_its_default(load: Load) -> None:
    config = load(SMALL)
    (account,) = config.accounts
    assert account.id == "000022223333"
    assert account.name is None
    assert account.role_arn == "arn:aws:iam::000022223333:role/Reader"
    assert account.external_id is None
    assert account.session_name == "lightsail-export-audit"
    assert account.session_duration == 3600
    assert account.regions == ("eu-central-1", "eu-west-1", "us-east-1", "us-west-2")
    assert account.max_requests_per_second is None
    assert account.max_requests_per_second_per_region is None
    assert config.limits == Limits(
        concurrency=64, request_timeout=timedelta(seconds=20), deadline=timedelta(minutes=30)
    )
    assert config.path.endswith("accounts.yaml")


def test_an_account_says_otherwise_than_the_defaults(load: Load) -> None:
    config = load("""\
version: 1
defaults:
  role_arn: arn:aws:iam::{account_id}:role/audit/Reader
  external_id: shared-one
  session_name: nightly
  session_duration: 2h
  regions: [us-west-2, eu-west-1]
accounts:
  - id: "111122223333"
    name: payments prod, ütf-8
    role_name: Other
    external_id: own:one/1
    session_name: audit@payments
    session_duration: 15m
    regions: [us-east-1]
  - id: "111122223334"
  - {id: "111122223335", role_arn: "arn:aws:iam::111122223335:role/Own", regions: all}
""")
    own, inherited, third = config.accounts
    assert own.name == "payments prod, ütf-8"
    assert own.role_arn == "arn:aws:iam::111122223333:role/Other"
    assert (own.external_id, own.session_name, own.session_duration) == ("own:one/1", "audit@payments", 900)
    assert own.regions == ("us-east-1",)
    assert inherited.role_arn == "arn:aws:iam::111122223334:role/audit/Reader"
    assert (inherited.external_id, inherited.session_name) == ("shared-one", "nightly")
    assert inherited.session_duration == 7200
    assert inherited.regions == ("us-west-2", "eu-west-1")
    assert third.role_arn == "arn:aws:iam::111122223335:role/Own"
    assert len(third.regions) == 4


def test_an_accounts_requests_are_limited_where_it_or_the_defaults_say_so(load: Load) -> None:
    config = load("""\
version: 1
defaults: {role_name: R, max_requests_per_second: 5}
organization: {}
accounts:
  - {id: "111122223333", max_requests_per_second: 0.5, max_requests_per_second_per_region: 0.25}
  - {id: "111122223334"}
""")
    assert config.organization is not None
    accounts = [*config.accounts, config.organization.found("111122223335", None)]
    assert [account.max_requests_per_second for account in accounts] == [0.5, 5, 5]
    assert [account.max_requests_per_second_per_region for account in accounts] == [0.25, None, None]


def test_the_account_id_may_stand_in_the_roles_name(load: Load) -> None:
    config = load(
        SMALL.replace("role_name: Reader", 'role_arn: "arn:aws:iam::{account_id}:role/r-{account_id}"')
    )
    assert config.accounts[0].role_arn == "arn:aws:iam::000022223333:role/r-000022223333"


def test_every_known_policy_is_there_named_or_not(load: Load) -> None:
    config = load(
        SMALL
        + "policies:\n"
        + "  stuck-export: {enabled: false, severity: info}\n"
        + "  stale-failed-export: {max_age: 90m, ignore_after: null}\n"
    )
    assert list(config.policies) == ["stale-failed-export", "oversized-disk", "stuck-export"]
    assert config.policies["stuck-export"].enabled is False
    assert config.policies["stuck-export"].severity is Severity.INFO
    stale: Any = config.policies["stale-failed-export"]
    assert (stale.enabled, stale.severity, stale.max_age) == (True, Severity.HIGH, timedelta(minutes=90))
    assert stale.ignore_after is None
    oversized: Any = config.policies["oversized-disk"]
    assert oversized.max_gb == 640


def test_settings_can_be_made_by_a_program_and_not_changed() -> None:
    settings = PolicySettings(severity=Severity.LOW)
    with pytest.raises(ValidationError):
        settings.enabled = False
    with pytest.raises(ValidationError):
        Limits().concurrency = 3


def test_aliases_windows_line_ends_and_a_byte_order_mark_are_read(load: Load) -> None:
    text = SMALL.replace("Reader}", "Reader, regions: &eu [eu-west-1]}") + '    regions: *eu\n    name: "x"\n'
    assert load(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode()).accounts[0].regions == ("eu-west-1",)


def test_words_are_read_as_editors_read_them(load: Load) -> None:
    # YAML 1.1 takes these for false, a date and an octal number.
    for name in ("no", "2026-01-01", "0x1f", "1_000", "12:30:45", "=", "<<"):
        assert load(SMALL + f"    name: {name}\n").accounts[0].name == name


def test_the_environment_fills_in_texts_everywhere(load: Load) -> None:
    config = load(
        """\
version: 1
defaults: {role_name: "${P}Reader", external_id: "${SECRET}-$${x}", regions: ["${R}"]}
accounts: [{id: "${ID}", name: "${P}${P} $P $${P}"}]
policies: {stuck-export: {max_age: "${AGE}", severity: "${SEV}"}}
""".replace("-$${x}", ""),
        {"P": "a", "SECRET": "s3cret", "R": "us-east-1", "ID": "111122223333", "AGE": "2d", "SEV": "low"},
    )
    (account,) = config.accounts
    assert account.role_arn == "arn:aws:iam::111122223333:role/aReader"
    assert account.external_id == "s3cret"
    assert account.name == "aa $P ${P}"
    assert account.regions == ("us-east-1",)
    assert config.policies["stuck-export"].severity is Severity.LOW


def test_what_a_variable_holds_is_not_read_as_yaml_or_as_a_variable(load: Load) -> None:
    config = load(SMALL + "    name: ${NAME}\n", {"NAME": "a: ${OTHER} *b"})
    assert config.accounts[0].name == "a: ${OTHER} *b"


def test_the_digest_is_of_what_is_meant_and_not_of_how_it_is_written(load: Load) -> None:
    other = """\
# the same
limits: {deadline: 1800s, concurrency: 64}
policies: {stuck-export: {max_age: 1d}, oversized-disk: {max_gb: 640.0}}
accounts: [{id: "${ID}", regions: [us-west-2, us-east-1, eu-west-1, eu-central-1], external_id: abc}]
defaults: {role_arn: "arn:aws:iam::{account_id}:role/Reader"}
version: 1
"""
    digest = load(SMALL).digest
    assert load(other, {"ID": "000022223333"}).digest == digest
    assert len(digest) == 64
    changes = [
        SMALL.replace("Reader", "Reader2"),
        SMALL.replace("3333", "3334"),
        SMALL + "    name: x\n",
        SMALL + "    regions: [us-east-1]\n",
        SMALL + "    session_duration: 16m\n",
        SMALL + "    max_requests_per_second: 5\n",
        SMALL + "    max_requests_per_second_per_region: 5\n",
        SMALL + "limits: {concurrency: 65}\n",
        SMALL + "policies: {stuck-export: {enabled: false}}\n",
    ]
    assert len({digest, *(load(text).digest for text in changes)}) == len(changes) + 1


def test_an_external_id_is_in_no_repr(load: Load) -> None:
    assert "canary" not in repr(load(SMALL + "    external_id: canary-1\n"))
