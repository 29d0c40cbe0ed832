"""The archive for an auditor: all that a run rests on, and a page by which it is checked with everybody's tools."""

from __future__ import annotations

import csv
import hashlib
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from auditor.audit import EvidenceOptions
from auditor.simulator.faults import Fault, FaultKind
from tests.evidence.conftest import estate_of
from tests.evidence.test_signing import KINDS, SMALL, key_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.evidence.conftest import Record, Recorded


def bundled(run: Recorded, archive: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "auditor", "bundle", str(run.folder), "-o", str(archive)]
    return subprocess.run(command, capture_output=True, check=False, text=True)


def opened(run: Recorded, archive: Path) -> Path:
    """The one folder in the archive, as somebody else's tool unpacks it."""
    ended = bundled(run, archive)
    assert ended.returncode == 0, ended.stderr
    subprocess.run(["unzip", "-q", archive, "-d", archive.parent / "unpacked"], check=True)
    (folder,) = (archive.parent / "unpacked").iterdir()
    return folder


def as_the_page_says(folder: Path, key: Path | None) -> subprocess.CompletedProcess[str]:
    """Run every command of README.txt, as it stands there."""
    commands = re.findall(r"^ {5}(\S.*)$", (folder / "README.txt").read_text("utf-8"), re.MULTILINE)
    assert len(commands) >= 5
    shell = "\n".join(commands).replace("KEY", str(key))
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", shell], cwd=folder, capture_output=True, check=False, text=True
    )


def rows(path: Path) -> list[dict[str, Any]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_s_own_commands_find_it_whole_and_signed(record: Record, tmp_path: Path, kind: str) -> None:
    private, public = key_of(tmp_path, kind)
    folder = opened(
        record(estate=estate_of(**SMALL), options=EvidenceOptions(key=private)), tmp_path / "b.zip"
    )
    checked = as_the_page_says(folder, public)
    assert checked.returncode == 0, checked.stderr
    assert "Verified OK" in checked.stdout or "Signature Verified Successfully" in checked.stdout
    assert '"request_id"' in checked.stdout
    _, another = key_of(tmp_path, "p384" if kind == "p256" else "p256")
    assert as_the_page_says(folder, another).returncode != 0


def test_the_page_s_own_commands_find_a_changed_byte(record: Record, tmp_path: Path) -> None:
    folder = opened(record(estate=estate_of(**SMALL)), tmp_path / "b.zip")
    assert "NOT SIGNED" in (folder / "README.txt").read_text("utf-8")
    assert as_the_page_says(folder, None).returncode == 0
    findings = folder / "run" / "findings.jsonl"
    findings.write_bytes(findings.read_bytes().replace(b"high", b"info", 1))
    checked = as_the_page_says(folder, None)
    assert checked.returncode != 0
    assert "findings.jsonl: FAILED" in checked.stdout


def test_the_tables_say_what_the_run_says_and_no_gap_is_a_pass(record: Record, tmp_path: Path) -> None:
    estate = estate_of(afterlife=True)
    denied = Fault(FaultKind.ACCESS_DENIED, estate.accounts[0].id, operation="DescribeSnapshots")
    run = record(denied, estate=estate)
    folder = opened(run, tmp_path / "b.zip")
    found = [row for row in rows(folder / "findings.csv") if row["kind"] == "finding"]
    assert [row["id"] for row in found] == [each["finding_id"] for each in run.lines("findings.jsonl")]
    controls = rows(folder / "controls.csv")
    assert {row["framework"] for row in controls} > {"AWS FSBP", "NIST SP 800-53 r5"}
    places = {(line["account_id"], line["region"]) for line in run.lines("coverage.jsonl")}
    for row in controls:
        told = [each for each in found if each["policy"] == row["policy"]]
        assert int(row["findings"]) == len(told)
        counted = sum(
            int(row[f"places_{each}"])
            for each in ("passed", "with_findings", "not_seen", "with_nothing_to_read")
        )
        assert counted == len(places)
        if row["policy"] == "unencrypted-export":
            assert int(row["places_not_seen"]) + int(row["places_with_findings"]) > 0
            assert row["result"] != "passed"


def test_the_same_run_makes_the_same_archive_and_none_is_overwritten(record: Record, tmp_path: Path) -> None:
    run = record(estate=estate_of(**SMALL))
    digests = set()
    for name in ("a.zip", "b.zip"):
        assert bundled(run, tmp_path / name).returncode == 0
        digests.add(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest())
    assert len(digests) == 1
    again = bundled(run, tmp_path / "a.zip")
    assert again.returncode == 2
    assert "is there already" in again.stderr
    nowhere = bundled(run, tmp_path / "none" / "a.zip")
    assert nowhere.returncode == 4
    assert not list(tmp_path.glob("*.part"))


def test_what_is_not_as_the_manifest_names_it_makes_no_archive(record: Record, tmp_path: Path) -> None:
    run = record(estate=estate_of(**SMALL))
    pack = run.folder / "evidence" / "answers-00001.zst"
    pack.write_bytes(pack.read_bytes() + b"\0")
    ended = bundled(run, tmp_path / "b.zip")
    assert ended.returncode == 1
    assert "answers-00001.zst: is not what the manifest names" in ended.stderr
    assert not list(tmp_path.glob("b.zip*"))
