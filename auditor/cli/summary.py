"""The summary for people: what was found, what could not be seen, and where the rest of it stands."""

from __future__ import annotations

import os
import sys
from collections import Counter
from typing import TYPE_CHECKING, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from auditor.model import Severity, Verdict, shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from auditor.audit import Gap, Result

_COLOURS = {Severity.CRITICAL: "bold red", Severity.HIGH: "red", Severity.MEDIUM: "yellow"}
_MOST_ROWS = 40
"""Rows of gaps shown: at an outage there are thousands, and coverage.jsonl has them all."""
_FEW = 2
"""Regions named one by one."""
_MOST_WIDE = 80


def print_summary(result: Result, file: TextIO | None = None) -> None:
    """Print the summary of a run on standard output, or on `file`."""
    out = file or sys.stdout
    width = None if out.isatty() else _MOST_WIDE
    console = Console(file=out, width=width, no_color=bool(os.environ.get("NO_COLOR")), highlight=False)
    _print_head(console, result)
    _print_findings(console, result.findings)
    _print_gaps(console, result)
    _print_tail(console, result)


def _print_head(console: Console, result: Result) -> None:
    targets = result.record["totals"]["targets"]
    percent = result.record["coverage_percent"]
    what = "Complete" if targets["complete"] + targets["skipped"] == targets["planned"] else "NOT COMPLETE"
    text = Text(f"{what}: coverage {percent} %", style="bold" if what == "Complete" else "bold red")
    counted = ", ".join(f"{targets[verdict]} {verdict}" for verdict in Verdict if targets[verdict])
    text.append(f"; {targets['planned']} targets: {counted}", style="not bold default")
    console.print(text)
    scope = result.record["scope"]
    if scope["kind"] == "subset":
        chosen = "; ".join(
            f"{name} {', '.join(map(shown, of))}" for name, of in scope["filters"].items() if of
        )
        console.print(
            Text(f"A SUBSET was audited, and nothing is said of the rest: {chosen}", style="bold yellow")
        )


def _print_findings(console: Console, findings: Mapping[tuple[Severity, str], int]) -> None:
    console.print()
    if not findings:
        console.print("No findings in what was read.")
        return
    table = Table("Severity", "Policy", title="Findings", title_justify="left", title_style="bold")
    table.add_column("Findings", justify="right")
    order = list(Severity)
    for (severity, policy), count in sorted(
        findings.items(), key=lambda row: (order.index(row[0][0]), row[0][1])
    ):
        table.add_row(Text(severity, style=_COLOURS.get(severity, "")), policy, str(count))
    console.print(table)


def _print_gaps(console: Console, result: Result) -> None:
    gaps = result.gaps()
    if not gaps:
        return
    console.print()
    table = Table(title="Not audited", title_justify="left", title_style="bold red")
    for column in ("Account", "Regions", "Why, and AWS's own code"):
        table.add_column(column, overflow="fold")
    rows = _grouped(gaps)
    for (account, why), regions in rows[:_MOST_ROWS]:
        table.add_row(Text(account), Text(_few(regions)), Text(why))
    console.print(table)
    if len(rows) > _MOST_ROWS:
        console.print(f"… and {len(rows) - _MOST_ROWS} rows more: see coverage.jsonl")


def _few(regions: Sequence[str]) -> str:
    return ", ".join(regions) if len(regions) <= _FEW else f"{regions[0]} and {len(regions) - 1} more"


def _grouped(gaps: Sequence[Gap]) -> list[tuple[tuple[str, str], list[str]]]:
    """Return what happened to an account once for all Regions where it happened, the widest first."""
    rows: dict[tuple[str, str], list[str]] = {}
    for gap in gaps:
        failure = gap.outcome.failure
        account = gap.target.account
        why = f"{failure.reason if failure else 'unknown'}"
        if gap.outcome.verdict is Verdict.PARTIAL:
            why += ", after a part was read"
        code = (failure and failure.error_code) or ""
        what = (_lines(account.id, shown(account.name or "")), _lines(why, shown(code)))
        rows.setdefault(what, []).append(gap.target.region)
    return sorted(rows.items(), key=lambda row: -len(row[1]))


def _lines(*texts: str) -> str:
    return "\n".join(filter(None, texts))


def _print_tail(console: Console, result: Result) -> None:
    totals = result.record["totals"]
    console.print()
    skipped = Counter(
        str(outcome.failure.reason)
        for _, outcome in result.ledger.settled_lines()
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
    console.print(
        Text(f"{totals['records']} records read. All of it: {shown(str(result.folder))}/", overflow="fold")
    )
