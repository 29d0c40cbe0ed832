"""Credentials, tokens and ExternalIds in nothing that a run writes, at any level: canaries, searched for everywhere."""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import parse_qs, quote

import pytest
import structlog

import auditor
from auditor.simulator.faults import GET_RECORDS, Fault, FaultKind
from auditor.simulator.keys import Keys

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.conftest import Process, RunFolder, Serve, Served

# With the root logger and botocore's at DEBUG before the program begins, as a sitecustomize may leave them.
LOUD = """
import logging
logging.basicConfig(level=logging.DEBUG)
logging.getLogger("botocore").setLevel(logging.DEBUG)
logging.getLogger("aiobotocore").setLevel(logging.DEBUG)
from auditor.cli import main
main()
"""
ORDINARY = (sys.executable, "-m", "auditor")


@pytest.fixture
def served(serve: Serve) -> Served:
    """An estate in which all happens that makes a program tell what it was doing."""
    faults = (
        Fault(FaultKind.EXPIRED, region="us-east-1", page=2, times=1),
        Fault(FaultKind.RESET, region="us-east-1", page=1, times=1),
        Fault(FaultKind.TOKEN_REJECTED, region="eu-west-1", times=1),
        Fault(FaultKind.NOT_JSON, region="eu-central-1", times=1),
        Fault(FaultKind.ACCESS_DENIED, region="us-west-2"),
        Fault(FaultKind.TOKEN_LOOP, region="eu-west-2"),
        Fault(FaultKind.UNRECOGNIZED_CLIENT, region="ap-southeast-3"),
        Fault(FaultKind.SERVICE_ERROR, operation="AssumeRole", times=1),
    )
    regions = ("us-east-1", "eu-west-1", "eu-central-1", "us-west-2", "eu-west-2", "ap-southeast-3")
    served = serve(*faults, regions=regions, accounts=3, chained=True)
    refused = served.estate.accounts[2]
    text = served.config.read_text("utf-8")
    assert f'"{refused.external_id}"' in text
    served.config.write_text(text.replace(f'"{refused.external_id}"', "ext-WRONG-canary-4711"), "utf-8")
    return served


def secrets_of(served: Served) -> Iterator[tuple[str, str]]:
    """Everything secret that was about, once the run is over, by what it is."""
    base = served.estate.base
    yield "base secret", base.secret_key
    yield "base key", base.access_key
    assert base.session_token is not None
    yield "base token", base.session_token
    yield "ExternalId", "ext-WRONG-canary-4711"
    for account in served.estate.accounts[:2]:
        assert account.external_id is not None
        yield "ExternalId", account.external_id
    # The simulator's keys follow from its seed and their order: minted anew, they are the same.
    keys = Keys(served.estate, time.time, None)
    minted = [keys.mint(served.estate.accounts[0].id, "R", "s", 900) for _ in range(20)]
    used = {call.access_key_id for call in served.calls if call.operation == GET_RECORDS}
    assert used
    assert used <= {key.id for key in minted}
    for key in minted:
        if key.id in used:
            assert key.token is not None
            yield "session key", key.id
            yield "session secret", key.secret
            yield "session token", key.token
    tokens = {call.token for call in served.calls} - {None}
    assert tokens
    for token in sorted(filter(None, tokens)):
        yield "page token", token


def searched(text: str, served: Served) -> list[tuple[str, str]]:
    """What of all that is secret stands in `text`, whole or its beginning, plain or as a URL has it."""
    return [
        (what, secret)
        for what, secret in secrets_of(served)
        for form in (secret, quote(secret, safe=""), secret[:40])
        if form in text
    ]


@pytest.mark.parametrize("log_format", ["json", "console"])
@pytest.mark.parametrize("program", [ORDINARY, (sys.executable, "-c", LOUD)], ids=["ordinary", "loud"])
def test_no_secret_stands_in_anything_that_a_run_writes(
    process: Process, served: Served, out: RunFolder, log_format: str, program: tuple[str, ...]
) -> None:
    options = ("--log-level", "debug", "--log-format", log_format)
    ended = process("run", "-o", "out", "-f", "json", *options, program=program)
    assert ended.code == 3
    struck = {call.fault for call in served.calls}
    assert struck >= {FaultKind.EXPIRED, FaultKind.RESET, FaultKind.TOKEN_REJECTED, FaultKind.TOKEN_LOOP}
    assert "retry" in ended.err  # that much was logged
    written = {"stdout": ended.out, "stderr": ended.err} | {
        name: (out.path / name).read_text("utf-8") for name in out.names
    }
    assert len(written) == 6
    assert {name: searched(text, served) for name, text in written.items() if searched(text, served)} == {}


def test_no_secret_stands_on_standard_output_under_a_format(process: Process, served: Served) -> None:
    ended = process("run", "-o", "out", "-f", "json=-", "--log-level", "debug")
    assert ended.code == 3
    assert '"findings":[' in ended.out
    assert searched(ended.out + ended.err, served) == []


def test_a_configuration_is_refused_without_its_secrets(process: Process, tmp_path: Path) -> None:
    (tmp_path / "accounts.yaml").write_text(
        "version: 1\ndefaults: {role_name: R, external_id: 'canary of 4711'}\naccounts:\n"
        "  - id: '1'\n    external_id: 'canary ${HOME} 4711'\n    session_name: 'x'\n",
        "utf-8",
    )
    ended = process("run")
    assert ended.code == 2
    assert "external_id can't be used" in ended.err
    assert "canary" not in ended.out + ended.err


