"""The history as people, and programs, read it."""

from __future__ import annotations

import io
import json
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import anyio
from rich.console import Console
from rich.table import Table
from rich.text import Text

from auditor.config import History, S3Store
from auditor.errors import UsageError
from auditor.history import open_history, read_history
from auditor.model import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from auditor.config import Config
    from auditor.history.database import Database
    from auditor.history.in_s3 import Fetched

_WIDTH = 120
"""Columns, where there is no terminal to ask."""
_WORDS = {
    "new": "New",
    "reopened": "Reopened",
    "resolved": "Resolved",
    "not_seen": "Not seen",
    "still_open": "Still open",
}
_SHORT = 12
"""Characters of a finding_id that a table shows: enough to name it by."""


class _Page(io.StringIO):
    """Text that is drawn for standard output, in its encoding."""

    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"


@contextmanager
def reading(config: Config) -> Iterator[Database]:
    """Open the history of a configuration to read it; one in S3 is fetched first.

    :raises UsageError: where there is none, or it can't be used.
    """
    history = _history_of(config)
    if not isinstance(history.store, S3Store):
        with read_history(history) as opened:
            yield opened.database
        return
    with TemporaryDirectory(prefix="auditor-") as folder:
        fetched = anyio.run(_fetch, config, history.store, Path(folder))
        if fetched.etag is None:
            raise UsageError(
                f"there is no history at {shown(history.store.name)} yet; the first run makes it"
            )
        with read_history(History(fetched.store)) as opened:
            yield opened.database


@contextmanager
def writing(config: Config, holder: str) -> Iterator[Database]:
    """Open the history of a configuration to write to it; one in S3 is fetched first, and put back.

    :param holder: who is at it, in words for whoever comes meanwhile.
    :raises UsageError: where there is none, or it can't be used.
    :raises SinkError: where it could not be put back.
    """
    history = _history_of(config)
    if not isinstance(history.store, S3Store):
        with open_history(history, holder=holder) as opened:
            yield opened.database
        return
    with TemporaryDirectory(prefix="auditor-") as folder:
        fetched = anyio.run(_fetch, config, history.store, Path(folder))
        with open_history(History(fetched.store), holder=holder) as opened:
            yield opened.database
        anyio.run(_put_back, config, fetched)


async def _fetch(config: Config, store: S3Store, folder: Path) -> Fetched:
    from auditor.aws.objects import open_objects
    from auditor.history.in_s3 import fetch

    timeout = config.limits.request_timeout.total_seconds()
    async with open_objects(request_timeout=timeout, allow_http=False) as objects:
        return await fetch(objects, store, folder)


async def _put_back(config: Config, fetched: Fetched) -> None:
    from auditor.aws.objects import open_objects
    from auditor.history.in_s3 import put_back

    timeout = config.limits.request_timeout.total_seconds()
    async with open_objects(request_timeout=timeout, allow_http=False) as objects:
        await put_back(objects, fetched, keep=Path())


def _history_of(config: Config) -> History:
    """Return where the configuration has its history.

    :raises UsageError: where it has none.
    """
    if config.history is None:
        raise UsageError(
            f"{shown(config.path)} has no history, so that earlier runs are not remembered; write history: {{}} into it"
        )
    return config.history


def document(schema: str, told: Mapping[str, Any]) -> str:
    """Return what was told as a JSON document."""
    return json.dumps({"schema": schema, **told}, indent=2) + "\n"


def runs_table(runs: Sequence[Mapping[str, Any]]) -> str:
    """Return the runs as a table."""
    rows = [
        (
            run["run_id"],
            _minute(run["started_at"]),
            run["scope"],
            "did not finish" if run["finished_at"] is None else f"{run['coverage_percent']} %",
            *(str(run["findings"][name]) for name in ("new", "reopened", "resolved", "not_seen", "open")),
            "–" if run["exit_code"] is None else str(run["exit_code"]),
        )
        for run in runs
    ]
    columns = (
        "Run",
        "Started, UTC",
        "Scope",
        "Coverage",
        "New",
        "Reopened",
        "Resolved",
        "Not seen",
        "Open",
        "Exit",
    )
    return _table(columns, rows)


def findings_table(findings: Sequence[Mapping[str, Any]]) -> str:
    """Return findings as a table."""
    return _table(
        ("Finding", "Status", "Severity", "Policy", "Account", "Region", "First seen, UTC", "Why"),
        [
            (
                each["finding_id"][:_SHORT],
                each["status"],
                each["severity"],
                each["policy"],
                each["account_id"],
                each["region"],
                _minute(each["first_seen"]),
                _why(each),
            )
            for each in findings
        ],
    )


def life_text(told: Mapping[str, Any]) -> str:
    """Return the life of a finding, a turn a line."""
    lines = [
        f"{told['finding_id']}",
        f"{told['severity']} {told['policy']}: {told['finding']['message']}",
        f"{told['resource_arn']} in {told['account_id']} {told['region']}",
        f"first seen {told['first_seen']}, last found {told['last_found']['at']} by {told['last_found']['run_id']}",
        "",
    ]
    for turn in told["life"]:
        why = _why(turn)
        lines.append(f"{turn['at']}  {turn['run_id']}  {turn['status']}{f'  {why}' if why else ''}")
    lines += [
        f"{each['at']}  account retired by {each['by']}: {each['reason']}" for each in told["retirements"]
    ]
    return "".join(f"{shown(line)}\n" for line in lines)


def difference_text(told: Mapping[str, Any]) -> str:
    """Return how two runs differ, as people read it: what is still open is counted alone."""
    parts = [f"From {told['older']['run_id']} to {told['newer']['run_id']}:\n"]
    for run in (told["older"], told["newer"]):
        if run["scope"] != "full" or run["coverage_percent"] != 100:  # noqa: PLR2004 -- per cent
            what = f"scope {run['scope']}, coverage {run['coverage_percent']} %"
            parts.append(f"{run['run_id']} did not look at everything: {what}\n")
    for change, word in _WORDS.items():
        parts.append(f"\n{word}: {len(told[change])}\n")
        if change != "still_open" and told[change]:
            parts.append(findings_table(told[change]))
    return "".join(parts)


def _minute(instant: str) -> str:
    """Return an RFC 3339 time to the minute: a table has no room for more."""
    return instant[: len("2026-11-25T06:59")].replace("T", " ")


def _why(told: Mapping[str, Any]) -> str:
    return ": ".join(filter(None, (told["resolution"], told["why"])))


def _table(columns: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    page = _Page()
    terminal = sys.stdout is not None and sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if terminal else _WIDTH
    console = Console(file=page, width=width, force_terminal=terminal, highlight=False)
    table = Table()
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in ("Run", "Finding", "Account"))
    for row in rows:
        table.add_row(*(Text(shown(cell)) for cell in row))
    console.print(table)
    return page.getvalue()
