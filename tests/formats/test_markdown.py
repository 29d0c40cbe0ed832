from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from auditor.formats import formats
from auditor.formats.markdown import LIMIT
from auditor.model import Severity
from tests.formats.made import (
    COMPLETE,
    COVERAGE,
    EVERY_STATUS,
    HOSTILE_FINDING,
    LONG_FINDING,
    RUN,
    START,
    SUBSET,
    coverage_line,
    finding,
    write,
    written,
)

if TYPE_CHECKING:
    from markdown_it.token import Token


def tables(page: bytes) -> list[list[list[str]]]:
    """Each table's rows with their cells' text, as somebody else's parser reads them; nothing in it is markup."""
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    found: list[list[list[str]]] = []
    for token in parser.parse(page.decode()):
        if token.type == "table_open":
            found.append([])
        elif token.type == "tr_open":
            found[-1].append([])
        elif token.type == "inline":
            text = plain(token)
            if found and token.level >= 4:
                found[-1][-1].append(text)
        assert token.type not in {"html_block", "fence", "code_block", "blockquote_open", "bullet_list_open"}
    assert all(len({len(row) for row in table}) == 1 for table in found)
    return found


def plain(inline: Token) -> str:
    text = ""
    for each in inline.children or ():
        if each.type == "html_inline":
            assert each.content == "<!-- -->"
        else:
            assert each.type in {"text", "text_special", "strong_open", "strong_close"}, each
            text += each.content
    return text


def rows(*found: Any, **arguments: Any) -> list[list[str]]:
    """The rows of the table of findings."""
    return tables(written("markdown", found, **arguments))[-1][1:]


def text(*found: Any, **arguments: Any) -> str:
    return written("markdown", found, **arguments).decode()


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ("untracked", "untracked"),
        ("new", "new"),
        ("recurring", "recurring"),
        ("reopened", "reopened"),
        ("waived", "recurring, waived until 2025-06-30"),
        ("not_seen", "not seen"),
        ("condition-cleared", "resolved"),
    ],
)
def test_a_row_tells_the_life_of_its_finding(status: str, told: str) -> None:
    (row,) = rows(EVERY_STATUS[status])
    assert row[:2] == ["medium", told]
    assert row[2:5] == ["111122223333", "us-east-1", "stuck-export"]
    assert row[6].startswith("It started and has not ended.")


def test_why_a_finding_was_not_seen_or_how_it_ended_is_told() -> None:
    (not_seen, resolved) = rows(EVERY_STATUS["not_seen"], EVERY_STATUS["retired"])
    assert not_seen[6].endswith("(its account could not be read)")
    assert resolved[6].endswith("(retired: as the history tells)")


def test_counts_stand_before_everything_and_tell_waived_and_resolved_apart() -> None:
    (counts, _) = tables(written("markdown", list(EVERY_STATUS.values()), coverage=[COMPLETE]))
    assert counts[0] == ["severity", "findings", "waived", "resolved"]
    assert counts[3] == ["medium", "5", "1", "4"]
    assert "**5 finding(s); everything planned was read and judged.**" in text(
        *EVERY_STATUS.values(), coverage=[COMPLETE]
    )


def test_the_gravest_findings_come_first() -> None:
    order = [Severity.LOW, Severity.CRITICAL, Severity.INFO, Severity.HIGH]
    made = rows(*(finding(severity, severity=severity) for severity in order))
    assert [row[0] for row in made] == ["critical", "high", "low", "info"]


def test_hostile_text_is_shown_and_is_no_markup() -> None:
    (row,) = rows(HOSTILE_FINDING)
    shown = r"\x1b[2J \u202e\x7f\U000e0001 =1+1 <b>|`x`](http://e) ]]>&amp; \x00\ufffe\ud800"
    assert row[5] == shown
    assert row[6] == shown


@pytest.mark.parametrize(
    "hostile",
    [
        "https://evil.example/",
        "www.evil.example",
        "WWW.evil.example",
        "mailto:a@b.example",
        "![x](http://e)",
        "<img src=x>",
        "**b** _i_ ~~s~~",
        "a|b",
        "`c`",
        "&lt;",
        "a\\",
        "# h",
        "[a]: b",
    ],
)
def test_no_text_makes_markup_or_a_link(hostile: str) -> None:
    (row,) = rows(finding(hostile))
    assert row[5] == hostile
    # GFM 6.9: what its autolinks begin with, which markdown-it does not know.
    assert not re.search(r"https?:|www\.|ftp:|mailto:|xmpp:|\w@", text(finding(hostile)), re.IGNORECASE)


def test_no_text_mentions_somebody_or_an_issue() -> None:
    page = text(finding("@octocat #1"))
    assert "&#64;<!-- -->octocat &#35;<!-- -->1" in page


def test_gaps_stand_before_the_findings_added_up_by_account_and_reason() -> None:
    regions = ("us-east-1", "us-east-2", "eu-west-1")
    lines = [
        coverage_line(region=region, verdict="failed", reason="access-denied", error_code="AccessDenied")
        for region in regions
    ]
    _, gaps, _ = tables(written("markdown", [finding()], coverage=lines))
    what = "lightsail:GetExportSnapshotRecords, us-east-1 and 2 more"
    assert gaps[1:] == [["111122223333", "payments", "access-denied (AccessDenied)", what, ""]]


def test_a_gap_is_never_told_as_everything_seen() -> None:
    page = text(coverage=COVERAGE)
    assert "5 gap(s), and what is in them is not known" in page
    assert "everything" not in page.partition("Looked at")[0]
    assert "Coverage: 33 %, 40 % after accepted gaps" in page
    assert "security, until 2025-06-30" in page


def test_a_subset_says_so() -> None:
    page = text(coverage=[COMPLETE], start=SUBSET)
    assert "everything in this subset was read and judged, and nothing outside of it" in page
    assert "Looked at: a subset alone: accounts 111122223333; Regions eu-west-1" in page


def test_a_run_that_found_nothing_says_so() -> None:
    page = text(coverage=[COMPLETE])
    assert "**0 finding(s); everything planned was read and judged.**" in page
    assert len(tables(page.encode())) == 1


def test_it_is_cut_to_githubs_limit_and_says_so() -> None:
    made = [
        finding(f"{severity}-{number}", severity=severity, message="m" * 1_000)
        for number in range(1_000)
        for severity in (Severity.LOW, Severity.HIGH)
    ]
    lines = [
        coverage_line(account_id=f"{number:012}", verdict="failed", reason="throttled", account_name="n" * 99)
        for number in range(3_000)
    ]
    page = write(formats()["markdown"](START), *([each] for each in made), coverage=lines, run=RUN)
    assert len(page) <= LIMIT
    _, gaps, kept = tables(page)
    severities = [row[0] for row in kept[1:]]
    assert severities.count("high") == 1_000
    assert 0 < severities.count("low") < 1_000
    assert f"**{2_000 - len(severities):,} finding(s) are left out here, the least grave" in page.decode()
    assert f"**{3_000 - len(gaps) + 1:,} row(s) are left out here;**" in page.decode()
    assert "**2,000 finding(s); 3,000 gap(s), and" in page.decode()


def test_long_text_is_cut() -> None:
    (row,) = rows(LONG_FINDING)
    assert row[5].endswith("n…")
    assert len(row[6]) == 400 - 2


@given(st.text(max_size=60))
def test_any_text_is_one_cell_and_no_markup(hostile: str) -> None:
    (row,) = rows(finding(resource_name=hostile or "x", message=hostile, account_name=hostile))
    assert len(row) == 7
