"""The JSON Schema takes what the loader takes, and the example is a file that both take."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pydantic
import pytest
import yaml

from auditor.config import PolicySettings, json_schema
from auditor.config.acceptances import AcceptedGapEntry, WaiverEntry
from auditor.config.entries import AccountEntry, Document, HistoryEntry
from auditor.config.settings import Limits
from auditor.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from auditor.config import Config

    Load = Callable[..., Config]

EXAMPLE = Path(__file__).parents[2] / "accounts.example.yaml"
HEAD = 'version: 1\ndefaults: {role_name: R}\naccounts:\n  - id: "111122223333"\n'


@pytest.fixture(scope="module")
def validator(policies: Mapping[str, type[PolicySettings]], regions: tuple[str, ...]) -> Any:
    schema = json_schema(policies, regions)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(json.loads(json.dumps(schema)))


def test_the_example_loads(load: Load) -> None:
    config = load(EXAMPLE.read_text("utf-8"), {"AUDITOR_EXTERNAL_ID": "an-external-id"})
    assert [account.id for account in config.accounts] == ["111122223333", "444455556666"]
    assert config.accounts[0].external_id == "an-external-id"
    assert config.accounts[1].role_arn == "arn:aws:iam::444455556666:role/audit/LightsailReader"


def test_the_example_asks_for_its_one_variable_alone(load: Load) -> None:
    with pytest.raises(ConfigError) as caught:
        load(EXAMPLE.read_text("utf-8"))
    (problem,) = caught.value.problems
    assert problem.text.startswith("${AUDITOR_EXTERNAL_ID}: not set")


def test_the_example_names_every_option() -> None:
    text = EXAMPLE.read_text("utf-8")
    keys = {*Document.model_fields, *AccountEntry.model_fields, *Limits.model_fields}
    keys |= {*WaiverEntry.model_fields, *AcceptedGapEntry.model_fields, *HistoryEntry.model_fields}
    keys |= {"enabled", "severity", "max_age", "ignore_after", "max_gb"}
    assert not {key for key in keys if re.search(rf"^[\s#-]*{key}:", text, re.MULTILINE) is None}


def test_what_the_example_comments_out_can_be_written(load: Load) -> None:
    text = re.sub(r"^( *)# ([a-z_]+: \S+)", r"\1\2", EXAMPLE.read_text("utf-8"), flags=re.MULTILINE)
    text = re.sub(r"^  role_name:.*\n", "", text, flags=re.MULTILINE)
    config = load(
        "\n".join(line for line in text.splitlines() if "…" not in line), {"AUDITOR_EXTERNAL_ID": "abc"}
    )
    assert config.accounts[0].role_arn == "arn:aws:iam::111122223333:role/audit/Reader"


def test_what_the_example_says_of_waivers_and_accepted_gaps_can_be_written(load: Load) -> None:
    text = EXAMPLE.read_text("utf-8")
    written = "\n".join(
        re.findall(r"^# ((?:waivers|accepted_gaps):|  .*)$", text[text.index("# waivers:") :], re.MULTILINE)
    )
    config = load(text + written, {"AUDITOR_EXTERNAL_ID": "abc"})
    ((waiver,), (gap,)) = (config.waivers, config.accepted_gaps)
    assert (waiver.owner, waiver.until.isoformat()) == ("payments", "2027-03-31")
    assert (gap.reason, gap.explanation) == ("access-denied", "An SCP denies Europe.")


def test_the_schema_takes_the_example(validator: Any) -> None:
    validator.validate(yaml.safe_load(EXAMPLE.read_text("utf-8")))


GOOD = [
    "",
    "    name: ${NAME} x\n",
    "    regions: all\n",
    "    regions: [us-east-1, '${NAME}']\n",
    "    role_arn: arn:aws:iam::{account_id}:role/a/b-{account_id}\n",
    "    session_duration: 900s\n",
    "    session_duration: ${DURATION}\n",
    "    max_requests_per_second: 5\n",
    "    max_requests_per_second: 0.01\n",
    "    max_requests_per_second_per_region: 10000\n",
    "limits: {concurrency: 1024, deadline: 36500d}\n",
    "policies: {}\n",
    "policies: {stuck-export: {severity: info, enabled: false}, oversized-disk: {max_gb: 1.5}}\n",
    "policies: {stale-failed-export: {ignore_after: null}}\n",
    "waivers: []\naccepted_gaps: []\n",
    "history: {}\n",
    "history: {store: a/b.sqlite3, wait: 10m}\n",
    "history: {store: 's3://bucket/key'}\n",
    "history: {store: '${NAME}'}\n",
    "waivers: [{policy: stuck-export, owner: o, reason: r, until: '2027-03-31'}]\n",
    "waivers: [{account: '1111*', resource: '*/0a*', owner: o, reason: '${NAME}', ticket: t, until: '1999-01-01'}]\n",
    "accepted_gaps: [{region: '${NAME}', reason: access-*, owner: o, explanation: e, until: '2027-03-31'}]\n",
]
BAD = [
    "  - {}\n",
    "  - {id: 111122223334}\n",
    "  - {id: '1111'}\n",
    "    name: ''\n",
    "    name: null\n",
    "    external_id: null\n",
    "    regions: null\n",
    "    nmae: x\n",
    "    role_name: a/b\n",
    "    role_arn: Reader\n",
    "    {role_name: R, role_arn: 'arn:aws:iam::{account_id}:role/R'}\n",
    "    role_name: R\n    role_arn: arn:aws:iam::111122223333:role/R\n",
    "    session_name: a\n",
    "    session_duration: 60\n",
    "    session_duration: '60'\n",
    "    regions: []\n",
    "    regions: us-east-1\n",
    "    regions: [eu-north-9]\n",
    "    regions: [us-east-1, us-east-1]\n",
    "    max_requests_per_second: 0\n",
    "    max_requests_per_second: 10001\n",
    "    max_requests_per_second: true\n",
    "    max_requests_per_second: '5'\n",
    "    max_requests_per_second: null\n",
    "    max_requests_per_second_per_region: 0.001\n",
    "limits: {max_requests_per_second: 5}\n",
    "limits: {concurrency: 0}\n",
    "limits: {concurrency: 2000}\n",
    "limits: {concurrency: true}\n",
    "limits: {concurrency: '64'}\n",
    "limits: {deadline: 0s}\n",
    "limits: null\n",
    "limits: {deadlin: 3s}\n",
    "organization: {external_id: abc}\n",
    "policies: {unknown: {}}\n",
    "policies: {stuck-export: null}\n",
    "policies: {stuck-export: {severity: worst}}\n",
    "policies: {stuck-export: {severity: null}}\n",
    "policies: {oversized-disk: {max_gb: 0}}\n",
    "policies: {oversized-disk: {max_gb: '640'}}\n",
    "history: null\n",
    "history: {store: null}\n",
    "history: {store: ''}\n",
    "history: {stroe: a}\n",
    "history: {wait: 0s}\n",
    "waivers: {}\n",
    "waivers: [{policy: stuck-export, owner: o, reason: r}]\n",
    "waivers: [{policy: stuck-export, owner: o, reason: r, until: '31.3.2027'}]\n",
    "waivers: [{policy: stuck-exprot, owner: o, reason: r, until: '2027-03-31'}]\n",
    "waivers: [{policy: null, owner: o, reason: r, until: '2027-03-31'}]\n",
    "waivers: [{policy: stuck-export, owner: ' ', reason: r, until: '2027-03-31'}]\n",
    "waivers: [{region: eu-west-9, owner: o, reason: r, until: '2027-03-31'}]\n",
    "waivers: [{owner: o, reason: r, until: '2027-03-31'}]\n",
    "waivers: [{account: 111122223333, owner: o, reason: r, until: '2027-03-31'}]\n",
    "accepted_gaps: [{region: eu-*, owner: o, until: '2027-03-31'}]\n",
    "accepted_gaps: [{reason: denied, owner: o, explanation: e, until: '2027-03-31'}]\n",
    "accepted_gaps: [{policy: stuck-export, owner: o, explanation: e, until: '2027-03-31'}]\n",
]


@pytest.mark.parametrize("tail", GOOD)
def test_the_schema_and_the_loader_take_the_same(validator: Any, load: Load, tail: str) -> None:
    load(HEAD + tail, {"NAME": "us-west-2", "DURATION": "1h"})
    validator.validate(yaml.safe_load(HEAD + tail))


@pytest.mark.parametrize("tail", BAD)
def test_the_schema_and_the_loader_refuse_the_same(validator: Any, load: Load, tail: str) -> None:
    with pytest.raises(ConfigError):
        load(HEAD + tail)
    try:
        content = yaml.safe_load(HEAD + tail)
    except yaml.YAMLError:
        return  # no YAML, so nothing that a schema could be asked about
    assert not validator.is_valid(content)


@pytest.mark.parametrize(
    "content",
    [
        "{}",
        "{version: 2, accounts: [{id: '111122223333', role_name: R}]}",
        "{version: 1, accounts: [], defaults: {role_name: R}}",
        "{version: 1, accounts: [{id: '111122223333'}]}",
        "{version: 1, defaults: {role_name: R}}",
        "{version: 1, accounts: {}, defaults: {role_name: R}}",
    ],
)
def test_the_schema_asks_for_version_accounts_and_a_role(validator: Any, load: Load, content: str) -> None:
    with pytest.raises(ConfigError):
        load(content)
    assert not validator.is_valid(yaml.safe_load(content))


def test_the_schema_describes_every_key_and_shows_defaults_as_they_are_written(validator: Any) -> None:
    definitions = validator.schema["$defs"]
    for name in ("Defaults", "AccountEntry", "Limits", "HistoryEntry"):
        assert all("description" in setting for setting in definitions[name]["properties"].values())
    assert definitions["Limits"]["properties"]["deadline"]["default"] == "30m"
    assert definitions["Defaults"]["properties"]["session_duration"]["default"] == "1h"
    assert "P3D" not in json.dumps(validator.schema)
    assert '"title": "Role' not in json.dumps(validator.schema)


def test_policies_whose_classes_share_a_name_keep_their_own_settings() -> None:
    one = pydantic.create_model("Settings", __base__=PolicySettings, __module__="one", first=(int, 1))
    two = pydantic.create_model("Settings", __base__=PolicySettings, __module__="two", second=(int, 2))
    schema = json_schema({"one": one, "two": two}, ["us-east-1"])
    validator = jsonschema.Draft202012Validator(schema)
    content = {"version": 1, "accounts": [{"id": "111122223333", "role_name": "R"}]}
    assert validator.is_valid({**content, "policies": {"one": {"first": 3}, "two": {"second": 3}}})
    assert not validator.is_valid({**content, "policies": {"one": {"second": 3}}})
