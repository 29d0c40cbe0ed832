"""The accounts of a configuration as people, and programs, read them."""

from __future__ import annotations

import io
import json
import shutil
import sys
from typing import TYPE_CHECKING, Any

import anyio
from rich.console import Console
from rich.table import Table
from rich.text import Text

from auditor.audit import Exit, list_accounts
from auditor.cli.standard import say
from auditor.model import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditor.config import Config
    from auditor.inventory import Inventory

SCHEMA = "auditor.accounts/1"
_WIDTH = 120
"""Columns, where there is no terminal to ask."""


class _Page(io.StringIO):
    """Text that is drawn for standard output, in its encoding."""

    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"


def show_accounts(config: Config, *, as_json: bool, allow_http: bool) -> tuple[int, str]:
    """Print the accounts; return the exit code, and why it is that."""

    async def find() -> Inventory:
        return await list_accounts(config, allow_http=allow_http)

    found = anyio.run(find)
    rows = list(_rows(found))
    unread = found.unread
    gap = unread and {
        "source": unread.action,
        "reason": unread.failure.reason,
        "error_code": unread.failure.error_code,
        "error_message": unread.failure.error_message,
    }
    if as_json:
        document = {
            "schema": SCHEMA,
            "accounts_from": found.accounts_from,
            "organization_gap": gap,
            "accounts": rows,
        }
        say(json.dumps(document, indent=2) + "\n")
    else:
        say(_drawn(rows))
    if unread is not None:
        text = f"the organization could not be read ({unread.action}: {unread.failure.reason}); this is the list alone"
        return int(Exit.INCOMPLETE), text
    return int(Exit.CLEAN), ""


def _rows(found: Inventory) -> Iterator[dict[str, Any]]:
    for account in found.accounts:
        state = found.suspended.get(account.id)
        yield {
            "id": account.id,
            "name": account.name,
            "unit": found.path_of.get(account.id),
            "from": found.comes_from[account.id],
            "role_arn": account.role_arn,
            "regions": list(account.regions),
            "audited": state is None,
            "why_not": None if state is None else f"account-suspended: AWS Organizations says {state}",
        }
    for left_out in found.excluded:
        yield {
            "id": left_out.id,
            "name": left_out.name,
            "unit": found.path_of.get(left_out.id),
            "from": "organization",
            "role_arn": None,
            "regions": [],
            "audited": False,
            "why_not": left_out.why,
        }


def _drawn(rows: list[dict[str, Any]]) -> str:
    page = _Page()
    terminal = sys.stdout is not None and sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if terminal else _WIDTH
    console = Console(file=page, width=width, force_terminal=terminal, highlight=False)
    table = Table()
    for column in ("Account", "Name", "OU", "From", "Role", "Regions", "Audited"):
        table.add_column(column, overflow="fold", no_wrap=column == "Account")
    for row in rows:
        audited = "yes" if row["audited"] else f"no: {row['why_not']}"
        cells = (row["id"], row["name"], row["unit"], row["from"], row["role_arn"], str(len(row["regions"])))
        table.add_row(*(Text(shown(cell or "–")) for cell in cells), Text(shown(audited)))
    console.print(table)
    audited_count = sum(row["audited"] for row in rows)
    console.print(f"{audited_count} account(s) would be audited, {len(rows) - audited_count} not.")
    return page.getvalue()
