"""The summary for people: what it says, how loudly, and that it fits."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from rich.cells import cell_len

from auditor.simulator.faults import Fault, FaultKind

if TYPE_CHECKING:
    from tests.cli.conftest import Auditor, RunFolder, Serve

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
