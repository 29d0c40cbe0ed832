"""Credentials, tokens and ExternalIds in nothing that a run writes, at any level: canaries, searched for everywhere."""

from __future__ import annotations

import logging
import sys
import time
from typing import TYPE_CHECKING
from urllib.parse import quote

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
