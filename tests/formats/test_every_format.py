"""What every format promises, whatever it looks like."""

from __future__ import annotations

import inspect
import re
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from auditor.formats import Format, formats
from tests.formats.made import (
    COMPLETE,
    COVERAGE,
    EVERY_STATUS,
    FAILED,
    HOSTILE_FINDING,
    LONG_FINDING,
    PARTIAL,
    RUN,
    START,
    SUBSET,
    UNJUDGED,
    coverage_line,
    finding,
    write,
    written,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS = Path(__file__).parents[2] / "docs" / "formats.md"
NAMES = sorted(formats())
FINDINGS_ALONE = {"jsonl"}
"""Whose gaps and scope stand in the run's folder beside it, as its documentation says."""
NUMBERS_ALONE = {"prometheus"}
"""Which names no account: its series must not grow with what is audited."""
COUNTED_FIRST = {"markdown", "prometheus"}
"""What writes nothing before all is counted, and keeps no more than a page."""
TELLING = sorted(set(NAMES) - FINDINGS_ALONE)
VARIANTS = [(name, variant) for name in NAMES for variant in (*formats()[name].variants, None)]
BINARY = {"parquet"}


@pytest.mark.parametrize("name", NAMES)
def test_a_format_says_what_it_is_for_in_one_line(name: str) -> None:
    output_format = formats()[name]
    line = inspect.getdoc(output_format) or ""
    assert line != inspect.getdoc(Format)
    assert re.fullmatch(r"[A-Z][^\n]+\.", line)
    assert len(line) < 120


@pytest.mark.parametrize("name", NAMES)
def test_the_documentation_names_every_format_and_its_file(name: str) -> None:
    rows = [line for line in DOCS.read_text("utf-8").splitlines() if line.startswith(f"| `{name}` |")]
    assert len(rows) == 1, f"{DOCS.name} has no row for {name}, or several"
    assert f"`{formats()[name].file_name}`" in rows[0]


def test_the_documentation_names_no_format_that_there_is_not() -> None:
    named = re.findall(r"^\| `([a-z0-9_]+)` \|", DOCS.read_text("utf-8"), re.MULTILINE)
    assert sorted(named) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_the_documentation_names_every_variant(name: str) -> None:
    text = DOCS.read_text("utf-8")
    for variant in formats()[name].variants:
        assert f"`{variant}`" in text or f"`{name}:{variant}`" in text, variant


@pytest.mark.parametrize(("name", "variant"), VARIANTS)
def test_a_format_writes_the_same_for_the_same_run_whatever_it_is_fed_in(
    name: str, variant: str | None
) -> None:
    found = [HOSTILE_FINDING, LONG_FINDING, *EVERY_STATUS.values()]
    at_once = written(name, found, variant=variant, coverage=COVERAGE, start=SUBSET)
    one_by_one = written(name, *([one] for one in found), variant=variant, coverage=COVERAGE, start=SUBSET)
    assert at_once == one_by_one


@pytest.mark.parametrize(("name", "variant"), VARIANTS)
def test_hostile_text_moves_no_cursor_and_turns_no_text_around(name: str, variant: str | None) -> None:
    raw = written(name, [HOSTILE_FINDING, LONG_FINDING], variant=variant, coverage=COVERAGE, start=SUBSET)
    assert raw
    if name not in BINARY:
        text = raw.decode()  # which no lone surrogate survives
        assert set(re.findall(r"[^\x20-\x7e]", text)) - {"\r", "\n", "…"} == set()


@pytest.mark.parametrize("name", NAMES)
def test_a_run_that_found_nothing_is_written_too(name: str) -> None:
    assert isinstance(written(name, coverage=[COMPLETE]), bytes)


def differs(name: str, **arguments: Any) -> bool:
    """Whether a run without findings is told otherwise than a clean one."""
    usual: dict[str, Any] = {"coverage": [COMPLETE]}
    return written(name, **usual) != written(name, **(usual | arguments))


@pytest.mark.parametrize("line", [FAILED, PARTIAL, UNJUDGED], ids=["failed", "partial", "unjudged"])
@pytest.mark.parametrize("name", TELLING)
def test_a_run_with_a_gap_does_not_look_like_a_clean_one(name: str, line: Any) -> None:
    assert differs(name, coverage=[COMPLETE, line])


@pytest.mark.parametrize("name", sorted(set(TELLING) - BINARY - NUMBERS_ALONE))
def test_a_gap_is_told_with_its_account_and_its_reason(name: str) -> None:
    told = written(name, coverage=[COMPLETE, FAILED]).decode()
    assert FAILED["account_id"] in told
    assert re.search("role.not.assumable", told, re.IGNORECASE)


@pytest.mark.parametrize("name", TELLING)
def test_a_subset_does_not_look_like_a_full_run(name: str) -> None:
    assert differs(name, start=SUBSET)


def test_what_tells_of_findings_alone_says_where_the_rest_stands() -> None:
    for name in FINDINGS_ALONE:
        assert not differs(name, coverage=[COMPLETE, FAILED])
        assert "coverage.jsonl" in (inspect.getdoc(formats()[name]) or "")


def batches(count: int) -> Iterator[list[Any]]:
    """That many batches of a hundred findings, each made as it is asked for."""
    for batch in range(count):
        yield [finding(f"export-{batch}-{each}", evidence={"note": "n" * 500}) for each in range(100)]


def growth(name: str, count: int) -> int:
    """Bytes that are held more after so many batches, and so many gaps, than at the most after the first tenth."""
    output_format = formats()[name](START)
    lines = (
        coverage_line(
            account_id=f"{number % 100:012}", region=f"r-{number}", verdict="failed", reason="throttled"
        )
        for number in range(count * 10)
    )
    tracemalloc.start()
    try:
        output_format.head()
        for number, batch in enumerate(batches(count)):
            output_format.findings(batch)
            if number == count // 10:
                early = tracemalloc.get_traced_memory()[1]
        for _ in output_format.tail(lines, RUN):
            pass
        return tracemalloc.get_traced_memory()[1] - early
    finally:
        tracemalloc.stop()


ROOM = {
    "parquet": 40_000_000,  # a group of rows, and what is made of it
    "html": 6_000_000,  # blocks of findings that are not full, and the page's parts that are the same in each
    "markdown": 3_000_000,  # a page of the largest size
    "junit": 3_000_000,  # the findings of a suite
}
"""Bytes that a format may keep, which are a page's or a group's and no run's; the others keep none."""


@pytest.mark.parametrize("name", NAMES)
def test_memory_does_not_grow_with_the_findings(name: str) -> None:
    growth(name, 2)  # what is imported and cached at the first use is nobody's growth
    assert growth(name, 200) < ROOM.get(name, 500_000)


@pytest.mark.parametrize("name", ROOM)
def test_memory_of_what_keeps_something_is_bounded_too(name: str) -> None:
    assert growth(name, 400) < ROOM[name]


@pytest.mark.parametrize("name", NAMES)
def test_findings_come_out_as_they_go_in_and_not_at_the_end(name: str) -> None:
    output_format = formats()[name](START)
    streamed = len(output_format.head()) + sum(len(output_format.findings(batch)) for batch in batches(200))
    rest = sum(map(len, output_format.tail([], RUN)))
    if name in COUNTED_FIRST:
        assert (streamed, rest <= 1_024 * 1_024) == (0, True)
    else:
        assert streamed > rest


@pytest.mark.parametrize("name", NAMES)
def test_a_format_does_not_change_what_it_is_given(name: str) -> None:
    line, run = coverage_line(**UNJUDGED), dict(RUN)
    write(formats()[name](START), [finding()], coverage=[line], run=run)
    assert (line, run) == (UNJUDGED, RUN)
