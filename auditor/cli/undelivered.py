"""What the summary says of destinations: how many events wait for each, and were refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from rich.console import Console


def print_undelivered(console: Console, record: Mapping[str, Any]) -> None:
    """Print what run.json says of events that were not delivered; nothing where all were."""
    lines = list(_lines(record["deliveries"]))
    if lines:
        console.print()
    for line in lines:
        console.print(Text(line, style="bold yellow"))


def _lines(deliveries: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for told in deliveries:
        name = told["destination"]
        if told["left"] != 0:
            count = "an unknown number of" if told["left"] is None else told["left"]
            yield f"{count} event(s) wait for {name}: the next run sends them, or auditor deliver does"
        if told["refused"]:
            yield f"{told['refused']} event(s) refused by {name} for good: see dead-letter.jsonl"