async def test_no_secret_stands_in_the_logs_of_a_program_that_uses_the_library(
    served: Served,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    structlog.reset_defaults()  # as an application that never heard of structlog has it
    for name in (None, "botocore", "aiobotocore"):
        caplog.set_level(logging.DEBUG, logger=name)
    config = auditor.load_config(served.config)
    result = await auditor.run(config, auditor.RunOptions(folder=tmp_path / "out"))
    assert result.exit_code == 3
    printed = capsys.readouterr()
    assert {"retry", "target not read to its end"} <= {record.message for record in caplog.records}
    logged = [str(vars(record)) for record in caplog.records]
    texts = [printed.out, printed.err, *logged, str(result), repr(config), repr(result.conditions)]
    assert searched("\n".join(texts), served) == []


HUB_ARN = "arn:aws:iam::999988887777:role/AuditHub"
CHAIN = f"""version: 1
defaults:
  role_name: Reader
  regions: [us-east-1]
  external_id: canary-hub-4711-and-member
  hub_role_arn: {HUB_ARN}
  hub_external_id: canary-hub-4711
  session_tags: {{team: shown-by-design}}
organization:
  role_arn: arn:aws:iam::999988887777:role/Lister
  external_id: canary-lister-4711
accounts: [{{id: "111122223333"}}, {{id: "444455556666", role_name: Refused}}]
"""
EXTERNAL_IDS = ("canary-hub-4711-and-member", "canary-hub-4711", "canary-lister-4711")


class Quoting(BaseHTTPRequestHandler):
    """An AWS that quotes, in each of its errors, every ExternalId there is and a session's tags."""

    protocol_version = "HTTP/1.1"
    refused: ClassVar[str] = ""
    """The role that can't be assumed, by the end of its name."""
    given: ClassVar[set[str]] = set()
    """The ExternalIds that it was asked with."""

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        told = f"no: {' '.join(EXTERNAL_IDS)} of team=shown-by-design"
        role = form.get("RoleArn", [""])[0]
        if form.get("Action") == ["GetCallerIdentity"]:
            self._answer(200, IDENTITY)
        elif form.get("Action") != ["AssumeRole"]:
            error = {"__type": "AccessDeniedException", "message": told}
            self._answer(400, json.dumps(error), "application/x-amz-json-1.1")
        elif role.endswith(("Refused", self.refused)):
            self.given.update(form["ExternalId"])
            error_of_sts = f"<Error><Code>AccessDenied</Code><Message>{told}</Message></Error>"
            self._answer(403, f"<ErrorResponse>{error_of_sts}</ErrorResponse>")
        else:
            self.given.update(form["ExternalId"])
            self._answer(200, ASSUMED.format(account=role.split(":")[4]))

    def _answer(self, status: int, body: str, kind: str = "text/xml") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        pass


IDENTITY = (
    "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::999988887777:user/base</Arn>"
    "</GetCallerIdentityResult></GetCallerIdentityResponse>"
)
ASSUMED = (
    "<AssumeRoleResponse><AssumeRoleResult><AssumedRoleUser>"
    "<Arn>arn:aws:sts::{account}:assumed-role/R/s</Arn><AssumedRoleId>A:s</AssumedRoleId></AssumedRoleUser>"
    "<Credentials><AccessKeyId>ASIA4711</AccessKeyId><SecretAccessKey>secret-4711</SecretAccessKey>"
    "<SessionToken>session-4711</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>"
    "</AssumeRoleResult></AssumeRoleResponse>"
)


@pytest.fixture
def quoting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Quoting]]:
    """An AWS that tells whatever it was told, and a configuration of a chain of roles."""

    class Here(Quoting):
        given: ClassVar[set[str]] = set()
        refused: ClassVar[str] = "Refused"

    (tmp_path / "accounts.yaml").write_text(CHAIN, "utf-8")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA4711")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "base")
    with ThreadingHTTPServer(("127.0.0.1", 0), Here) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield Here
        server.shutdown()
        thread.join()


LOUDLY = ("--log-level", "debug")
COMMANDS = {
    "run": ("run", "-o", "out", "-f", "json", *LOUDLY),
    "doctor": ("doctor", "--probe-external-id", *LOUDLY),
    "accounts": ("accounts", *LOUDLY),
    "accounts as JSON": ("accounts", "--json", *LOUDLY),
    "iam": ("iam", "--principal", "arn:aws:iam::999988887777:user/base"),
    "check": ("check",),
}


@pytest.mark.parametrize("refused", ["Refused", "Lister", "AuditHub"])
@pytest.mark.parametrize("command", COMMANDS)
def test_the_external_ids_of_a_chain_are_told_by_no_command_whatever_aws_quotes(
    process: Process, quoting: type[Quoting], out: RunFolder, command: str, refused: str
) -> None:
    quoting.refused = refused
    ended = process(*COMMANDS[command])
    assert "Traceback" not in ended.err
    said = {"stdout": ended.out, "stderr": ended.err}
    if out.path.exists():
        said |= {name: (out.path / name).read_text("utf-8") for name in out.names}
    assert [(name, text) for name, text in said.items() if "canary" in text] == []
    if command in ("iam", "check"):
        assert (ended.code, quoting.given) == (0, set())
        return
    assert ended.code == (2 if refused == "AuditHub" else 3)
    assert "canary-hub-4711" in quoting.given
    # The rest of what AWS says stays: without it nobody could tell what is wrong. Tags are no secrets.
    assert any("no: *** *** *** of team=shown-by-design" in text for text in said.values())
