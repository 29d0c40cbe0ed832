"""The summary for people: what was found, what could not be seen, and where the rest of it stands."""

from __future__ import annotations

import io
import os
import shutil
import sys
from collections import Counter
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from auditor.cli.acceptances import cut, print_acceptances
from auditor.cli.life import print_life
from auditor.cli.undelivered import print_undelivered
from auditor.model import EXPORT_RECORDS, Reason, Severity, Verdict, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditor.audit import Gap, Result

_COLOURS = {Severity.CRITICAL: "bold red", Severity.HIGH: "red", Severity.MEDIUM: "yellow"}
_MOST_ROWS = 40
"""Rows of gaps shown: at an outage there are thousands, and coverage.jsonl has them all."""
_FEW = 2
"""Regions named one by one."""
_WIDTH = 80
"""Columns, where there is no terminal to ask."""


class _Page(io.StringIO):
    """Text that is drawn for standard output, in its encoding."""

    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"


def summary(result: Result) -> str:
    """Return the summary of a run, drawn for standard output: at its width and in colours, where it is a terminal."""
    page = _Page()
    terminal = sys.stdout is not None and sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if terminal else _WIDTH
    no_color = bool(os.environ.get("NO_COLOR"))
    console = Console(file=page, width=width, force_terminal=terminal, no_color=no_color, highlight=False)
    _print_head(console, result)
    _print_findings(console, result)
    print_life(console, result.record)
    _print_gaps(console, result)
    print_acceptances(console, result.record)
    print_undelivered(console, result.record)
    _print_tail(console, result)
    return page.getvalue()


_REGIONS_DIFFER = {
    "regions_only_of_lightsail": "NOT AUDITED, for the installed botocore does not know these Regions of Lightsail",
    "regions_only_of_botocore": "Lightsail does not name these Regions, which botocore knows",
}


def _print_head(console: Console, result: Result) -> None:
    targets = result.record["totals"]["targets"]
    # Where all is skipped, nothing was looked at: that is no complete audit.
    complete = targets["complete"] and targets["complete"] + targets["skipped"] == targets["planned"]
    text = f"{'Complete' if complete else 'NOT COMPLETE'}: coverage {result.record['coverage_percent']} %"
    if result.record["accepted_gaps"]["total"]:
        text += f", {result.record['coverage_percent_after_accepted']} % after accepted gaps"
    console.print(Text(text, style="bold" if complete else "bold red"))
    counted = ", ".join(f"{targets[verdict]} {verdict}" for verdict in Verdict if targets[verdict])
    console.print(f"{targets['planned']} targets: {counted}")
    scope = result.record["scope"]
    if scope["kind"] == "subset":
        chosen = "; ".join(
            f"{name} {', '.join(map(shown, of))}" for name, of in scope["filters"].items() if of
        )
        console.print(
            Text(f"A SUBSET was audited, and nothing is said of the rest: {chosen}", style="bold yellow")
        )
    for key, text in _REGIONS_DIFFER.items():
        if scope[key]:
            console.print(Text(f"{text}: {', '.join(map(shown, scope[key]))}", style="bold yellow"))
    if gap := scope["organization_gap"]:
        text = f"The ORGANIZATION was not read ({gap['source']}: {gap['reason']}): the list alone was audited"
        console.print(Text(text, style="bold red"))
    if scope["accounts_excluded"]:
        count = len(scope["accounts_excluded"])
        console.print(f"{count} account(s) of the organization left out: see run.json, or auditor accounts")


def _print_findings(console: Console, result: Result) -> None:
    console.print()
    if not result.findings:
        console.print("No findings in what was read.")
        return
    table = Table("Severity", "Policy", title="Findings", title_justify="left", title_style="bold")
    counts = {"Findings": result.findings}
    if result.record["history"] is not None:
        counts["New"] = result.new
    if result.waived:
        counts["Of these waived"] = result.waived
    for name in counts:
        table.add_column(name, justify="right")
    order = list(Severity)
    for kind in sorted(result.findings, key=lambda kind: (order.index(kind[0]), kind[1])):
        severity, policy = kind
        numbers = (str(count.get(kind, 0)) for count in counts.values())
        table.add_row(Text(severity, style=_COLOURS.get(severity, "")), policy, *numbers)
    console.print(table)


