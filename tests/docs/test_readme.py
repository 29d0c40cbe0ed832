"""The README says what is: each command in it runs, each example works, each link leads somewhere."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import auditor
from auditor.simulator.estate import generate
from auditor.simulator.server import serve_in_thread

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
BIN = Path(sys.executable).parent

EXITS = {
    "auditor check -c accounts.yaml": 0,
    "auditor run -c accounts.yaml": 1,
    "auditor accounts -c accounts.yaml": 0,
    "auditor policies": 0,
    "auditor explain stale-failed-export": 0,
    "auditor run -c accounts.yaml --fail-on critical --min-coverage 90 -o tonight": 0,
    "auditor run -c accounts.yaml -f json=- --quiet > report.json": 1,
    "auditor check --schema > accounts.schema.json": 0,
    "auditor iam -c accounts.yaml --as cloudformation": 0,
    "auditor doctor -c accounts.yaml": 0,
    "auditor simulate --port 0": 0,
    "auditor run -c accounts.yaml -o shared --workers 2 --fail-on none": 0,
}
"""What each command exits with, on an estate that is read completely and has findings."""

AFTER_TWO_NIGHTS = {
    "auditor history -c accounts.yaml": 0,
    "auditor diff previous latest -c accounts.yaml": 0,
    "auditor deliver -c accounts.yaml": 0,
}
"""The same of those that look back, or send what is left."""

OF_CI = (
    "python -m bench",
    "python -m tests.fire campaigns --campaigns 2000 --seed 1",
    "python -m tests.fire soak --minutes 30",
    "AUDITOR_FUZZ_SECONDS=3600 .venv/bin/pytest tests/fuzz -n 4 -rP",
)
"""Commands that CI runs in another way: shorter, or in fresh environments what installs."""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^ *```{language}\n(.*?)^ *```$", README, re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    return [line.strip() for block in blocks("sh") for line in block.splitlines() if line.strip()]


def test_every_command_is_run_here_or_by_ci() -> None:
    installs = [line for line in commands() if line.startswith("python3 -m venv")]
    assert [line.rpartition(" && ")[2] for line in installs] == [
        ".venv/bin/auditor demo",
        ".venv/bin/pytest -n 3",
    ]
    assert {line for line in commands() if line not in installs} == {*EXITS, *AFTER_TWO_NIGHTS, *OF_CI}
    ci = (ROOT / ".ci" / "run").read_text("utf-8")
    assert "readme_line '.venv/bin/auditor demo'" in ci
    assert "readme_line '.venv/bin/pytest -n 3'" in ci
    assert "\npython -m bench --quick\n" in ci
    assert " pytest tests/fuzz -n 4 " in ci  # as long as it says; the campaigns and the soak are tests/fire


@pytest.fixture
def at_work(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A folder with a configuration, and the environment of someone who uses the program there."""
    estate = generate(3, accounts=2, regions=["us-east-1"], now=datetime.now(UTC), records_per_target=20)
    (tmp_path / "accounts.yaml").write_text(estate.accounts_yaml(), "utf-8")
    with serve_in_thread(estate) as running:
        yield {**os.environ, **running.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}


@pytest.mark.parametrize("command", [command for command in EXITS if "simulate" not in command])
def test_a_command_of_the_readme_does_what_it_should(
    command: str, tmp_path: Path, at_work: dict[str, str]
) -> None:
    done = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, env=at_work, capture_output=True, text=True, check=False
    )

    assert done.returncode == EXITS[command], done.stderr
    assert "Traceback" not in done.stderr


def test_the_commands_that_look_back_do_what_they_should(tmp_path: Path, at_work: dict[str, str]) -> None:
    with (tmp_path / "accounts.yaml").open("a", encoding="utf-8") as file:
        file.write("history: {}\n")
    night = "auditor run -c accounts.yaml --fail-on none"
    for command, code in {night: 0, f"{night} --quiet": 0, **AFTER_TWO_NIGHTS}.items():
        done = subprocess.run(
            ["bash", "-c", command], cwd=tmp_path, env=at_work, capture_output=True, text=True, check=False
        )
        assert done.returncode == code, (command, done.stdout, done.stderr)


def test_the_simulator_of_the_readme_serves_until_it_is_told_to_end(
    tmp_path: Path, at_work: dict[str, str]
) -> None:
    with subprocess.Popen(
        ["auditor", "simulate", "--port", "0"],
        cwd=tmp_path,
        env=at_work,
        stdout=subprocess.PIPE,
        text=True,
    ) as serving:
        assert serving.stdout is not None
        first = serving.stdout.readline()
        serving.send_signal(signal.SIGINT)
        code = serving.wait(20)

    assert first.startswith("# Serving")
    assert code == EXITS["auditor simulate --port 0"]


def test_the_configuration_of_the_readme_is_valid(tmp_path: Path) -> None:
    least, accepted = blocks("yaml")
    path = tmp_path / "accounts.yaml"
    path.write_text(re.sub("^   ", "", least, flags=re.MULTILINE) + accepted, "utf-8")

    config = auditor.load_config(path, environ={"AUDITOR_EXTERNAL_ID": "planted-id"})

    assert [(account.id, account.name) for account in config.accounts] == [("111122223333", "payments-prod")]
    assert (config.waivers[0].ticket, config.accepted_gaps[0].region) == ("PAY-1234", "eu-*")


def test_the_program_of_the_readme_runs(tmp_path: Path, at_work: dict[str, str]) -> None:
    (block,) = blocks("python")

    done = subprocess.run(
        [sys.executable, "-c", block], cwd=tmp_path, env=at_work, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout == "1 100\n"


def test_every_link_of_the_documentation_leads_somewhere() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    links = [
        (page, link) for page in pages for link in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8"))
    ]

    assert links
    assert [(page, link) for page, link in links if not (page.parent / link).exists()] == []
