"""What the command line says of waivers and accepted gaps."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from auditor.simulator.faults import Fault, FaultKind

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Auditor, RunFolder, Serve

QUIET = ("--quiet", "--log-level", "error")
HOSTILE = "\x1b]0;owned\x07\x1b[2J[red]x[/red]\u202egnp.exe\u2028<script>"
GAP = "accepted_gaps: [{region: eu-west-1, reason: access-denied, owner: platform, explanation: an SCP, until: %s}]\n"
WAIVER = "waivers: [{policy: stale-failed-export, owner: payments, reason: known, until: %s}]\n"


def day(days: int) -> str:
    return (datetime.now(UTC).date() + timedelta(days=days)).isoformat()


def add(config: Path, text: str) -> None:
    config.write_text(config.read_text("utf-8") + text, "utf-8")


def test_a_denied_region_that_is_accepted_is_0_and_both_percentages_are_said(
    auditor: Auditor, serve: Serve, out: RunFolder
) -> None:
    served = serve(Fault(FaultKind.ACCESS_DENIED, region="eu-west-1"), planted=0)
    add(served.config, GAP % day(90))
    ended = auditor("run", "-o", "out", *QUIET)
    assert (ended.code, out.run["exit_conditions"]) == (0, [0])
    assert ended.out.startswith("NOT COMPLETE: coverage 50 %, 100 % after accepted gaps\n")
    assert f"accepted until {day(90)} by" in " ".join(ended.out.split())
    assert "2 target(s) not read, as is accepted: not counted by --min-coverage\n" in ended.out


def test_without_accepted_gaps_one_percentage_is_enough(auditor: Auditor, serve: Serve) -> None:
    serve(planted=0)
    assert auditor("run", "-o", "out", *QUIET).out.startswith("Complete: coverage 100 %\n")


def test_waived_findings_are_counted_apart_and_are_0(auditor: Auditor, serve: Serve, out: RunFolder) -> None:
    served = serve()
    add(served.config, WAIVER % day(90))
    ended = auditor("run", "-o", "out", *QUIET)
    count = sum(expected.policy == "stale-failed-export" for expected in served.estate.truth)
    assert (ended.code, out.run["totals"]["findings"]["waived"]) == (0, count)
    rows = [
        [cell.strip() for cell in line.strip("│").split("│")]
        for line in ended.out.splitlines()
        if line.startswith("│")
    ]
    assert ["high", "stale-failed-export", str(count), str(count)] in rows
    assert all(row[3] == "0" for row in rows if row[1] != "stale-failed-export")
    assert f"{count} finding(s) waived: written all the same, not counted by --fail-on\n" in ended.out


def test_an_end_in_the_past_is_a_warning_and_stops_nothing(auditor: Auditor, serve: Serve) -> None:
    served = serve()
    line = served.config.read_text("utf-8").count("\n") + 1
    add(served.config, WAIVER % day(-3))

    checked = auditor("check", "-c", served.config)
    assert checked.code == 0
    assert checked.err == (
        f"auditor: warning: {served.config}:{line}: this waiver ended on {day(-3)} and no longer holds; "
        "renew it, or remove it\n"
    )
    ended = auditor("run", "-o", "out", "--quiet", "--log-format", "json", "--log-level", "warning")
    assert ended.code == 1
    said = " ".join(ended.out.split())
    assert (
        f"The waiver on line {line} (stale-failed-export) of payments (known) ended on {day(-3)} "
        "and no longer holds"
    ) in said
    (warning,) = (each for each in ended.logged if each["event"] == "a waiver has ended and no longer holds")
    assert (warning["line"], warning["owner"], warning["level"]) == (line, "payments", "warning")


def test_what_ends_soon_and_what_matched_nothing_is_announced(auditor: Auditor, serve: Serve) -> None:
    served = serve(planted=0)
    add(served.config, WAIVER % day(5) + GAP % day(90))
    ended = auditor("run", "-o", "out", "--quiet", "--log-format", "json", "--log-level", "warning")
    said = " ".join(ended.out.split())
    assert ended.code == 0
    assert "of payments (known) matched nothing: is it still needed?" in said
    assert f"of payments (known) ends on {day(5)}, within 14 days" in said
    assert "(eu-west-1 access-denied) of platform (an SCP) matched nothing: is it still needed?" in said
    assert {each["event"] for each in ended.logged} >= {
        "a waiver ends soon",
        "a waiver matched nothing",
        "an accepted gap matched nothing",
    }


def test_a_subset_says_of_what_matched_nothing_that_it_says_nothing(auditor: Auditor, serve: Serve) -> None:
    served = serve(planted=0)
    add(served.config, WAIVER % day(90))
    ended = auditor("run", "-o", "out", "--policy", "stuck-export", *QUIET)
    said = " ".join(ended.out.split())
    assert "1 waiver(s) matched nothing where not all was looked at, which says nothing" in said
    assert "is it still needed?" not in said


def test_hostile_words_are_escaped_and_cut_on_the_summary(auditor: Auditor, serve: Serve) -> None:
    served = serve(Fault(FaultKind.ACCESS_DENIED, region="eu-west-1"))
    hostile = json.dumps(HOSTILE + "y" * 500)
    add(
        served.config,
        f"waivers: [{{policy: stuck-export, owner: {hostile}, reason: {hostile}, ticket: {hostile}, until: {day(1)}}}]\n"
        f"accepted_gaps: [{{region: eu-west-1, owner: {hostile}, explanation: {hostile}, until: {day(1)}}}]\n",
    )
    ended = auditor("run", "-o", "out", "--quiet", "--log-format", "json", "--log-level", "warning")
    for text in (ended.out, ended.err):
        assert not any(each in text for each in "\x1b\x07\u202e\u2028")
    flat = "".join(ended.out.split())
    assert r"\x1b]0;owned\x07\x1b[2J[red]x[/red]\u202egnp.exe" in flat
    assert "y" * 200 not in flat


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (
            "waivers: [{policy: stuck-export, owner: o, reason: r}]\n",
            "this waiver has no until; write until: the last day on which it holds, such as 2027-03-31",
        ),
        (
            "waivers: [{owner: o, reason: r, until: 2027-03-31}]\n",
            "this waiver matches every finding; narrow",
        ),
        (
            "accepted_gaps: [{region: '*', owner: o, explanation: r, until: 2027-03-31}]\n",
            "this accepted gap matches every gap; narrow",
        ),
        (
            "accepted_gaps: [{region: eu-west-1, owner: o, explanation: r}]\n",
            "this accepted gap has no until",
        ),
    ],
)
def test_one_that_can_not_be_used_is_2_with_its_place(
    auditor: Auditor, serve: Serve, out: RunFolder, written: str, said: str
) -> None:
    served = serve()
    line = served.config.read_text("utf-8").count("\n") + 1
    add(served.config, written)
    for command in (("check",), ("run", "-o", "out")):
        ended = auditor(*command, "-c", served.config)
        assert ended.code == 2
        assert f"{served.config}:{line}: {said}" in ended.err
        assert "Traceback" not in ended.err
    assert not out.path.exists()
