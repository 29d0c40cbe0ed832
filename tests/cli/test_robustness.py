"""What must not end the command line in a traceback, a wrong exit code or silence."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from auditor.simulator.faults import Fault, FaultKind

if TYPE_CHECKING:
    from tests.cli.conftest import Auditor, Process, RunFolder, Serve, Spawn

QUIET = ("--quiet", "--log-level", "error", "--log-format", "console")


# --- standard output and standard error that can't be written


def test_a_summary_that_cannot_be_written_is_exit_4(process: Process, serve: Serve) -> None:
    serve(planted=0)
    with Path("/dev/full").open("wb") as full:
        ended = process("run", "-o", "out", *QUIET, stdout=full)
    assert "Traceback" not in ended.err
    assert ended.code == 4
    assert ended.last.startswith("auditor: exit 4: ")


def test_a_reader_of_the_summary_that_goes_away_is_no_finding(process: Process, serve: Serve) -> None:
    serve(planted=0)
    read, write = os.pipe()
    os.close(read)
    try:
        ended = process("run", "-o", "out", *QUIET, stdout=write)
    finally:
        os.close(write)
    assert ended.err != ""
    assert ended.code != 1  # nothing was found: 4, and a last line


@pytest.mark.parametrize(("options", "code"), [((), 4), (("-f", "json=-"), 2)])
def test_closed_standard_output_is_no_traceback(
    process: Process, serve: Serve, options: tuple[str, ...], code: int
) -> None:
    serve(planted=0)
    ended = process("run", "-o", "out", *options, *QUIET, preexec_fn=lambda: os.close(1))
    assert "Traceback" not in ended.err
    assert ended.code == code


@pytest.mark.parametrize("where", ["full", "closed"])
def test_standard_error_that_takes_nothing_ends_no_audit(
    process: Process, serve: Serve, out: RunFolder, where: str
) -> None:
    serve()
    how = {"preexec_fn": lambda: os.close(2)} if where == "closed" else {}
    with Path("/dev/full").open("wb") as full:
        ended = process("run", "-o", "out", stderr=full, **how)
    assert out.run["totals"]["findings"]["total"] > 0
    assert ended.out != ""


def test_a_log_on_the_disk_that_fills_costs_the_log_and_not_the_run(
    process: Process, serve: Serve, out: RunFolder, tmp_path: Path
) -> None:
    serve(Fault(FaultKind.THROTTLE, times=2), records_per_target=3)
    with (tmp_path / "log").open("wb") as log:
        ended = process(
            "run",
            "-o",
            "out",
            "--log-level",
            "debug",
            stderr=log,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000)),
        )
    assert ended.code in {1, 4}
    assert len(out.coverage) == 4


def test_a_history_that_its_disk_takes_no_more_of_costs_the_status_and_is_exit_4(
    process: Process, serve: Serve, out: RunFolder
) -> None:
    served = serve()
    served.config.write_text(served.config.read_text("utf-8") + "history: {}\n", "utf-8")
    largest = 120_000  # bytes: its tables fit into its log, and its findings do not
    ended = process(
        "run",
        "-o",
        "out",
        *QUIET,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest)),
    )
    assert (ended.code, "Traceback" in ended.err) == (4, False)
    assert "auditor-history.sqlite3 could not be" in ended.last
    assert len(out.findings) == len(served.estate.truth)
    assert {finding["status"] for finding in out.findings} >= {"untracked"}
    assert out.run["exit_conditions"][0] == 4


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_that_knows_fewer_letters_gets_escapes(
    process: Process, serve: Serve, encoding: str
) -> None:
    served = serve(Fault(FaultKind.ACCESS_DENIED))
    text = served.config.read_text("utf-8").replace("payments-prod", "部門")
    served.config.write_text(text, "utf-8")
    ended = process("run", "-o", "out", *QUIET, env={**os.environ, "PYTHONIOENCODING": encoding})
    assert "Traceback" not in ended.err
    assert ended.code == 3


def test_a_reader_that_does_not_read_holds_up_neither_the_other_files_nor_the_exit(
    spawn: Spawn, serve: Serve, out: RunFolder
) -> None:
    served = serve(
        Fault(FaultKind.HANG, region="eu-west-1"), records_per_target=2000, page_size=500, planted=1.0
    )
    started = spawn("run", "-o", "out", "-f", "jsonl=-", *QUIET)
    served.wait_for(FaultKind.HANG)
    with served.calls.changed:
        served.calls.changed.wait_for(lambda: sum(call.page == 4 for call in served.calls) == 2, 20)
    started.process.send_signal(signal.SIGINT)
    try:
        assert started.process.wait(10) == 130  # hangs for ever: a worker thread is still in write()
    finally:
        assert "coverage.jsonl" in out.names  # not there: _ending's time was over before it began
        assert "findings.jsonl" in out.names


def test_a_reader_that_does_not_read_does_not_outlast_the_deadline(
    spawn: Spawn, serve: Serve, out: RunFolder
) -> None:
    serve(records_per_target=2000, page_size=500, planted=1.0)
    started = spawn("run", "-o", "out", "-f", "jsonl=-", "--deadline", "3s", *QUIET)
    started.process.wait(15)
    assert "coverage.jsonl" in out.names


# --- nothing half written


def test_the_configuration_that_is_read_is_no_place_to_write_to(auditor: Auditor, serve: Serve) -> None:
    served = serve()
    before = served.config.read_text("utf-8")
    assert auditor("run", "-o", "out", "-f", "json=accounts.yaml", *QUIET).code == 2
    assert served.config.read_text("utf-8") == before


def test_a_port_in_use_leaves_no_configuration_behind(auditor: Auditor, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = auditor("simulate", "--port", str(taken.getsockname()[1]), "--write-config", "sim.yaml")
    assert ended.code == 2
    assert not (tmp_path / "sim.yaml").exists()


def test_the_demo_puts_nothing_into_a_folder_with_a_run(
    auditor: Auditor, serve: Serve, out: RunFolder
) -> None:
    serve()
    auditor("run", "-o", "out", *QUIET)
    before = out.names
    assert auditor("demo", "-o", "out").code == 2
    assert out.names == before


def test_the_demo_says_of_a_file_in_the_way_that_it_is_one(auditor: Auditor, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("mine", "utf-8")
    ended = auditor("demo", "-o", "f")
    assert "accounts.yaml: exists already" not in ended.err  # it does not


# --- the demo on a machine that is not fresh


@pytest.mark.parametrize(
    ("config", "environ"),
    [
        ("[default]\nignore_configured_endpoint_urls = true\n", {}),  # calls go to the real AWS
        ("[default]\nca_bundle = /nowhere\n", {}),
        ("[default", {}),
        ("", {"HTTP_PROXY": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"}),
    ],
)
def test_the_demo_shows_the_same_whatever_this_machine_is_set_to(
    process: Process, tmp_path: Path, config: str, environ: dict[str, str]
) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text(config, "utf-8")
    fresh = {name: os.environ[name] for name in ("PATH", "HOME")}
    ended = process("demo", "-o", "out", env=fresh | environ)
    assert ended.code == 0
    run = json.loads((tmp_path / "out" / "run.json").read_text("utf-8"))
    assert run["totals"]["targets"]["complete"] == 136


# --- base credentials


@pytest.mark.parametrize("case", ["role refused", "no token file", "no json", "no program", "odd container"])
def test_base_credentials_that_cannot_be_had_are_exit_2_and_no_traceback(
    process: Process, serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    served = serve()
    base = served.estate.base
    role = f"role_arn = {served.estate.accounts[0].role_arn}Nope"
    keys = f"aws_access_key_id = {base.access_key}\naws_secret_access_key = {base.secret_key}"
    config = {
        "role refused": f"[default]\n{role}\nsource_profile = base\n[profile base]\n{keys}\n",
        "no token file": f"[default]\n{role}\nweb_identity_token_file = /nowhere\n",
        "no json": "[default]\ncredential_process = echo hello\n",
        "no program": "[default]\ncredential_process = /nowhere/x\n",
        "odd container": "",
    }[case]
    path = tmp_path / "aws-config"
    path.write_text(config, "utf-8")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(path))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    if case == "odd container":
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://192.0.2.1/x")
    ended = process("run", "-o", "out", *QUIET)
    assert "Traceback" not in ended.err
    assert ended.code == 2
    assert ended.last.startswith("auditor: exit 2: ")


@pytest.mark.parametrize("environ", [{"AWS_ENDPOINT_URL": "ftp://127.0.0.1"}, {"AWS_CA_BUNDLE": "/etc"}])
def test_an_environment_in_which_no_call_can_succeed_is_refused_at_once(
    process: Process, serve: Serve, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str]
) -> None:
    serve()
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert process("run", "-o", "out", *QUIET).code == 2


# --- the last line


def test_sigterm_before_the_first_page_has_a_last_line_too(spawn: Spawn, serve: Serve) -> None:
    served = serve(Fault(FaultKind.HANG, operation="GetCallerIdentity"))
    started = spawn("run", "-o", "out", "--log-format", "console")
    served.wait_for(FaultKind.HANG)
    ended = started.ended_by(signal.SIGTERM)
    assert ended.code == 143
    assert ended.last.startswith("auditor: exit 143: ")


@pytest.mark.parametrize(
    "arguments",
    [
        ("-c", "nope.yaml"),
        ("-c", "nope.yaml", "--log-format", "json"),
    ],
)
def test_the_last_line_is_json_where_standard_error_is_no_terminal(
    process: Process, arguments: tuple[str, ...]
) -> None:
    ended = process("run", *arguments)
    assert json.loads(ended.last)["exit_code"] == 2


def test_an_unknown_command_is_told_the_nearest(auditor: Auditor) -> None:
    assert "Did you mean 'run'?" in auditor("runn").err


# --- secrets

LOUD = """
import logging
logging.basicConfig()
for name in ("botocore.parsers", "botocore.endpoint", "botocore.auth", "botocore.hooks"):
    logging.getLogger(name).setLevel(logging.DEBUG)
from auditor.cli import main
main()
"""


def test_a_logger_of_botocore_that_was_made_loud_by_its_own_name_tells_no_secret(
    process: Process, serve: Serve
) -> None:
    serve(planted=0)
    ended = process("run", "-o", "out", program=(sys.executable, "-c", LOUD))
    assert "<SecretAccessKey>" not in ended.err


# --- paths that are no UTF-8


def test_folders_whose_names_are_no_utf8_are_folders_all_the_same(auditor: Auditor, serve: Serve) -> None:
    served = serve(planted=2)
    folder = Path(os.fsdecode(b"caf\xe9"))
    folder.mkdir()
    config = folder / "accounts.yaml"
    config.write_text(served.config.read_text("utf-8") + "history: {}\n", "utf-8")
    run = ("run", "-c", config, "-o", folder / "out", "-f", f"json={folder / 'report.json'}", *QUIET)
    assert auditor(*run).code == 1
    assert (folder / "report.json").exists()
    assert json.loads(auditor("history", "-c", config, "--json").out)["runs"]
