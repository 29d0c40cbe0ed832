"""A run judged again from its evidence says what it said; other policies say what they would have said."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from auditor.simulator.faults import Fault, FaultKind
from tests.evidence.conftest import estate_of
from tests.evidence.test_recording import FAULTS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.evidence.conftest import Record

HEAD = 'version: 1\ndefaults: {role_name: R}\naccounts: [{id: "111122223333"}]\n'


def replay(folder: Path, *options: object) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "auditor", "replay", str(folder), *map(str, options)]
    return subprocess.run(command, capture_output=True, check=False)


def findings(raw: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in raw.splitlines()]


@pytest.mark.parametrize(
    "faults",
    [
        FAULTS,
        (Fault(FaultKind.ACCESS_DENIED, region="us-east-1", page=2),),
        (Fault(FaultKind.ACCESS_DENIED, operation="DescribeSnapshots"),),
        (Fault(FaultKind.TOKEN_LOOP, region="eu-west-1"),),
    ],
    ids=["mended", "partial", "facts-denied", "loop"],
)
def test_the_same_configuration_gives_the_same_bytes(record: Record, faults: tuple[Fault, ...]) -> None:
    run = record(*faults, estate=estate_of(afterlife=True))
    ended = replay(run.folder)
    told = (run.folder / "findings.jsonl").read_bytes()
    assert ended.stdout == told, ended.stderr
    assert told
    assert b"judged as the run did" in ended.stderr
    policies = {each["policy"] for each in run.lines("findings.jsonl")}
    assert {"unencrypted-export", "stale-failed-export"} & policies
    incomplete = any(
        each["verdict"] in ("partial", "failed") or each["unjudged"] for each in run.lines("coverage.jsonl")
    )
    assert ended.returncode == (3 if incomplete else 0)


def test_what_the_history_alone_knew_stands_where_the_run_told_it(record: Record) -> None:
    estate = estate_of()
    record(estate=estate, extra="history: {}\n", into="first")
    fewer = estate_of(seed=8)
    second = record(
        Fault(FaultKind.ACCESS_DENIED, fewer.accounts[0].id),
        estate=fewer,
        extra="history: {}\n",
        into="second",
    )
    statuses = {each["status"] for each in second.lines("findings.jsonl")}
    assert {"new"} < statuses
    ended = replay(second.folder)
    assert ended.stdout == (second.folder / "findings.jsonl").read_bytes(), ended.stderr


def test_other_settings_say_what_they_would_have_said(record: Record, tmp_path: Path) -> None:
    run = record()
    other = tmp_path / "other.yaml"
    other.write_text(HEAD + "policies: {oversized-disk: {max_gb: 1, severity: critical}}\n", "utf-8")
    ended = replay(run.folder, "-c", other)
    before = [each for each in run.lines("findings.jsonl") if each["policy"] == "oversized-disk"]
    now = [each for each in findings(ended.stdout) if each["policy"] == "oversized-disk"]
    assert len(now) > len(before) > 0
    assert {each["finding_id"] for each in before} < {each["finding_id"] for each in now}
    assert {each["severity"] for each in now} == {"critical"}
    assert b"otherwise than the run did" in ended.stderr


def test_another_instant_judges_ages_anew(record: Record) -> None:
    run = record(estate=estate_of(afterlife=True))
    later = run.result.record["started_at"][:4]
    ended = replay(run.folder, "--now", f"{int(later) + 3}-01-01")
    old = [each for each in findings(ended.stdout) if each["policy"] == "expired-retention"]
    assert len(old) > sum(each["policy"] == "expired-retention" for each in run.lines("findings.jsonl"))


def test_what_was_not_kept_leaves_records_unjudged_and_never_passed(record: Record, tmp_path: Path) -> None:
    run = record()  # whose policies look at nothing but the records
    other = tmp_path / "other.yaml"
    other.write_text(HEAD, "utf-8")
    ended = replay(run.folder, "-c", other)
    assert ended.returncode == 3
    assert b"not recorded" in ended.stderr
    assert b"could not be judged" in ended.stderr


def test_findings_go_to_a_file_whole(record: Record, tmp_path: Path) -> None:
    run = record()
    ended = replay(run.folder, "-o", tmp_path / "again.jsonl")
    assert ended.stdout == b""
    assert (tmp_path / "again.jsonl").read_bytes() == (run.folder / "findings.jsonl").read_bytes()
    refused = replay(run.folder, "-o", tmp_path / "none" / "again.jsonl")
    assert refused.returncode == 4
    assert b"again.jsonl: No such file or directory" in refused.stderr


def test_damaged_evidence_is_exit_1_and_says_where(record: Record) -> None:
    run = record()
    pack = run.folder / "evidence" / "answers-00001.zst"
    raw = bytearray(pack.read_bytes())
    raw[len(raw) // 2] ^= 1
    pack.write_bytes(raw)
    ended = replay(run.folder)
    assert ended.returncode == 1
    assert b"answers-00001.zst" in ended.stderr
    assert b"Traceback" not in ended.stderr


def test_a_folder_without_evidence_and_a_time_that_is_none_are_refused(tmp_path: Path) -> None:
    ended = replay(tmp_path)
    assert (ended.returncode, ended.stdout) == (2, b"")
    assert b"holds no evidence" in ended.stderr
    assert replay(tmp_path, "--now", "yesterday").returncode == 2
