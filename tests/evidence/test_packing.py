"""Answers of many places at once, in whatever order they come: each is found again, and little is held."""

from __future__ import annotations

import random
import string
from typing import TYPE_CHECKING

import pytest

from auditor.aws.hearing import Answer, Asked
from auditor.evidence.lines import read_line
from auditor.evidence.manifest import Manifest
from auditor.evidence.packed import unpacked_lines
from auditor.evidence.reading import Evidence
from auditor.evidence.recording import Files, Recording
from auditor.evidence.verifying import faults_of
from tests.evidence.conftest import estate_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.evidence.conftest import Record

GATHERED, PACK = 4_000, 9_000


def answer(account: int, seq: int, body: bytes) -> Answer:
    asked = Asked("lightsail:GetExportSnapshotRecords", f"{account:012}", "us-east-1", seq=seq)
    return Answer(asked, 1.7e9, 200, f"{account}-{seq}", body, seq + 1, None)


@pytest.mark.parametrize("seed", range(5))
def test_every_answer_is_found_again_whatever_the_order_and_the_sizes(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 -- repeatable, which is the point
    recording = Recording(gathered=GATHERED, pack_ends_at=PACK)
    files = Files(tmp_path / "evidence")
    sent: dict[tuple[str, int], bytes] = {}
    left = dict.fromkeys(range(12), 0)
    most = 0
    while left:
        account = rng.choice(list(left))
        size = rng.choice([0, 10, 500, 3_000, 3 * GATHERED])
        body = "".join(rng.choices(string.printable, k=size)).encode()
        recording.take(answer(account, left[account], body))
        sent[f"{account:012}", left[account]] = body
        left[account] += 1
        most = max(most, *(gathered.size for gathered in recording._places.values()))
        if rng.random() < 0.1:
            recording.ended(f"{account:012}", "us-east-1")
            del left[account]
        if rng.random() < 0.3:
            files.write(recording.take_waiting())
    files.write(recording.take_waiting())
    files.close()

    packs = sorted((tmp_path / "evidence").glob("answers-*.zst"))
    assert len(packs) > 2
    assert most <= 3 * GATHERED
    raw = list(unpacked_lines(tmp_path / "evidence" / "index.jsonl.zst"))
    assert len([read_line(line, 1) for line in raw]) == len(sent) == recording.counted.answers
    subjects = {f"evidence/{path.name}": "" for path in packs}
    counts = {"counts": {"answers": len(sent)}}
    evidence = Evidence(tmp_path, Manifest(b"", (), subjects, counts, ""))
    found: dict[tuple[str, int], bytes] = {}
    places = list(evidence.places())
    assert len(places) == 12
    for place in places:
        assert place.is_whole
        assert [line.seq for line in place.lines] == list(range(len(place.lines)))
        for line, body_found in evidence.answers(place):
            assert line.account_id is not None
            assert body_found is not None
            found[line.account_id, line.seq] = body_found
    assert found == sent


def test_places_of_many_pages_take_several_frames_each(record: Record) -> None:
    run = record(estate=estate_of(accounts=2, records_per_target=700, page_size=60))

    frames = {
        (line.account_id, line.region, line.frame)
        for place in Evidence.open(run.folder).places()
        for line in place.lines
        if line.region
    }
    assert len(frames) > 2 * len({(account, region) for account, region, _ in frames})
    assert list(faults_of(run.folder, allow_unsigned=True)) == []
