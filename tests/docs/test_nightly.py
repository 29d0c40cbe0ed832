"""The jobs of docs/nightly: somebody else's linters take them, and the command in each works as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from auditor.simulator.estate import generate
from auditor.simulator.server import serve_in_thread
from tests.docs.linters import BIN, OF_GITHUB, OF_GITLAB, hold_to_commits, hold_to_schema, hold_to_zizmor

if TYPE_CHECKING:
    from typing import Any

NIGHTLY = Path(__file__).parents[2] / "docs" / "nightly"
JOBS = {"github-actions.yml": OF_GITHUB, "gitlab-ci.yml": OF_GITLAB}


def commands(job: str) -> list[str]:
    """Return the lines of shell that a job consists of."""
    told: Any = yaml.safe_load((NIGHTLY / job).read_text("utf-8"))
    if job == "github-actions.yml":
        steps = [step for each in told["jobs"].values() for step in each["steps"]]
        return [step["run"] for step in steps if "run" in step]
    return [line for each in told.values() for line in each["script"]]


@pytest.mark.parametrize("job", sorted(JOBS))
def test_a_job_is_what_its_runner_s_schema_says(job: str) -> None:
    hold_to_schema(NIGHTLY / job, JOBS[job])


def test_zizmor_finds_nothing_in_the_workflow() -> None:
    hold_to_zizmor(NIGHTLY / "github-actions.yml")


def test_each_action_is_pinned_to_a_commit() -> None:
    hold_to_commits(NIGHTLY / "github-actions.yml")


@pytest.mark.parametrize("job", sorted(JOBS))
def test_the_command_of_a_job_leaves_what_the_job_keeps(job: str, tmp_path: Path) -> None:
    estate = generate(accounts=1, regions=("us-east-1",), seed=3, now=datetime.now(UTC))
    (line,) = (line for line in commands(job) if line.startswith("auditor "))
    (tmp_path / "accounts.yaml").write_text(estate.accounts_yaml() + "history: {}\n", "utf-8")
    with serve_in_thread(estate) as running:
        environ = {**os.environ, **running.environ, "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md")}
        environ["PATH"] = f"{BIN}:{environ['PATH']}"
        ended = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", line],
            cwd=tmp_path,
            env=environ,
            check=False,
            capture_output=True,
            text=True,
        )
    assert ended.returncode == 1, ended.stderr  # each finding of high severity is new
    kept = re.findall(r"run/[\w.*-]+", (NIGHTLY / job).read_text("utf-8"))
    assert kept
    assert all(list(tmp_path.glob(each)) for each in kept)
