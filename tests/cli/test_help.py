"""What the command line says of itself, and that it says it without loading an AWS client."""

from __future__ import annotations

import inspect
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import jsonschema
import pytest
import yaml

import auditor as package
from auditor.cli import entry
from auditor.formats import formats
from auditor.policies import catalogue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import Auditor, Process

EXAMPLE = Path(package.__file__).parent.parent / "accounts.example.yaml"
HELP = ("-h", "--help")
LOADED = """
import sys
from auditor.cli import main
sys.argv = ["auditor", *sys.argv[1:]]
try:
    main()
finally:
    clients = {"aiobotocore", "botocore", "boto3", "aiohttp"}
    print("loaded:", *sorted(clients & set(sys.modules)), file=sys.stderr)
"""


def commands() -> Iterator[tuple[str, click.Command]]:
    group = entry.auditor
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield name, command


COMMANDS = dict(commands())


def test_there_are_the_commands_that_were_promised() -> None:
    promised = (
        "accounts bundle check deliver demo diff doctor explain history iam policies replay run simulate "
        "verify"
    ).split()
    assert list(COMMANDS) == promised


@pytest.mark.parametrize("flag", HELP)
@pytest.mark.parametrize("name", [None, *COMMANDS])
def test_every_help_fits_80_columns_and_ends_with_0(auditor: Auditor, name: str | None, flag: str) -> None:
    ended = auditor(*filter(None, (name, flag)))
    assert (ended.code, ended.err) == (0, "")
    assert re.match(rf"Usage: .*auditor {name or ''}", ended.out)
    assert max(map(len, ended.out.splitlines())) <= 80


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_documented(auditor: Auditor, name: str) -> None:
    told = " ".join(auditor(name, "--help").out.split())
    command = COMMANDS[name]
    assert command.help
    assert command.short_help
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help
            assert " ".join(parameter.help.split()) in told
            assert all(option in told for option in parameter.opts)
        else:
            assert parameter.make_metavar(click.Context(command)) in told


def test_the_first_help_names_every_command_with_what_it_does(auditor: Auditor) -> None:
    told = auditor("--help").out
    for name, command in COMMANDS.items():
        assert f"  {name} " in told
        assert command.short_help
        assert command.short_help in told
    assert "auditor demo" in told


def test_run_explains_every_exit_code(auditor: Auditor) -> None:
    told = auditor("run", "--help").out
    for code in ("0", "1", "2", "3", "4", "5", "130, 143"):
        assert f"\n    {code}  " in told


def test_nothing_at_all_shows_the_help_and_is_an_error(auditor: Auditor) -> None:
    ended = auditor()
    assert ended.code == 2
    assert re.match(r"Usage: .*auditor \[OPTIONS\] COMMAND \[ARGS\]\.\.\.\n", ended.err)
    assert ended.last.startswith("auditor: exit 2: ")


def test_the_version_is_the_package_s(auditor: Auditor) -> None:
    assert auditor("--version").out == f"auditor, version {package.__version__}\n"


@pytest.mark.parametrize("arguments", [("--help",), ("run", "--help"), ("--version",), ("runn",)])
def test_looking_things_up_loads_no_aws_client(process: Process, arguments: tuple[str, ...]) -> None:
    ended = process(*arguments, program=(sys.executable, "-c", LOADED))
    assert ended.last == "loaded:"


def test_a_run_that_is_refused_does_load_one_so_the_test_above_can_fail(process: Process) -> None:
    ended = process("run", program=(sys.executable, "-c", LOADED))
    assert ended.code == 2
    assert "botocore" in ended.last


def test_policies_are_listed_with_severity_and_title(auditor: Auditor) -> None:
    ended = auditor("policies")
    assert ended.code == 0
    assert [line.split()[:2] for line in ended.out.splitlines()] == [
        [policy_id, entry.settings_type().severity] for policy_id, entry in catalogue().items()
    ]
    assert ["public-export", "critical"] in [line.split()[:2] for line in ended.out.splitlines()]
    for line, each in zip(ended.out.splitlines(), catalogue().values(), strict=True):
        assert line.endswith(each.title)


@pytest.mark.parametrize("policy", list(catalogue()))
def test_each_policy_is_explained_on_a_page_that_fits(auditor: Auditor, policy: str) -> None:
    ended = auditor("explain", policy)
    assert ended.code == 0
    assert ended.out == f"{policy}\n\n{catalogue()[policy].text}\n"
    assert max(map(len, ended.out.splitlines())) <= 120


def test_the_example_is_valid_once_its_external_id_is_set(
    auditor: Auditor, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = auditor("check", "-c", EXAMPLE)
    assert refused.code == 2
    assert "${AUDITOR_EXTERNAL_ID}: not set in the environment" in refused.err
    monkeypatch.setenv("AUDITOR_EXTERNAL_ID", "external-4711")
    ended = auditor("check", "-c", EXAMPLE)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith(f"{EXAMPLE} is valid: 2 accounts, ")
    assert ended.out.endswith(" targets, 13 policies\n")


def test_the_schema_is_one_that_the_example_satisfies_and_a_slip_does_not(auditor: Auditor) -> None:
    ended = auditor("check", "--schema", "-c", "nowhere.yaml")
    assert (ended.code, ended.err) == (0, "")
    schema = json.loads(ended.out)
    validator = jsonschema.validators.validator_for(schema)
    validator.check_schema(schema)
    example = yaml.safe_load(EXAMPLE.read_text("utf-8"))
    assert list(validator(schema).iter_errors(example)) == []
    example["accounts"][0]["id"] = 111122223333
    example["acounts"] = []
    assert len(list(validator(schema).iter_errors(example))) == 2


def test_the_help_of_run_lists_every_format_and_its_variants(auditor: Auditor) -> None:
    told = " ".join(auditor("run", "--help").out.partition("Formats:")[2].split())
    for name, output_format in formats().items():
        assert f" {name} {inspect.getdoc(output_format)}" in f" {told}"
        if output_format.variants:
            assert f"Variants: {', '.join(output_format.variants)}." in told
