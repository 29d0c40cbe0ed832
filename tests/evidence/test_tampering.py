"""Whatever is changed in evidence afterwards is found, and named: by the digests, or where these were made anew by
what the answers themselves say.
"""

from __future__ import annotations

import random
import shutil
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from auditor.evidence.verifying import faults_of
from auditor.simulator.faults import Fault, FaultKind
from tests.evidence.sealing import Lines, change_index, change_lines, seal_again

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.evidence.conftest import Recorded


@pytest.fixture
def folder(recorded: Recorded, tmp_path: Path) -> Path:
    """A copy of a recorded run, to be changed."""
    copy = tmp_path / "copy"
    shutil.copytree(recorded.folder, copy)
    return copy


def faults(folder: Path) -> list[str]:
    found = list(faults_of(folder, allow_unsigned=True))
    assert all("\n" not in fault for fault in found)
    return found


@pytest.mark.parametrize("seed", range(6))
def test_a_flipped_bit_is_found_in_whatever_file_it_is(recorded: Recorded, seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)  # noqa: S311 -- repeatable, which is the point
    names = sorted(
        str(path.relative_to(recorded.folder)) for path in recorded.folder.rglob("*") if path.is_file()
    )
    assert len(names) == 12
    for number, name in enumerate(names):
        folder = tmp_path / str(number)
        shutil.copytree(recorded.folder, folder)
        raw = bytearray((folder / name).read_bytes())
        at = rng.randrange(len(raw))
        bit = 1 << rng.randrange(8)
        raw[at] ^= bit
        (folder / name).write_bytes(raw)
        found = faults(folder)
        named = "manifest" if name.endswith("manifest.dsse.json") else name
        assert any(named in fault for fault in found), (name, at, found)
        if name in ("findings.jsonl", "coverage.jsonl"):
            if b"\n" in bytes((raw[at], raw[at] ^ bit)):
                continue  # one line more or less: another is the first that differs
            line = raw[:at].count(b"\n") + 1
            assert any(fault.startswith(f"{name}:{line}: was edited") for fault in found), found


def drop(rng: random.Random, lines: Lines) -> Lines:
    del lines[rng.randrange(len(lines))]
    return lines


def duplicate(rng: random.Random, lines: Lines) -> Lines:
    at = rng.randrange(len(lines))
    return [*lines[: at + 1], *lines[at:]]


def swap(rng: random.Random, lines: Lines) -> Lines:
    """Two answers of one target change places."""
    at = rng.choice(
        [
            at
            for at, (one, other) in enumerate(pairwise(lines))
            if (one["account_id"], one["region"], one["source"])
            == (other["account_id"], other["region"], other["source"])
        ]
    )
    lines[at], lines[at + 1] = lines[at + 1], lines[at]
    return lines


def move(rng: random.Random, lines: Lines) -> Lines:
    """An answer is said to be another target's."""
    line = rng.choice([line for line in lines if line["region"]])
    line["region"] = "us-west-2" if rng.random() < 0.5 else "eu-west-1"
    if line["region"] == "eu-west-1":
        line["account_id"] = "000000000000"
    return lines


def renumber(rng: random.Random, lines: Lines) -> Lines:
    """An answer and all after it of its target are counted anew, as if one before had never been."""
    gone = rng.choice([line for line in lines if line["region"] and line["page"]])
    for line in lines:
        same = [line[key] == gone[key] for key in ("account_id", "region", "source")]
        if all(same) and line["seq"] > gone["seq"]:
            line["seq"] -= 1
            line["page"] = line["page"] and line["page"] - 1
    lines.remove(gone)
    if gone["place_ends"]:
        last = [
            line
            for line in lines
            if (line["account_id"], line["region"]) == (gone["account_id"], gone["region"])
        ]
        if last:
            last[-1]["place_ends"] = True
    return lines


