"""The key `destinations`: what it holds, and what is said of what it should not hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jsonschema
import pytest
import yaml

from auditor.config import json_schema, load_config
from auditor.delivery import destination_settings
from auditor.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from auditor.config import Config

HEAD = 'version: 1\naccounts: [{id: "111122223333", role_name: R}]\n'
CANARY = "canary-7f3a"


@pytest.fixture
def loaded(tmp_path: Path) -> object:
    def load(text: str) -> Config:
        path = tmp_path / "accounts.yaml"
        path.write_text((HEAD if "accounts:" not in text else "version: 1\n") + text)
        return load_config(
            path,
            policy_settings={},
            known_regions=["us-east-1"],
            environ={"KEY": CANARY, "EMPTY": ""},
            destination_settings=destination_settings(),
        )

    return load


def _siem(settings: str) -> str:
    return f"history: {{}}\ndestinations:\n  siem: {{{settings}}}\n"


def test_a_destination_has_its_settings_and_its_secret(loaded: object) -> None:
    assert callable(loaded)
    config = loaded(_siem("type: webhook, url: 'https://h.example.com/in', secret_env: KEY, send: changes"))
    (receiver,) = config.destinations
    assert (receiver.name, receiver.settings.send, receiver.secrets) == (
        "siem",
        "changes",
        {"secret": CANARY},
    )
    assert CANARY not in repr(config)
    assert CANARY in config.secrets
    assert config.digest == loaded("").digest


URL = "url: 'https://h.example.com/in'"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("destinations: {}\n", "3: destinations need a history"),
        (_siem("send: all"), "siem has no type; write what kind of destination it is: the types are event"),
        (_siem("type: webhok"), "type of siem: there is no 'webhok'; write webhook"),
        (_siem(f"type: webhook, {URL}, secret: {CANARY}"), "secret of siem: no secret stands in this file"),
        (_siem(f"type: webhook, {URL}"), "siem has no secret; write secret_env with the name of an envi"),
        (_siem(f"type: webhook, {URL}, secret_env: {CANARY}"), "secret_env of siem is no name of an environ"),
        (_siem(f"type: webhook, {URL}, secret_env: EMPTY"), "secret_env of siem: no environment variable of"),
        (_siem(f"type: webhook, {URL}, secret_file: nowhere"), "secret_file of siem: nowhere can't be read"),
        (
            _siem(f"type: webhook, {URL}, secret_env: KEY, secret_file: x"),
            "siem has both secret_env and secr",
        ),
        (_siem("type: webhook, secret_env: KEY"), "siem has no url; write url: a value"),
        (_siem(f"type: webhook, {URL}, secret_env: KEY, sned: all"), "unknown key 'sned'; write send"),
        (_siem(f"type: webhook, {URL}, secret_env: KEY, timeout: 0s"), "timeout of siem: '0s' is not above"),
        (
            _siem(f"type: webhook, url: 'https://u:{CANARY}@h/in', secret_env: KEY"),
            "url of siem: holds a user or password; no secret stands in this file",
        ),
        (
            _siem(f"type: webhook, {URL}, secret_env: KEY, format: oscf"),
            "format of siem 'oscf' can't be used; write one of 'json' or 'ocsf'",
        ),
        (
            _siem(f"type: webhook, {URL}, secret_env: KEY, format: ocsf, ocsf_version: 1.4.0"),
            "ocsf_version of siem '1.4.0' can't be used; write one of '1.8.0', '1.6.0' or '1.3.0'",
        ),
        (
            _siem(f"type: s3, bucket: audit, region: eu-west-1, role_arn: x, external_id: '{CANARY} 7'"),
            "external_id of siem can't be used",
        ),
        (_siem("type: webhook").replace("siem", "SIEM"), "destination 'SIEM': a name is of small letters"),
    ],
)
def test_what_can_not_be_used_is_told_and_no_secret_with_it(loaded: object, text: str, said: str) -> None:
    assert callable(loaded)
    with pytest.raises(ConfigError) as caught:
        loaded(text)
    assert said in str(caught.value)
    assert CANARY not in str(caught.value)


def test_the_schema_takes_a_destination_by_its_type_and_with_a_history_alone() -> None:
    validator = jsonschema.Draft202012Validator(json_schema({}, ["us-east-1"], destination_settings()))
    good = yaml.safe_load(HEAD + _siem(f"type: webhook, {URL}, secret_env: KEY, drain: 5s"))

    assert validator.is_valid(good)
    assert not validator.is_valid({key: value for key, value in good.items() if key != "history"})
    for wrong in ({"type": "webhok"}, {"sned": "all"}, {"drain": 5}):
        siem = good["destinations"]["siem"] | wrong
        assert not validator.is_valid(good | {"destinations": {"siem": siem}})


def test_a_type_from_the_environment_is_not_shown(loaded: object) -> None:
    assert callable(loaded)
    with pytest.raises(
        ConfigError, match="type of siem: there is none of this name; the types are"
    ) as caught:
        loaded(_siem("type: '${KEY}'"))
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        _siem(f"type: webhook, {URL}, secret_file: '/nowhere/${{KEY}}'"),
        "defaults: {role_name: R, session_tags: {team: '${KEY}:!'}}\n",
        (
            "defaults: {hub_role_arn: 'arn:aws:iam::999988887777:role/H', source_identity: a-b, role_name: R}\n"
            "accounts: [{id: '444455556666', source_identity: '${KEY}'}]\n"
        ),
    ],
    ids=["a file of a secret", "a session tag", "a source identity"],
)
def test_what_the_environment_holds_is_shown_as_it_is_written(loaded: object, text: str) -> None:
    assert callable(loaded)
    with pytest.raises(ConfigError) as caught:
        loaded(text)
    assert "${KEY}" in str(caught.value)
    assert CANARY not in str(caught.value)
