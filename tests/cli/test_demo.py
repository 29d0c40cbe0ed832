"""`auditor demo`: on a fresh machine, with nothing configured, in moments."""

from __future__ import annotations

import json
import os
import re
import subprocess
from time import monotonic
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Auditor, Process

SECONDS = 15.0


def fresh() -> dict[str, str]:
    """The environment of a machine on which nothing was ever set."""
    return {name: os.environ[name] for name in ("PATH", "HOME")}


def test_the_demo_shows_findings_and_gaps_and_its_commands_look_further(
    process: Process, tmp_path: Path
) -> None:
    began = monotonic()
    ended = process("demo", env=fresh())
    assert monotonic() - began < SECONDS
    assert ended.code == 0
    assert "Traceback" not in ended.err
    last = ended.logged[-1]
    assert (last["event"], last["exit_code"]) == (
        "exit 0: the demo is over; `auditor run` would have exited with 3",
        0,
    )
    for policy in ("stale-failed-export", "oversized-disk", "stuck-export"):
        assert re.search(rf"│ \w+ +│ {policy} +│ +[1-9]\d* │", ended.out)
    for gap in (
        "account-setup-in-progress",
        "role-not-assumable",
        "page-token-loop, in part",
        "access-denied",
    ):
        assert f"│ {gap}" in ended.out
    assert "NOT COMPLETE: coverage " in ended.out
    assert "skipped, proved to have nothing to read: region-not-enabled" in ended.out

    printed = ended.out.partition("Look further:\n")[2].splitlines()
    commands = [line.strip() for line in printed if not line.startswith("  #")]
    assert len(commands) == 5
    assert commands[-1].endswith("auditor simulate")
    shown = [
        subprocess.run(["sh", "-c", command], env=fresh(), capture_output=True, text=True, check=True).stdout
        for command in commands[:-1]
    ]
    finding, gaps, record, page = shown
    assert json.loads(finding)["schema"] == "auditor.finding/1"
    verdicts = [json.loads(line)["verdict"] for line in gaps.splitlines()]
    assert sorted(set(verdicts)) == ["failed", "partial", "skipped"]
    run = json.loads(record)
    assert run["exit_code"] == 3
    assert run["totals"]["targets"]["planned"] == 240
    assert len(verdicts) == 240 - run["totals"]["targets"]["complete"]
    assert page.startswith(commands[3].partition(" explain ")[2])
    (folder,) = (tmp_path / "runs").iterdir()
    assert sorted(path.name for path in folder.iterdir()) == [
        "accounts.yaml",
        "coverage.jsonl",
        "findings.jsonl",
        "run.json",
    ]


def test_the_demo_finds_the_same_in_any_folder_and_does_not_overwrite_an_earlier_one(
    auditor: Auditor, tmp_path: Path
) -> None:
    first, second = auditor("demo", "-o", "one"), auditor("demo", "-o", "two")
    assert (first.code, second.code) == (0, 0)
    assert first.out.replace("one/", "").split() == second.out.replace("two/", "").split()
    before = (tmp_path / "one" / "findings.jsonl").read_bytes()
    again = auditor("demo", "-o", "one")
    assert again.code == 2
    assert "-o one: holds a run already (run.json); name another folder" in again.err.replace(
        "file", "folder"
    )
    assert (tmp_path / "one" / "findings.jsonl").read_bytes() == before


def test_the_demo_uses_no_credentials_endpoint_or_profile_of_the_user(
    process: Process, tmp_path: Path
) -> None:
    users = {
        "AWS_ACCESS_KEY_ID": "AKIAOFTHEUSER0000000",
        "AWS_SECRET_ACCESS_KEY": "secret-of-the-user",
        "AWS_SESSION_TOKEN": "token-of-the-user",
        "AWS_PROFILE": "of-the-user",
        "AWS_REGION": "eu-central-2",
        "AWS_ENDPOINT_URL_STS": "http://192.0.2.1",
        "AWS_ENDPOINT_URL_LIGHTSAIL": "http://192.0.2.1",
        "AWS_CA_BUNDLE": "/nowhere",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
    }
    ended = process("demo", "-o", "out", "--log-level", "debug", env=fresh() | users)
    assert ended.code == 0
    run = json.loads((tmp_path / "out" / "run.json").read_text("utf-8"))
    assert run["totals"]["targets"]["complete"] > 0
    assert all(url.startswith("http://127.0.0.1:") for url in run["endpoint_overrides"].values())
    assert "192.0.2.1" not in ended.err
    assert "of-the-user" not in ended.err


@pytest.mark.parametrize("options", [(), ("--quiet",)])
def test_the_demo_is_quiet_in_its_logs_unless_it_is_asked(auditor: Auditor, options: tuple[str, ...]) -> None:
    ended = auditor("demo", "-o", "out", "--log-format", "console", *options)
    assert ended.err.splitlines() == [
        "auditor: exit 0: the demo is over; `auditor run` would have exited with 3"
    ]
