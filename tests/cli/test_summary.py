"""The summary for people: what it says, how loudly, and that it fits."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from rich.cells import cell_len

from auditor.simulator.faults import Fault, FaultKind

if TYPE_CHECKING:
    from auditor.simulator.estate import Estate
    from tests.cli.conftest import Auditor, RunFolder, Serve, Served

QUIET = ("--quiet", "--log-level", "error")
REGIONS = ("us-east-1", "us-west-2", "eu-west-1", "eu-central-1", "ap-southeast-3")


def test_every_line_fits_80_columns_whatever_the_names_and_however_many_gaps(
    auditor: Auditor, serve: Serve
) -> None:
    served = serve(
        Fault(FaultKind.ACCESS_DENIED, region="us-east-1"),
        Fault(FaultKind.TOKEN_LOOP, region="us-west-2"),
        Fault(FaultKind.ACCOUNT_SETUP_IN_PROGRESS, region="eu-west-1"),
        accounts=12,
        regions=REGIONS,
        oddities=True,
    )
    text = served.config.read_text("utf-8")
    for number, account in enumerate(served.estate.accounts):
        assert account.name is not None
        name = ("部門" * 60, "x" * 256, "a b " * 50 + "c", "short")[number % 4]
        text = text.replace(f'"{account.name}"', f'"{name}"', 1)
    served.config.write_text(text, "utf-8")
    ended = auditor("run", "-o", f"{'long/' * 30}out", *QUIET)
    assert ended.code == 3
    assert max(cell_len(line) for line in ended.out.splitlines()) <= 80
    assert ended.out.replace("\n", "").count("long/") == 30


def test_gaps_are_told_by_account_with_their_reason_and_code_and_the_widest_first(
    auditor: Auditor, serve: Serve
) -> None:
    served = serve(accounts=3, regions=REGIONS)
    first, second, third = served.estate.accounts
    serve(
        Fault(FaultKind.ACCESS_DENIED, first.id, "us-east-1"),
        Fault(FaultKind.TOKEN_LOOP, second.id, "us-west-2"),
        Fault(FaultKind.TOKEN_LOOP, second.id, "us-east-1"),
        Fault(FaultKind.ACCESS_DENIED, third.id, operation="AssumeRole"),
        estate=served.estate,
    )
    ended = auditor("run", "-o", "out", *QUIET)
    rows = [
        [cell.strip() for cell in line.strip("│").split("│")]
        for line in ended.out.partition("Not audited")[2].splitlines()
        if line.startswith("│")
    ]
    assert rows == [
        [third.id, "us-east-1 and 4 more", "role-not-assumable"],
        [third.name, "", "AccessDenied"],
        [second.id, "us-east-1, us-west-2", "page-token-loop, in part"],
        [second.name, "", ""],
        [first.id, "us-east-1", "access-denied"],
        [first.name, "", "AccessDeniedException"],
    ]
    assert "NOT COMPLETE: coverage 42 %\n15 targets: " in ended.out


def test_at_an_outage_the_rows_are_few_and_the_rest_is_counted(auditor: Auditor, serve: Serve) -> None:
    serve(Fault(FaultKind.ACCESS_DENIED), accounts=50, regions=("us-east-1",), records_per_target=1)
    ended = auditor("run", "-o", "out", *QUIET)
    assert ended.out.count("│ access-denied") == 40
    assert "… and 10 rows more: see coverage.jsonl" in ended.out
    assert "NOT COMPLETE: coverage 0 %\n50 targets: 50 failed\n" in ended.out
    assert "No findings in what was read." in ended.out


def test_nothing_found_reads_otherwise_than_could_not_look(auditor: Auditor, serve: Serve) -> None:
    serve(planted=0)
    ended = auditor("run", "-o", "out", *QUIET)
    assert ended.out.splitlines() == [
        "Complete: coverage 100 %",
        "4 targets: 4 complete",
        "",
        "No findings in what was read.",
        "",
        "80 records read. Each finding and each target stands in",
        "out/",
    ]


def test_a_region_that_is_not_enabled_is_skipped_and_said_to_be(auditor: Auditor, serve: Serve) -> None:
    serve(accounts=2, regions=("us-east-1", "ap-southeast-3"), planted=0)
    ended = auditor("run", "-o", "out", *QUIET)
    assert ended.code == 0
    assert ended.out.startswith("Complete: coverage 100 %\n4 targets: 3 complete, 1 skipped\n")
    assert "1 target(s) skipped, proved to have nothing to read: region-not-enabled\n" in ended.out
    assert "Not audited" not in ended.out


@pytest.mark.parametrize(
    ("option", "told"),
    [("account", "accounts {account}"), ("region", "regions us-east-1"), ("policy", "policies stuck-export")],
)
def test_a_subset_is_said_loudly_and_never_reads_as_a_full_run(
    auditor: Auditor, serve: Serve, out: RunFolder, option: str, told: str
) -> None:
    served = serve()
    account = served.estate.accounts[0].id
    value = {"account": account, "region": "us-east-1", "policy": "stuck-export"}[option]
    ended = auditor("run", "-o", "out", f"--{option}", value, *QUIET)
    said = " ".join(ended.out.split())
    assert f"A SUBSET was audited, and nothing is said of the rest: {told.format(account=account)}" in said
    assert out.run["scope"]["kind"] == "subset"

    whole = auditor("run", "-o", "whole", *QUIET)
    assert "SUBSET" not in whole.out
    assert replace(out, path=out.path.with_name("whole")).run["scope"]["kind"] == "full"


def test_a_run_in_which_all_is_skipped_looked_at_nothing_and_is_not_complete(
    auditor: Auditor, serve: Serve
) -> None:
    served = serve(accounts=2, regions=("us-east-1", "ap-southeast-3"), planted=0)
    ended = auditor(
        "run", "-o", "out", "--account", served.estate.accounts[1].id, "--region", "ap-southeast-3", *QUIET
    )
    assert ended.code == 3
    assert ended.out.startswith("NOT COMPLETE: coverage 0 %\n1 targets: 1 skipped\n")


def with_history(served: Served) -> None:
    text = served.config.read_text("utf-8")
    served.config.write_text(f"{text}history: {{}}\n", "utf-8")


def with_records(estate: Estate, keep: slice) -> Estate:
    """The estate with some of each place's records."""
    return replace(
        estate,
        accounts=tuple(
            replace(account, records={place: records[keep] for place, records in account.records.items()})
            for account in estate.accounts
        ),
    )


