"""What can't be done as asked: told with what, where and what to do; exit 2, no traceback, nothing written."""

from __future__ import annotations

import json
import os
import socket
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.conftest import Auditor, Ended, Process, Serve

HEAD = 'version: 1\ndefaults: {role_name: R}\naccounts:\n  - id: "111122223333"\n'  # four lines
TAIL = "auditor: exit 2: "


def contents(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


@pytest.fixture
def unchanged(tmp_path: Path) -> Iterator[Path]:
    """The current folder, in which nothing appears but what a test puts there, which has one of three names."""
    yield tmp_path
    named = ("accounts.yaml", "in-the-way", "was-there")
    assert [name for name in contents(tmp_path) if not name.startswith(named)] == []


def assert_refused(ended: Ended, *told: str) -> None:
    assert ended.code == 2
    assert "Traceback" not in ended.err
    assert ended.out == ""
    *said, last = [line for line in ended.err.splitlines() if line]
    for text in told:
        assert any(text in line for line in said), ended.err
    if last.startswith("{"):
        assert json.loads(last)["exit_code"] == 2
    else:
        assert last.startswith(TAIL)


FILES = [
    ("", "accounts.yaml: is empty"),
    ("version: 1\n\tx: [", "accounts.yaml:2: is not valid YAML"),
    ("a: &a [1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: [*b,*b,*b]\n", "accounts.yaml:"),
    (HEAD.replace('"111122223333"', "111122223333"), 'is a number; write it in quotes: "111122223333"'),
    (HEAD.replace('"111122223333"', '"11112222333"'), "has 11 digits; write twelve digits"),
    (HEAD + '  - id: "111122223333"\n', "accounts.yaml:5: "),
    (HEAD + "    nmae: x\n", "accounts.yaml:5: unknown key 'nmae'; write name, or remove it"),
    (HEAD + "    external_id: ${NOT_SET_HERE}\n", "${NOT_SET_HERE}: not set in the environment, or empty"),
    (HEAD + "limits: {deadline: 30}\n", "'30' has no unit; write 30s, 30m, 30h or 30d"),
    (HEAD + "limits: {concurrency: -3}\n", "concurrency '-3' can't be used; write a whole number"),
    (HEAD + "policies: {stuck-exprt: {}}\n", "accounts.yaml:5: "),
    (HEAD + "    regions: [us-east-9]\n", "Region 'us-east-9' is none that Lightsail is known to have"),
    (HEAD + "    role_name: a/b\n", "role_name 'a/b' can't be used; write the role's name alone"),
    (HEAD + "    session_duration: 13h\n", "session_duration '13h' can't be used; write 15m to 12h"),
    ("version: 1\ndefaults: {role_name: R}\naccounts: []\n", "accounts.yaml:3: "),
]


@pytest.mark.parametrize("command", ["check", "run"])
@pytest.mark.parametrize(("content", "told"), FILES)
def test_a_configuration_is_refused_with_its_file_and_line_before_anything_happens(
    auditor: Auditor, unchanged: Path, content: str, told: str, command: str
) -> None:
    (unchanged / "accounts.yaml").write_text(content, "utf-8")
    ended = auditor(command)
    assert_refused(ended, told)
    assert all(line.startswith("auditor: accounts.yaml") for line in ended.err.splitlines()[:-1])


def test_every_problem_of_a_file_is_told_at_once_and_counted(auditor: Auditor, unchanged: Path) -> None:
    (unchanged / "accounts.yaml").write_text(HEAD + "    nmae: x\nlimits: {concurrency: 0}\n", "utf-8")
    ended = auditor("check")
    assert_refused(ended, "accounts.yaml:5: unknown key 'nmae'", "accounts.yaml:6: concurrency '0'")
    assert ended.last == "auditor: exit 2: 2 problems in the configuration; nothing was audited"


@pytest.mark.parametrize("command", ["check", "run"])
def test_a_file_that_is_not_there_or_no_file_is_refused(
    auditor: Auditor, unchanged: Path, command: str
) -> None:
    assert_refused(auditor(command, "-c", "nope.yaml"), "nope.yaml: no such file; copy accounts.example.yaml")
    (unchanged / "in-the-way").mkdir()
    assert_refused(auditor(command, "-c", "in-the-way"), "in-the-way: is a directory; name the file in it")


@pytest.mark.usefixtures("unchanged")
def test_what_nobody_can_read_or_write_is_refused(auditor: Auditor, serve: Serve) -> None:
    serve()
    assert_refused(auditor("check", "-c", "/proc/self/mem"), "/proc/self/mem: can't be read: ")
    assert_refused(auditor("run", "-o", "/proc/no/out"), "-o /proc/no/out: can't be made: ")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_cannot_be_read_is_refused(auditor: Auditor, unchanged: Path) -> None:
    (unchanged / "accounts.yaml").write_text(HEAD, "utf-8")
    (unchanged / "accounts.yaml").chmod(0)
    assert_refused(auditor("check"), "accounts.yaml: ")


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_cannot_be_written_is_refused(auditor: Auditor, serve: Serve, unchanged: Path) -> None:
    served = serve()
    (unchanged / "was-there").mkdir(mode=0o500)
    ended = auditor("run", "-o", "was-there/out")
    assert_refused(ended, "-o was-there/out: can't be written to; make it writable, or name another folder")
    assert not served.calls


USAGE = [
    (["--account", "123"], "--account 123: no such account of accounts.yaml"),
    (["--region", "us-east-9"], "--region us-east-9: no such Region of Lightsail; did you mean us-east-"),
    (["--policy", "stuck-exprt"], "--policy stuck-exprt: no such policy; did you mean stuck-export?"),
    (["--region", "ap-south-1"], "nothing to audit: no account chosen is configured for a Region chosen"),
    (["--account", "1\x1b[2J"], r"--account 1\x1b[2J: no such account"),
    (["--deadline", "30"], "Invalid value for '--deadline': '30' has no unit; write 30s, 30m, 30h or 30d"),
    (["--deadline", "0s"], "Invalid value for '--deadline': '0s' is not above zero"),
    (["--concurrency", "0"], "Invalid value for '--concurrency': 0 is not in the range 1<=x<=1024"),
    (["--concurrency", "x"], "Invalid value for '--concurrency': 'x' is not a valid integer"),
    (["--min-coverage", "101"], "Invalid value for '--min-coverage': 101 is not in the range 0<=x<=100"),
    (["--max-unjudged", "-1"], "Invalid value for '--max-unjudged': -1 is not in the range x>=0"),
    (["--fail-on", "hihg"], "Invalid value for '--fail-on': 'hihg' is not one of 'critical', 'high'"),
    (["--fail-on", "new:hihg"], "Invalid value for '--fail-on': 'new:hihg' is not one of 'critical', 'high'"),
    (["--fail-on", "new:none"], "Invalid value for '--fail-on': 'new:none' is not one of 'critical', 'high'"),
    (
        ["--fail-on", "new:high"],
        "--fail-on new:high: without a history nothing tells what is new; add history",
    ),
    (["--polcy", "x"], "No such option '--polcy'. (Did you mean one of: '--otel', '--policy'?)"),
    (["--log-level", "loud"], "Invalid value for '--log-level': 'loud' is not one of 'debug', 'info'"),
    (["extra"], "Got unexpected extra argument (extra)"),
]


@pytest.mark.parametrize(("options", "told"), USAGE)
@pytest.mark.usefixtures("unchanged")
def test_an_option_that_cannot_be_used_is_refused_before_the_first_call(
    auditor: Auditor, serve: Serve, options: list[str], told: str
) -> None:
    served = serve()
    assert_refused(auditor("run", "-o", "out", *options), told)
    assert not served.calls


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["runn"], "No such command 'runn'"),
        (["--verison"], "No such option '--verison'. Did you mean '--version'?"),
        (["explain"], "Missing argument 'ID'"),
        (["explain", "stuck-exprt"], "stuck-exprt: no such policy; did you mean stuck-export?"),
        (["explain", "nothing-like-it"], "nothing-like-it: no such policy; `auditor policies` lists them"),
        (["explain", "x\x1b[2J"], r"x\x1b[2J: no such policy"),
        (["simulate", "--port", "70000"], "Invalid value for '--port': 70000 is not in the range"),
        (["simulate", "--accounts", "0"], "Invalid value for '--accounts': 0 is not in the range"),
    ],
)
@pytest.mark.usefixtures("unchanged")
def test_a_command_that_cannot_be_understood_says_so(
    auditor: Auditor, arguments: list[str], told: str
) -> None:
    assert_refused(auditor(*arguments), told)