@pytest.mark.parametrize("change", [drop, duplicate, swap, move, renumber])
@pytest.mark.parametrize("seed", range(4))
def test_an_answer_that_is_missing_added_or_moved_is_found_though_the_seal_is_made_anew(
    folder: Path, change: Callable[[random.Random, Lines], Lines], seed: int
) -> None:
    rng = random.Random(seed)  # noqa: S311 -- repeatable, which is the point
    change_index(folder, lambda lines: change(rng, lines))
    assert any("index.jsonl.zst: is not as it was sealed" in fault for fault in faults(folder))
    seal_again(folder)
    found = faults(folder)
    assert found
    assert not any("sealed" in fault for fault in found)


LEDGER: dict[str, dict[str, Any]] = {
    "pages": {"pages": 7},
    "records": {"records": 1},
    "requests": {"requests": 9},
    "a gap as complete": {"verdict": "complete", "reason": None, "error_code": None, "error_message": None},
    "complete as a gap": {"verdict": "failed", "reason": "access-denied"},
    "another reason": {"reason": "throttled"},
    "another text": {"error_message": "all is well"},
}


@pytest.mark.parametrize("edit", LEDGER)
@pytest.mark.parametrize("seed", range(3))
def test_an_edited_ledger_line_is_found_though_the_seal_is_made_anew(
    folder: Path, edit: str, seed: int
) -> None:
    rng = random.Random(seed)  # noqa: S311 -- repeatable, which is the point
    edited: list[dict[str, Any]] = []

    def change(lines: Lines) -> Lines:
        able = [line for line in lines if {**line, **LEDGER[edit]} != line and line["requests"]]
        if edit in ("a gap as complete", "another reason", "another text"):
            able = [line for line in able if line["reason"]]
        if edit == "complete as a gap":
            able = [line for line in able if line["verdict"] == "complete"]
        line = rng.choice(able)
        line |= LEDGER[edit]
        edited.append(line)
        return lines

    change_lines(folder / "coverage.jsonl", change)
    assert any(fault.startswith("coverage.jsonl:") for fault in faults(folder))
    seal_again(folder)
    name = f"{edited[0]['account_id']} {edited[0]['region']} {edited[0]['source']}"
    assert any(fault.startswith(name) for fault in faults(folder))


@pytest.mark.parametrize("name", ["findings.jsonl", "coverage.jsonl"])
def test_lines_taken_away_and_added_are_named(recorded: Recorded, folder: Path, name: str) -> None:
    change_lines(folder / name, lambda lines: [*lines[:2], *lines[3:]])
    found = faults(folder)
    assert f"{name}: line 3 as it was sealed was edited or taken away" in found
    shutil.copy(recorded.folder / name, folder / name)
    change_lines(folder / name, lambda lines: [lines[0], {**lines[0], "account_id": "1"}, *lines[1:]])
    assert f"{name}:2: was edited or added" in faults(folder)
    seal_again(folder)
    assert any(fault.startswith("run.json: counts ") for fault in faults(folder))


def test_an_added_file_and_one_taken_away_are_named(folder: Path) -> None:
    (folder / "evidence" / "answers-00002.zst").write_bytes(b"")
    (folder / "evidence" / "policies.json").unlink()
    found = faults(folder)
    assert "evidence/answers-00002.zst: was added; the manifest does not name it" in found
    assert "evidence/policies.json: is not there, or can't be read" in found


def test_bytes_between_the_answers_are_found(folder: Path) -> None:
    path = folder / "evidence" / "answers-00001.zst"
    path.write_bytes(path.read_bytes() + b"more")
    seal_again(folder)
    assert any("and the index tells of" in fault for fault in faults(folder))


def test_a_manifest_of_another_run_is_found(folder: Path) -> None:
    seal_again(folder, run_id="20260101T000000Z-00000000")
    assert "run.json: is of another run than the manifest (run_id)" in faults(folder)


def test_the_recorded_night_was_eventful(recorded: Recorded) -> None:
    """Or the tests above would prove little."""
    coverage = recorded.lines("coverage.jsonl")
    assert {line["verdict"] for line in coverage} == {"complete", "partial", "failed", "skipped"}
    assert sum(line["retries"] for line in coverage) >= 1
    assert len(recorded.lines("findings.jsonl")) > 10
    assert Fault(FaultKind.THROTTLE) != Fault(FaultKind.HANG)