def statuses(folder: RunFolder) -> Counter[str]:
    return Counter(finding["status"] for finding in folder.findings)


def rows(text: str) -> dict[tuple[str, str], list[int]]:
    """The numbers of the table of findings, by severity and policy."""
    cells = [
        [cell.strip() for cell in line.strip("│").split("│")]
        for line in text.splitlines()
        if line.startswith("│")
    ]
    return {(severity, policy): list(map(int, numbers)) for severity, policy, *numbers in cells}


def test_without_a_history_nothing_is_said_of_one(auditor: Auditor, serve: Serve, out: RunFolder) -> None:
    serve()
    ended = auditor("run", "-o", "out", *QUIET)
    assert out.run["history"] is None
    (head,) = (line for line in ended.out.splitlines() if "Severity" in line)
    assert [cell.strip() for cell in head.strip("┃").split("┃")] == ["Severity", "Policy", "Findings"]
    assert not re.search(r"\d (new|recurring|resolved|not seen|may be new)\b", ended.out)


def test_night_after_night_the_summary_says_what_became_of_the_findings(
    auditor: Auditor, serve: Serve, out: RunFolder
) -> None:
    estate = serve(records_per_target=30).estate
    half = with_records(estate, slice(0, 15))
    denied = Fault(FaultKind.ACCESS_DENIED, region="eu-west-1")
    nights = [(estate, ()), (half, ()), (estate, (denied,))]
    told: list[str] = []
    seen: list[RunFolder] = []
    for number, (each, faults) in enumerate(nights):
        with_history(serve(*faults, estate=each))
        told.append(auditor("run", "-o", f"night-{number}", *QUIET).out)
        seen.append(replace(out, path=out.path.with_name(f"night-{number}")))
    first, second, third = map(statuses, seen)

    assert set(first) == {"new"}
    assert f"\n{first['new']} new; 0 recurring\n\n" in told[0]

    assert set(second) >= {"recurring", "resolved"}
    assert f"\n{second['new']} new; {second['recurring']} recurring\n" in told[1]
    assert f"\n{second['resolved']} resolved, and not counted here\n" in told[1]

    assert set(third) >= {"recurring", "reopened", "not_seen"}
    new = third["new"] + third["reopened"]
    assert f"\n{new} new, of which {third['reopened']} reopened; {third['recurring']} recurring\n" in told[2]
    assert f"\n{third['not_seen']} not seen: counted as open, since not all was looked at\n" in told[2]

    for text, folder in zip(told, seen, strict=True):
        assert max(map(cell_len, text.splitlines())) <= 80
        assert folder.run["history"].endswith("auditor-history.sqlite3")
        expected: dict[tuple[str, str], list[int]] = {}
        for finding in folder.findings:
            if finding["status"] != "resolved":
                counted = expected.setdefault((finding["severity"], finding["policy"]), [0, 0])
                counted[0] += 1
                counted[1] += finding["status"] in {"new", "reopened"}
        assert rows(text.partition("Not audited")[0]) == expected


def test_where_all_is_resolved_there_are_no_findings_and_it_says_so(auditor: Auditor, serve: Serve) -> None:
    estate = serve().estate
    for number, each in enumerate((estate, with_records(estate, slice(0, 0)))):
        with_history(serve(estate=each))
        ended = auditor("run", "-o", f"night-{number}", *QUIET)
    assert ended.code == 0
    assert ended.out.splitlines()[2:6] == [
        "",
        "No findings in what was read.",
        f"{len(estate.truth)} resolved, and not counted here",
        "",
    ]