def test_a_folder_with_a_run_in_it_is_refused_and_left_as_it_was(
    auditor: Auditor, serve: Serve, unchanged: Path
) -> None:
    served = serve()
    for name in ("run.json", "findings.jsonl", "coverage.jsonl", "findings.jsonl.part"):
        folder = unchanged / f"was-there-{name}"
        folder.mkdir()
        (folder / name).write_text("an earlier run", "utf-8")
        ended = auditor("run", "-o", folder.name)
        assert_refused(ended, f"-o {folder.name}: holds a run already ({name}); name another folder")
        assert contents(folder) == {name: b"an earlier run"}
    assert not served.calls


def test_a_file_in_the_place_of_the_folder_is_refused_and_left_as_it_was(
    auditor: Auditor, serve: Serve, unchanged: Path
) -> None:
    served = serve()
    (unchanged / "in-the-way").write_text("mine", "utf-8")
    assert_refused(
        auditor("run", "-o", "in-the-way"),
        "-o in-the-way: is no folder; name one that is empty or does not exist",
    )
    assert_refused(auditor("run", "-o", "in-the-way/out"), "-o in-the-way/out: can't be written to")
    assert (unchanged / "in-the-way").read_text("utf-8") == "mine"
    assert not served.calls


@pytest.mark.parametrize("path", ["nowhere/x.json", "was-there"])
def test_a_format_whose_place_cannot_be_opened_is_refused_and_no_folder_is_left(
    auditor: Auditor, serve: Serve, unchanged: Path, path: str
) -> None:
    serve()
    (unchanged / "was-there").mkdir()
    for folder in ("out", "in/between/out"):
        ended = auditor("run", "-o", folder, "-f", f"json={path}")
        assert_refused(ended, f"can't be written to: {path}: ")


