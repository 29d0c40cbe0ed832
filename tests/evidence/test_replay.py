"""A run judged again from its evidence says what it said; other policies say what they would have said."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from tests.evidence.test_recording import FAULTS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.evidence.conftest import Record


def replay(folder: Path, *options: object) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "auditor", "replay", str(folder), *map(str, options)]
    return subprocess.run(command, capture_output=True, check=False)


def test_the_same_configuration_gives_the_same_bytes(record: Record) -> None:
    run = record(*FAULTS)
    ended = replay(run.folder)
    assert ended.stdout == (run.folder / "findings.jsonl").read_bytes(), ended.stderr
    assert b"judged as the run did" in ended.stderr
