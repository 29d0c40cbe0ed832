"""Somebody else's linters for the jobs of docs/."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

BIN = Path(sys.executable).parent
OF_GITHUB = ("--builtin-schema", "vendor.github-workflows")
OF_GITLAB = ("--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci")


def hold_to_schema(job: Path, schema: tuple[str, ...]) -> None:
    """Fail where a job is not what its runner's schema says."""
    asked = [str(BIN / "check-jsonschema"), *schema, str(job)]
    ended = subprocess.run(asked, check=False, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout


def hold_to_zizmor(workflow: Path) -> None:
    """Fail where zizmor finds anything in a workflow."""
    asked = [str(BIN / "zizmor"), "--offline", "--persona", "pedantic", str(workflow)]
    ended = subprocess.run(asked, check=False, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout


def hold_to_commits(workflow: Path) -> None:
    """Fail where an action is not pinned to a commit."""
    used = re.findall(r"uses: (\S+)", workflow.read_text("utf-8"))
    assert len(used) >= 4
    assert all(re.fullmatch(r"[\w/.-]+@[0-9a-f]{40}", each) for each in used)