def _print_gaps(console: Console, result: Result) -> None:
    gaps = result.gaps()
    if not gaps:
        return
    console.print()
    table = Table(title="Not audited", title_justify="left", title_style="bold red", show_lines=True)
    for column in ("Account", "Regions", "Why, and AWS's own code"):
        table.add_column(column, overflow="fold")
    rows = _grouped(gaps)
    for (account, why), regions in rows[:_MOST_ROWS]:
        table.add_row(Text(account), Text(_few(regions)), Text(why))
    console.print(table)
    dependent = sum(
        gap.outcome.failure is not None and gap.outcome.failure.reason is Reason.DEPENDENCY_FAILED
        for gap in gaps
    )
    if dependent:
        console.print(f"{dependent} target(s) more depend on records that were not read to their end")
    if len(rows) > _MOST_ROWS:
        console.print(f"… and {len(rows) - _MOST_ROWS} rows more: see coverage.jsonl")


def _few(regions: Sequence[str]) -> str:
    return ", ".join(regions) if len(regions) <= _FEW else f"{regions[0]} and {len(regions) - 1} more"


def _grouped(gaps: Sequence[Gap]) -> list[tuple[tuple[str, str], list[str]]]:
    """Return what happened to an account once for all Regions where it happened, the widest first.

    What follows from another gap is left out: facts of records that were not read, or of a role not assumed.
    """
    rows: dict[tuple[str, str], dict[str, None]] = {}
    of_records = {
        (gap.target.account.id, gap.target.region): gap.outcome.failure
        for gap in gaps
        if gap.target.source == EXPORT_RECORDS
    }
    for gap in gaps:
        failure = gap.outcome.failure
        account = gap.target.account
        source = ""
        if gap.target.source != EXPORT_RECORDS:
            if failure is not None and failure.reason is Reason.DEPENDENCY_FAILED:
                continue
            if failure == of_records.get((account.id, gap.target.region)):
                continue
            source = gap.target.source
        why = f"{failure.reason if failure else 'unknown'}"
        if gap.outcome.verdict is Verdict.PARTIAL:
            why += ", in part"
        code = (failure and failure.error_code) or ""
        accepted = gap.outcome.accepted
        by = f"accepted until {accepted.until} by {cut(accepted.owner)}" if accepted else ""
        what = (_lines(account.id, shown(account.name or "")), _lines(source, why, shown(code), by))
        rows.setdefault(what, {})[gap.target.region] = None
    told = [(what, list(regions)) for what, regions in rows.items()]
    return sorted(told, key=lambda row: -len(row[1]))


def _lines(*texts: str) -> str:
    return "\n".join(filter(None, texts))


def _print_tail(console: Console, result: Result) -> None:
    totals = result.record["totals"]
    console.print()
    skipped = Counter(
        str(outcome.failure.reason)
        for _, outcome in result.ledger.failures()
        if outcome.verdict is Verdict.SKIPPED and outcome.failure
    )
    for reason, count in skipped.items():
        console.print(f"{count} target(s) skipped, proved to have nothing to read: {reason}")
    if totals["unjudged"]["records"]:
        policies = ", ".join(
            f"{policy}: {count}" for policy, count in totals["unjudged"]["by_policy"].items()
        )
        console.print(f"{totals['unjudged']['records']} record(s) could not be judged ({policies})")
    for state, count in totals["unknown_states"].items():
        console.print(Text(f"{count} record(s) in a state that AWS does not document: {state}"))
    console.print(f"{totals['records']} records read. Each finding and each target stands in")
    console.print(Text(f"{shown(str(result.folder))}/", overflow="fold"))
