"""What was received is what is kept: each answer, byte for byte, under the target that it was an answer to."""

from __future__ import annotations

import subprocess
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from auditor.evidence.reading import Evidence
from auditor.simulator.faults import Fault, FaultKind

if TYPE_CHECKING:
    from auditor.evidence.lines import Line
    from tests.evidence.conftest import Record

FAULTS = (
    Fault(FaultKind.THROTTLE, region="us-east-1", page=2, times=1),
    Fault(FaultKind.CUT_BODY, region="us-east-1", page=1, times=1),
    Fault(FaultKind.NOT_JSON, region="eu-west-1", times=1),
    Fault(FaultKind.TOKEN_REJECTED, region="eu-west-1", page=2, times=1),
)


def test_every_target_of_the_ledger_has_its_answers_and_every_body_is_as_it_was_sent(
    record: Record,
) -> None:
    run = record(*FAULTS)

    evidence = Evidence.open(run.folder)
    answers: defaultdict[tuple[str | None, str | None, str], list[Line]] = defaultdict(list)
    places: Counter[tuple[str | None, str | None]] = Counter()
    for place in evidence.places():
        if place.region is not None:
            places[place.account_id, place.region] += 1
            assert place.is_whole
        for line, body in evidence.answers(place):
            answers[line.account_id, line.region, line.source].append(line)
            if line.status is None:
                assert (body, line.length) == (None, 0)
            elif line.withheld:
                assert (body, line.source, line.status) == (None, "sts:AssumeRole", 200)
            else:
                assert line.request_id is not None
                assert (line.status, body) == run.sent[line.request_id]
    assert set(places.values()) == {1}

    coverage = run.lines("coverage.jsonl")
    assert sum(line["retries"] for line in coverage) >= 4
    for told in coverage:
        kept = answers[told["account_id"], told["region"], told["source"]]
        assert [line.seq for line in kept] == list(range(told["requests"]))
        pages = [line.page for line in kept if line.page is not None]
        assert pages == list(range(1, told["pages"] + 1))


def test_what_is_kept_is_read_by_zstd_and_sha256sum(record: Record) -> None:
    run = record()

    packed = sorted((run.folder / "evidence").glob("answers-*.zst"))
    whole = subprocess.run(["zstd", "-dc", *packed], capture_output=True, check=True).stdout
    evidence = Evidence.open(run.folder)
    bodies = b"".join(body or b"" for place in evidence.places() for _, body in evidence.answers(place))
    assert len(bodies) == len(whole) > 0
    sums = subprocess.run(
        ["sha256sum", "--check", "--strict", "evidence/SHA256SUMS"],
        cwd=run.folder,
        capture_output=True,
        check=True,
        text=True,
    )
    named = {line.partition(":")[0] for line in sums.stdout.splitlines()}
    held = {str(path.relative_to(run.folder)) for path in run.folder.rglob("*") if path.is_file()}
    assert held - named == {"evidence/SHA256SUMS"}
