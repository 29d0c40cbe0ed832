"""What docs/evidence.md says of verifying without the auditor is done here, word for word."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditor.audit import EvidenceOptions
from tests.evidence.conftest import estate_of, record

if TYPE_CHECKING:
    from tests.evidence.conftest import Record

__all__ = ["record"]  # a fixture

PAGE = (Path(__file__).parents[2] / "docs" / "evidence.md").read_text("utf-8")
KEY = next(line for line in PAGE.splitlines() if line.startswith("openssl genpkey"))
(WITHOUT,) = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def bash(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    how: dict[str, Any] = {"cwd": folder, "capture_output": True, "text": True}
    return subprocess.run(["bash", "-euo", "pipefail", "-c", script], check=False, **how)


def test_standard_tools_verify_what_was_kept_and_find_what_was_changed(
    record: Record, tmp_path: Path
) -> None:
    assert bash(KEY, tmp_path).returncode == 0
    run = record(estate=estate_of(accounts=1), options=EvidenceOptions(key=tmp_path / "evidence.key")).folder
    (run / "evidence.pub").write_bytes((tmp_path / "evidence.pub").read_bytes())
    # The last lines print what is there, and head closes its pipe on zstd.
    script = WITHOUT.replace(" | head -c 1000", " | wc -c")

    done = bash(script, run)

    assert done.returncode == 0, done.stderr
    assert "Signature Verified Successfully" in done.stdout
    assert "findings.jsonl: OK" in done.stdout
    assert '"lightsail:GetExportSnapshotRecords"]' in done.stdout
    assert int(done.stdout.splitlines()[-1]) > 1000

    (run / "findings.jsonl").write_text("{}\n")
    assert "findings.jsonl: FAILED" in bash(script, run).stdout
