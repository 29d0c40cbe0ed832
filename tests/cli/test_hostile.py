"""Names and texts that mean harm reach no terminal, file or reader as they are."""

from __future__ import annotations

import json
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import pytest

from auditor.model import EXPORT_RECORDS
from auditor.simulator.oddities import HOSTILE_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.conftest import Auditor, Process, RunFolder, Serve, Terminal

ACCOUNT = "111122223333"
HOSTILE = "\x1b]0;owned\x07\x1b[2J\x9b31m=cmd|' /C calc'!A0<script>\r\n::error::x\u202egnp.exe\u2028\u200b\x7f[red]x[/red]"
RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff]")
"""What moves a cursor, turns text around, or breaks a line where none should be: all but a tab and a line feed."""


class Aws(BaseHTTPRequestHandler):
    """An AWS that assumes any role, and answers every call to Lightsail with an error whose texts mean harm.

    It gives back what it was given: the ExternalId, and the session's token.
    """

    protocol_version = "HTTP/1.1"
    server_version = "x"

    def do_POST(self) -> None:
        form = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if "X-Amz-Target" in self.headers:
            token = self.headers["X-Amz-Security-Token"]
            error = {"__type": f"Bad{HOSTILE}Exception", "message": f"{HOSTILE} {token}"}
            self._answer(400, "application/x-amz-json-1.1", json.dumps(error))
            return
        asked = parse_qs(form)
        role = asked.get("RoleArn", [""])[0]
        if asked["Action"] == ["AssumeRole"] and "Refused" in role:
            text = f"<Code>AccessDenied</Code><Message>{ESCAPED} {asked['ExternalId'][0]}</Message>"
            self._answer(403, "text/xml", f"<ErrorResponse><Error>{text}</Error></ErrorResponse>")
        elif asked["Action"] == ["AssumeRole"]:
            self._answer(200, "text/xml", ASSUMED)
        else:
            text = f"<Arn>arn:aws:iam::1:user/{ESCAPED}</Arn>"
            result = f"<GetCallerIdentityResult>{text}</GetCallerIdentityResult>"
            self._answer(200, "text/xml", f"<GetCallerIdentityResponse>{result}</GetCallerIdentityResponse>")

    def _answer(self, status: int, content_type: str, body: str) -> None:
        data = body.encode("utf-8")
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("x-amzn-RequestId", "\x1b[31mid")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


# XML has no control characters; what else there is stands as character references.
ESCAPED = (
    "&lt;script&gt;&#x9b;31m=cmd|calc&#x202e;gnp.exe&#x2028;&#x200b;&#x7f;&#xd;&#xa;::error::[red]x[/red]"
)
CANARY = "canary-session-token-4711"
ASSUMED = (
    "<AssumeRoleResponse><AssumeRoleResult><AssumedRoleUser>"
    f"<Arn>arn:aws:sts::{ACCOUNT}:assumed-role/R/s</Arn><AssumedRoleId>A:s</AssumedRoleId></AssumedRoleUser>"
    f"<Credentials><AccessKeyId>ASIA4711</AccessKeyId><SecretAccessKey>canary-secret-4711</SecretAccessKey>"
    f"<SessionToken>{CANARY}</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>"
    "</AssumeRoleResult></AssumeRoleResponse>"
)
CONFIG = f"""
version: 1
defaults: {{role_name: R, regions: [us-east-1], external_id: canary-external-id-4711}}
accounts:
  - {{id: "{ACCOUNT}", name: "[bold]shop[/bold] :smile: =1+1"}}
  - {{id: "444455556666", role_name: Refused}}
"""


@contextmanager
def hostile_aws() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Aws) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def _hostile_aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "accounts.yaml").write_text(CONFIG, "utf-8")
    with hostile_aws() as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIACANARY4711")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-base-secret-4711")
        yield


@pytest.mark.usefixtures("_hostile_aws")
@pytest.mark.parametrize("log_format", ["json", "console"])
def test_errors_of_aws_are_shown_escaped_and_without_the_secrets_they_give_back(
    auditor: Auditor, out: RunFolder, log_format: str
) -> None:
    ended = auditor("run", "-o", "out", "-f", "json", "--log-level", "debug", "--log-format", log_format)
    assert ended.code == 3
    files = {name: (out.path / name).read_text("utf-8") for name in out.names}
    said = {"stdout": ended.out, "stderr": ended.err} | files
    assert {name: RAW.findall(text) for name, text in said.items() if RAW.search(text)} == {}
    assert [name for name, text in said.items() if "canary" in text] == []
    of_records = [line for line in out.coverage if line["source"] == EXPORT_RECORDS]
    refused, failed = sorted(of_records, key=lambda line: line["reason"])
    assert (refused["reason"], failed["reason"]) == ("role-not-assumable", "service-error")
    assert (
        r"\x1b]0;owned\x07\x1b[2J\x9b31m=cmd|' /C calc'!A0<script>\r\n::error::x\u202e"
        in (failed["error_message"])
    )
    assert r"<script>\x9b31m=cmd|calc\u202egnp.exe\u2028\u200b\x7f" in refused["error_message"]
    assert failed["error_message"].endswith("***")
    assert refused["error_message"].endswith("***")
    assert "│ [bold]shop[/bold] :smile: =1+1 " in ended.out  # as it is: no markup of ours


@pytest.mark.usefixtures("_hostile_aws")
def test_on_a_terminal_nothing_of_it_is_obeyed(process: Process, terminal: Terminal) -> None:
    ended = process("run", "-o", "out", stdout=terminal.device, stderr=terminal.device)
    assert ended.code == 3
    terminal.wait_for("exit 3: ")
    for obeyed in ("\x1b]0;", "\x1b[2J", "\x07", "\x9b", "\u202e", "\u2028", "\n::error::"):
        assert obeyed not in terminal.shown
    assert "::error::" in terminal.shown


@pytest.mark.parametrize("output_format", ["jsonl", "json"])
def test_names_of_records_keep_their_meaning_and_lose_their_power(
    auditor: Auditor, serve: Serve, out: RunFolder, output_format: str
) -> None:
    serve(oddities=True, records_per_target=60, planted=0.9)
    ended = auditor("run", "-o", "out", "-f", f"{output_format}=-", "--log-level", "debug")
    assert RAW.findall(ended.out + ended.err) == []
    assert [name for name in out.names if RAW.search((out.path / name).read_text("utf-8"))] == []
    findings = out.findings
    assert len(ended.out.splitlines()) == len(findings) or output_format == "json"
    assert HOSTILE_NAME in {finding["resource_name"] for finding in findings}


def test_a_state_that_means_harm_is_escaped_in_the_summary(auditor: Auditor, serve: Serve) -> None:
    served = serve()
    records = served.estate.accounts[0].records["us-east-1"]
    records[0]["state"] = "\x1b[2J[red]Gone[/red]\n::error::"
    ended = auditor("run", "-o", "out", "--quiet")
    told = " ".join(ended.out.split())
    assert r"1 record(s) in a state that AWS does not document: \x1b[2J[red]Gone[/red]\n::error::" in told
    assert RAW.findall(ended.out) == []
