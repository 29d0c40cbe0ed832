"""Evidence that can't be read says so in one line: what is wrong, where; and nothing hostile in it does any harm."""

from __future__ import annotations

import base64
import json
import os
import resource
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import zstandard

from auditor.errors import EvidenceFault
from auditor.evidence.manifest import envelope
from auditor.evidence.reading import Evidence
from auditor.evidence.verifying import faults_of
from tests.cli.conftest import _process_left_as_it_was, auditor, process, spawn
from tests.evidence.sealing import Lines, change_index, seal_again
from tests.evidence.test_signing import key_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Auditor, Process
    from tests.evidence.conftest import Recorded

__all__ = ["_process_left_as_it_was", "auditor", "process", "spawn"]  # fixtures

PARTS = (
    "evidence/manifest.dsse.json",
    "evidence/index.jsonl.zst",
    "evidence/lines.jsonl.zst",
    "evidence/answers-00001.zst",
    "evidence/environment.json",
    "run.json",
    "findings.jsonl",
    "coverage.jsonl",
)


@pytest.fixture
def folder(recorded: Recorded, tmp_path: Path) -> Path:
    copy = tmp_path / "copy"
    shutil.copytree(recorded.folder, copy)
    return copy


def statement(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Write the manifest with another statement."""
    path = folder / "evidence" / "manifest.dsse.json"
    told = json.loads(base64.b64decode(json.loads(path.read_bytes())["payload"]))
    change(told)
    path.write_bytes(envelope(json.dumps(told).encode()))


@pytest.mark.parametrize("share", [0.0, 0.5, 0.98])
@pytest.mark.parametrize("name", PARTS)
def test_a_file_that_is_cut_short_is_named_and_nothing_crashes(
    auditor: Auditor, folder: Path, name: str, share: float
) -> None:
    raw = (folder / name).read_bytes()
    (folder / name).write_bytes(raw[: int(len(raw) * share)])
    ended = auditor("verify", folder, "--allow-unsigned")
    assert ended.code == 1
    assert any(name in line or name.rpartition("/")[2] in line for line in ended.out.splitlines())
    assert "Traceback" not in ended.out + ended.err
    assert ended.last.startswith("auditor: exit 1: ")


@pytest.mark.parametrize("name", PARTS)
def test_a_file_that_is_gone_is_named_and_nothing_crashes(auditor: Auditor, folder: Path, name: str) -> None:
    (folder / name).unlink()
    ended = auditor("verify", folder, "--allow-unsigned")
    assert ended.code == 1
    assert any(name in line for line in ended.out.splitlines())
    assert "Traceback" not in ended.out + ended.err


def test_a_folder_without_evidence_is_a_usage_error(auditor: Auditor, tmp_path: Path) -> None:
    ended = auditor("verify", tmp_path)
    assert (ended.code, ended.out) == (2, "")
    assert "holds no evidence; name the folder of a run that was given --evidence" in ended.err
    assert auditor("verify", tmp_path / "nowhere").code == 2


def test_a_manifest_of_a_newer_version_is_refused_in_one_line(auditor: Auditor, folder: Path) -> None:
    statement(folder, lambda told: told["predicate"].update(schema="auditor.evidence/2"))
    ended = auditor("verify", folder, "--allow-unsigned")
    assert ended.code == 1
    (line,) = ended.out.splitlines()
    assert line.endswith(
        "auditor.evidence/2, which this auditor does not know; use the version that wrote it"
    )


@pytest.mark.parametrize(
    "name", ["../secret", "/etc/hostname", "evidence/../../secret", "link/secret", "a\\..\\b", "nul\0", ""]
)
def test_a_path_that_leaves_the_folder_is_refused_and_not_read(
    auditor: Auditor, folder: Path, name: str
) -> None:
    (folder.parent / "secret").write_text("secret")
    (folder / "link").symlink_to(folder.parent)
    statement(folder, lambda told: told["subject"].append({"name": name, "digest": {"sha256": "0" * 64}}))
    ended = auditor("verify", folder, "--allow-unsigned")
    assert ended.code == 1
    (line,) = ended.out.splitlines()
    assert "which is not in the run's folder" in line


@pytest.mark.parametrize("name", [*PARTS, "evidence/more"])
@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_what_would_be_read_without_end_is_refused(
    auditor: Auditor, folder: Path, name: str, kind: str
) -> None:
    (folder / name).unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(folder / name)
    else:
        (folder / name).symlink_to("/dev/zero")
    commands: list[list[str | Path]] = [["verify", folder, "--allow-unsigned"], ["replay", folder]]
    for command in commands:
        ended = auditor(*command)
        assert ended.code == 1
        assert f"{Path(name).name}: is neither a file nor a folder" in ended.out + ended.err


def test_a_pack_that_is_elsewhere_is_refused(folder: Path) -> None:
    def elsewhere(lines: Lines) -> Lines:
        for line in lines:
            if line["pack"]:
                line["pack"] = "../../secret"
        return lines

    change_index(folder, elsewhere)
    seal_again(folder)
    assert any(
        "stands in ../../secret, which the manifest does not name" in fault
        for fault in faults_of(folder, allow_unsigned=True)
    )


def bomb(size: int) -> bytes:
    """A frame that unpacks to so many bytes, and says so."""
    packer = zstandard.ZstdCompressor(level=19).compressobj(size=size)
    nothing = bytes(1024 * 1024)
    parts = [packer.compress(nothing) for _ in range(size // len(nothing))]
    return b"".join([*parts, packer.flush()])


def test_a_bomb_in_the_place_of_an_answer_is_not_unpacked(folder: Path) -> None:
    """A frame that unpacks to a gigabyte, though its lines promise little."""
    frame = bomb(1024**3)

    def swapped(lines: Lines) -> Lines:
        line = next(line for line in lines if line["pack"])
        same = [each for each in lines if (each["pack"], each["frame"]) == (line["pack"], line["frame"])]
        path = folder / "evidence" / line["pack"]
        raw = path.read_bytes()
        path.write_bytes(raw[: line["frame"]] + frame + raw[line["frame"] + line["frame_length"] :])
        longer = len(frame) - line["frame_length"]
        for each in lines:
            if each["pack"] and each["frame"] > line["frame"]:
                each["frame"] += longer
        for each in same:
            each["frame_length"] = len(frame)
        return lines

    change_index(folder, swapped)
    seal_again(folder)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = list(faults_of(folder, allow_unsigned=True))
    assert any("does not hold the" in fault and "bytes that its lines say" in fault for fault in found)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 1024


@pytest.mark.parametrize("name", ["index.jsonl.zst", "lines.jsonl.zst"])
def test_a_bomb_in_the_place_of_lines_is_not_unpacked(folder: Path, name: str) -> None:
    (folder / "evidence" / name).write_bytes(bomb(1024**3))
    if name == "index.jsonl.zst":
        statement(folder, lambda _: None)
    (folder / "findings.jsonl").write_bytes(b"{}\n")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = list(faults_of(folder, allow_unsigned=True))
    assert any(name in fault for fault in found)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 1024


def test_lines_that_promise_more_than_any_answer_are_refused(folder: Path) -> None:
    def promising(lines: Lines) -> Lines:
        line = next(line for line in lines if line["length"])
        line["length"] = 10**12
        return lines

    change_index(folder, promising)
    seal_again(folder)
    assert any("more than any answers are" in fault for fault in faults_of(folder, allow_unsigned=True))


WRONG: dict[str, Any] = {
    "schema": "auditor.answer/2",
    "seq": -1,
    "length": True,
    "page": "1",
    "request": [],
    "place_ends": None,
}


@pytest.mark.parametrize("key", WRONG)
def test_a_line_of_the_index_of_another_shape_is_named_by_its_number(folder: Path, key: str) -> None:
    def broken(lines: Lines) -> Lines:
        lines[3][key] = WRONG[key]
        return lines

    change_index(folder, broken)
    seal_again(folder)
    found = list(faults_of(folder, allow_unsigned=True))
    assert any(fault.startswith("the index: line 4 ") for fault in found)
    with pytest.raises(EvidenceFault, match="the index: line 4 "):
        list(Evidence.open(folder).places())


def test_keys_are_told_apart(auditor: Auditor, folder: Path, tmp_path: Path) -> None:
    private, public = key_of(tmp_path, "ed25519")
    unsigned = auditor("verify", folder, "--key", public)
    assert unsigned.code == 1
    assert unsigned.out == "the signature: there is none to hold against --key\n"
    ended = auditor("verify", folder, "--key", private)
    assert ended.code == 2
    assert "holds a private key; make its public one" in ended.err
    assert auditor("verify", folder, "--key", tmp_path / "none.pem").code == 2
    assert auditor("verify", folder).code == 1
    all_well = auditor("verify", folder, "--allow-unsigned")
    assert (all_well.code, all_well.out) == (0, "")
    assert all_well.last.endswith("the evidence is what was recorded; no signature was checked")


WITHOUT = "import sys; sys.modules['zstandard'] = None; from auditor.cli import main; main()"


@pytest.mark.parametrize("command", [("run", "--evidence", "-o", "out"), ("verify", "out")])
def test_without_the_extra_it_is_told_how_to_install_it(
    process: Process, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("accounts.yaml").write_text(
        "version: 1\ndefaults: {role_name: R}\naccounts: [{id: '111122223333'}]\n", "utf-8"
    )
    ended = process(*command, program=(sys.executable, "-c", WITHOUT))
    assert ended.code == 2
    assert "zstandard is not installed; install it: pip install '.[evidence]'" in ended.err
    assert not Path("out").exists()
