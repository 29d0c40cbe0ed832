"""What the summary says of findings since the runs before: how many are new, recur, were not seen, are resolved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.text import Text

from auditor.model import Status

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rich.console import Console


def print_life(console: Console, record: Mapping[str, Any]) -> None:
    """Print what run.json says of the life of the findings; nothing without a history."""
    if record["history"] is None:
        return
    for line, style in _lines(record["totals"]["findings"]["by_status"]):
        console.print(Text(line, style=style))


def _lines(counts: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    reopened, recurring = counts.get(Status.REOPENED, 0), counts.get(Status.RECURRING, 0)
    new = counts.get(Status.NEW, 0) + reopened
    if new or recurring:
        back = f", of which {reopened} reopened" if reopened else ""
        yield f"{new} new{back}; {recurring} recurring", ""
    if not_seen := counts.get(Status.NOT_SEEN):
        yield f"{not_seen} not seen: counted as open, since not all was looked at", ""
    if resolved := counts.get(Status.RESOLVED):
        yield f"{resolved} resolved, and not counted here", ""
    if untold := counts.get(Status.UNTRACKED):
        yield f"{untold} may be new: the history failed before it could tell", "bold yellow"
