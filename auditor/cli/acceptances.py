"""What the summary says of waivers and accepted gaps: how much they cover, and which are to be looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.text import Text

from auditor.model import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rich.console import Console

_MOST_LINES = 20
"""Waivers and accepted gaps that are told one by one: run.json has them all."""
_LONGEST = 100
"""Characters of what somebody wrote."""

_KINDS = {"waivers": "waiver", "accepted_gaps": "accepted gap"}
_NARROWED_BY = ("policy", "account", "region", "source", "resource")


def print_acceptances(console: Console, record: Mapping[str, Any]) -> None:
    """Print what run.json says of waivers and accepted gaps; nothing where there are none."""
    lines = [*_covered(record), *_to_look_at(record)]
    if not lines:
        return
    console.print()
    for line, style in lines[:_MOST_LINES]:
        console.print(Text(line, style=style, overflow="fold"))
    if len(lines) > _MOST_LINES:
        console.print(
            f"… and {len(lines) - _MOST_LINES} lines more on waivers and accepted gaps: see run.json"
        )


def cut(text: str) -> str:
    """Return what somebody wrote escaped, and cut where it is long."""
    return shown(text if len(text) <= _LONGEST else text[:_LONGEST] + "…")


def _covered(record: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    if waived := record["totals"]["findings"]["waived"]:
        yield f"{waived} finding(s) waived: written all the same, not counted by --fail-on", ""
    if accepted := record["totals"]["accepted_gaps"]:
        yield f"{accepted} target(s) not read, as is accepted: not counted by --min-coverage", ""


def _to_look_at(record: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    for kind, name in _KINDS.items():
        of_kind = record[kind]
        for entry in of_kind["expired"]:
            yield f"{_named(name, entry)} ended on {entry['until']} and no longer holds", "bold yellow"
        for entry in of_kind["unmatched"]:
            yield f"{_named(name, entry)} matched nothing: is it still needed?", "yellow"
        for entry in of_kind["ending_soon"]:
            yield f"{_named(name, entry)} ends on {entry['until']}, within 14 days", "yellow"
        if count := len(of_kind["not_looked_at"]):
            yield f"{count} {name}(s) matched nothing where not all was looked at, which says nothing", ""


def _named(name: str, entry: Mapping[str, Any]) -> str:
    """Name one as its owner knows it: by its line, what it is for, and who answers for it."""
    narrowed = [entry[key] for key in _NARROWED_BY if entry.get(key) is not None]
    # Of a waiver it says why it was accepted; of a gap, which reason of the ledger is.
    if name == _KINDS["accepted_gaps"] and entry["reason"] is not None:
        narrowed.append(entry["reason"])
    why = entry["explanation"] if "explanation" in entry else entry["reason"]
    ticket = f", {cut(entry['ticket'])}" if entry.get("ticket") else ""
    return (
        f"The {name} on line {entry['line']} ({' '.join(map(cut, narrowed))}) "
        f"of {cut(entry['owner'])} ({cut(why)}{ticket})"
    )