ENVIRON = [
    ({"AWS_PROFILE": "nope"}, "the base credentials can't be loaded: The config profile (nope) could not"),
    ({"AWS_SECRET_ACCESS_KEY": ""}, "Partial credentials found in env, missing: AWS_SECRET_ACCESS_KEY"),
    ({"AWS_ENDPOINT_URL": "http://192.0.2.1"}, "would go over plain http to 192.0.2.1: use https, or pass"),
    ({"AWS_ENDPOINT_URL": "nonsense"}, "the AWS environment can't be used: Invalid endpoint: nonsense"),
    ({"AWS_REGION": "../x", "AWS_DEFAULT_REGION": "../x"}, "the AWS environment can't be used: "),
    ({"AWS_CA_BUNDLE": "/nope"}, "the CA bundle /nope is no file: correct AWS_CA_BUNDLE"),
    ({"AWS_SECRET_ACCESS_KEY": "wrong"}, "AWS does not accept the base credentials: SignatureDoesNotMatch: "),
    ({"AWS_ACCESS_KEY_ID": "AKIAUNKNOWNUNKNOWN00"}, "AWS does not accept the base credentials: Invalid"),
]


@pytest.mark.parametrize(("environ", "told"), ENVIRON)
@pytest.mark.usefixtures("unchanged")
def test_an_environment_that_cannot_be_used_is_refused(
    auditor: Auditor, serve: Serve, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], told: str
) -> None:
    serve()
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert_refused(auditor("run", "-o", "out"), told)


@pytest.mark.usefixtures("unchanged")
def test_a_port_in_use_is_refused(auditor: Auditor) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = auditor("simulate", "--port", str(port))
    assert_refused(ended, f"port {port} of 127.0.0.1 is in use: choose another with --port, or 0")


def test_bad_input_is_told_the_same_way_by_the_real_process(process: Process, unchanged: Path) -> None:
    (unchanged / "accounts.yaml").write_text(HEAD + "    nmae: x\n", "utf-8")
    ended = process("run", "--log-format", "console")
    assert ended.code == 2
    assert ended.err.splitlines() == [
        "auditor: accounts.yaml:5: unknown key 'nmae'; write name, or remove it",
        "auditor: exit 2: 1 problem in the configuration; nothing was audited",
    ]


def test_a_destination_that_can_not_be_sent_to_is_told_by_check_too(auditor: Auditor, tmp_path: Path) -> None:
    config = tmp_path / "accounts.yaml"
    head = 'version: 1\ndefaults: {role_name: R}\naccounts: [{id: "111122223333"}]\nhistory: {}\n'
    config.write_text(f"{head}destinations: {{siem: {{type: file, path: {tmp_path}}}}}\n", "utf-8")
    assert_refused(auditor("check", "-c", config), f"destination siem: path {tmp_path} is a folder")
