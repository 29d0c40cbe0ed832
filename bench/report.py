"""The tables that people read."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.figures import Limit, Result, Row

_ROW = "{:<31} {:>4} {:>6} {:>21} {:>6} {:>7} {:>6} {:>5} {:>8} {:>19} {:>6}"
_HEAD = _ROW.format(
    "", "acc.", "pages", "CPU ms/page", "net", "wall s", "RSS MB", "first", "requests", "x floor", "net x"
)
_LIMIT = "{:<42} {:>22} {:>8}  {}"


def lines(machine: dict[str, str], results: list[Result], *, judged: bool) -> Iterator[str]:
    """Yield the report; limits are judged only where the sizes are those that they were set for."""
    for what, value in machine.items():
        yield f"{what + ':':<10}{value}"
    yield (
        "Medians (least-largest). CPU: user and system of the whole process. net: less that of one target alone.\n"
        "first: seconds to the first page asked for. x floor: CPU a page as a multiple of the floor's, round by round;\n"
        "net x: that of the net figures, which compares those that read fewer accounts."
    )
    for result in results:
        yield ""
        yield f"{result.scenario}: {result.about}"
        if result.rows:
            yield _HEAD
            yield from map(_row, result.rows)
            busiest = max(row.server_busy.largest for row in result.rows)
            yield f"The server was at most {busiest:.0%} busy."
    yield ""
    yield _LIMIT.format("limits of the issue", "measured", "limit", "")
    for result in results:
        for limit in result.limits:
            yield _limit(limit, judged=judged)
    if not judged:
        yield "Not judged: limits are set for the full sizes, and for medians of at least three."
    for result in results:
        for failure in result.failures:
            yield f"FAILED: {failure}"


def _row(row: Row) -> str:
    return _ROW.format(
        row.candidate,
        row.accounts,
        row.pages,
        row.cpu_ms_a_page.shown(2),
        "" if row.net_cpu_ms_a_page is None else f"{row.net_cpu_ms_a_page.median:.2f}",
        f"{row.wall_s.median:.2f}",
        f"{row.rss_mb.median:.0f}",
        f"{row.first_page_s.median:.2f}",
        row.requests,
        "" if row.to_floor is None else row.to_floor.shown(2),
        "" if row.net_to_floor is None else f"{row.net_to_floor.median:.2f}",
    )


def _limit(limit: Limit, *, judged: bool) -> str:
    unit = limit.unit and f" {limit.unit}"
    verdict = ("met" if limit.met else "NOT MET") if judged else "-"
    told = f"{'>= ' if limit.at_least else ''}{limit.limit:g}{unit}"
    return _LIMIT.format(limit.what, limit.measured.shown(2), told, verdict)
