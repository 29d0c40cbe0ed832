"""Evidence that can't be written ends no audit: it is told of, and leaves nothing that looks whole."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from typing import TYPE_CHECKING

from auditor.evidence.verifying import faults_of
from auditor.simulator.server import serve_in_thread
from tests.evidence.conftest import estate_of

if TYPE_CHECKING:
    from pathlib import Path

LARGEST = 40 * 1024
"""Bytes that any file may have: fewer than the answers take, more than the ledger does."""


def test_a_disk_that_takes_no_more_ends_the_evidence_and_not_the_audit(tmp_path: Path) -> None:
    estate = estate_of(records_per_target=800, page_size=50, planted=0.0)
    (tmp_path / "accounts.yaml").write_text(estate.accounts_yaml(), "utf-8")

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST, LARGEST))

    with serve_in_thread(estate) as server:
        ended = subprocess.run(
            [sys.executable, "-m", "auditor", "run", "--quiet", "--evidence", "-o", "run"],
            cwd=tmp_path,
            env={**os.environ, **server.environ},
            capture_output=True,
            text=True,
            preexec_fn=limit,
            check=False,
        )

    assert ended.returncode == 4, ended.stderr
    assert "not everything could be written: run/evidence: File too large" in ended.stderr
    run = json.loads((tmp_path / "run" / "run.json").read_bytes())
    assert run["exit_code"] == 4
    assert run["totals"]["targets"]["complete"] == 8  # of the ninth it is proved that its Region is off
    assert run["totals"]["records"] == 8 * 800
    (unfinished,) = faults_of(tmp_path / "run", allow_unsigned=True)
    assert unfinished == (
        "evidence/manifest.dsse.json: is not there; the evidence is unfinished, or it was taken away"
    )


def test_an_evidence_folder_that_is_there_already_is_a_usage_error(tmp_path: Path) -> None:
    estate = estate_of(accounts=1)
    (tmp_path / "accounts.yaml").write_text(estate.accounts_yaml(), "utf-8")
    (tmp_path / "run" / "evidence").mkdir(parents=True)
    with serve_in_thread(estate) as server:
        ended = subprocess.run(
            [sys.executable, "-m", "auditor", "run", "--quiet", "--evidence", "-o", "run"],
            cwd=tmp_path,
            env={**os.environ, **server.environ},
            capture_output=True,
            text=True,
            check=False,
        )
    assert ended.returncode == 2
    assert "run/evidence: File exists" in ended.stderr
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["evidence"]
    assert "Traceback" not in ended.stderr
