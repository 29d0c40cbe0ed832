"""Expressions that could run long, or eat memory: each is refused, or ends soon and leaves the record unjudged."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

SECONDS = 30
"""A hang is killed then; what is measured is the time of the evaluation itself."""
BOUND = 5.0
MEGABYTES = 600
"""Of the whole process, its imports included."""

# The largest record of which an expression reads anything: more elements, or longer texts, leave it unjudged.
RECORD = {
    "name": "a" * 2_048,
    "sourceInfo": {"instanceSnapshotInfo": {"fromDiskInfo": [{"name": "a" * 2_048, "sizeInGb": 1}] * 1_000}},
}
DISKS = "record.sourceInfo.instanceSnapshotInfo.fromDiskInfo"

CHILD = """
import json, re, sys, time
from pathlib import Path
from datetime import UTC, datetime
from auditor.errors import Unjudgeable
from auditor.expressions import Program, checked
from auditor.model import ExportRecord, Facts

text, raw = json.load(sys.stdin)
begun = time.process_time()
faults = checked(text).faults
if faults:
    result = "refused: " + faults[0].text
else:
    program = Program(text, datetime(2026, 11, 23, tzinfo=UTC))
    try:
        result = str(program.value(program.data(ExportRecord(raw, Facts()), None)))
    except Unjudgeable as error:
        result = "unjudged: " + str(error)
spent = time.process_time() - begun
# Not getrusage: that counts what the process was before its exec, a copy of the tests' own.
peak = re.search("VmHWM:\\s*([0-9]+) kB", Path("/proc/self/status").read_text())
print(json.dumps([result, spent, int(peak[1]) / 1024]))
"""


def outcome(text: str, raw: object = RECORD) -> str:
    """Return what becomes of an expression, in a process of its own: a hang can't hang the tests."""
    ended = subprocess.run(
        [sys.executable, "-c", CHILD],
        input=json.dumps([text, raw]),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    result, seconds, megabytes = json.loads(ended.stdout)
    assert seconds < BOUND
    assert megabytes < MEGABYTES
    return str(result)


@pytest.mark.parametrize(
    "text",
    [
        f"{DISKS}.all(a, {DISKS}.all(b, {DISKS}.all(c, a.sizeInGb == c.sizeInGb)))",
        f"{DISKS}.map(a, {DISKS}.map(b, {DISKS}.map(c, a.sizeInGb))).size() > 0",
        f"{DISKS}.filter(a, a.name in {DISKS}.map(b, b.name)).size() == 0",
        f"{DISKS}.exists(a, {DISKS}.exists(b, a.name.matches('{'.?' * 24}$b')))",
        "timestamp('9999-12-31T23:59:59Z') + duration('9999999h') > now",
        "days(9223372036854775807) > days(1)",
        "9223372036854775807 + size(record.name) > 0",
        "1 % (size(record.name) - 2048) == 0",
    ],
)
def test_what_would_run_long_or_over_ends_soon_and_leaves_the_record_unjudged(text: str) -> None:
    assert outcome(text).startswith("unjudged: ")


@pytest.mark.parametrize(
    "text",
    [
        f"{DISKS}.exists(a, a.name.matches('{'.{0,100}' * 9}$b'))",
        rf"{DISKS}.exists(a, a.name.matches(r'{chr(92)}pL?{chr(92)}pL?$b'))",
        f"{DISKS}.exists(a, a.name.matches('{'.?' * 25}$b'))",
        f"{DISKS}.exists(a, a.name.matches('b') || a.name.matches('c'))",
        "record.name.matches('((a{1,100}){1,100}){1,100}')",
        f"{'(' * 900}true{')' * 900}",
        f"{'[' * 400}{']' * 400}.size() > 0",
        f"{'9' * 1_900} > 1",
        f"size('a'){chr(43)}{'+'.join(['1'] * 100)} > 0",
        f"true{' ' * 100_000}",
    ],
)
def test_what_nothing_would_bound_is_refused_before_the_run(text: str) -> None:
    assert outcome(text).startswith("refused: ")


@pytest.mark.parametrize(
    "text",
    [
        f"record.name.matches('{'.{0,100}' * 9}$b')",
        f"!{DISKS}.all(a, a.name.matches('^data-[a-z]+$'))",
        f"{DISKS}.map(a, {DISKS}).size() == 1000",
        f"{'!' * 1_900}true",
    ],
)
def test_what_is_bounded_is_evaluated(text: str) -> None:
    assert outcome(text) in {"True", "False"}


def test_a_list_that_is_longer_than_an_expression_may_read_leaves_the_record_unjudged() -> None:
    raw = {"sourceInfo": {"instanceSnapshotInfo": {"fromDiskInfo": [{"sizeInGb": 1}] * 1_001}}}
    assert outcome(f"{DISKS}.map(a, a.sizeInGb).size() > 0", raw).startswith("unjudged: ")


def test_a_message_has_few_loops() -> None:
    from auditor.expressions import template_faults  # noqa: PLC0415 -- the other tests need it in their children only

    loop = "{string(facts.volumes.all(v, v.id == ''))}"
    assert template_faults(loop * 4) == []
    (fault,) = template_faults(loop * 6)
    assert fault.text == "more than 4 calls of all, exists, map or filter; write fewer"
    assert fault.column == 4 * len(loop) + 2
