"""Writes the pages that follow from the code: docs/policies/*.md and docs/commands.md. `--check` only compares."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from auditor.cli.entry import auditor
from auditor.policies import Entry, built_in

DOCS = Path(__file__).parent
MADE_BY = "<!-- Made by `python docs/generate.py`; edit the code instead. -->\n\n"


def pages() -> dict[Path, str]:
    """Return every generated page by its path."""
    found = {DOCS / "policies" / f"{entry.id}.md": policy_page(entry) for entry in built_in().values()}
    return found | {DOCS / "commands.md": commands_page()}


def policy_page(entry: Entry) -> str:
    """Return a policy's page: its own text, and the controls that it may be cited for."""
    controls = "".join(f"| {c.framework} | {c.id} | {c.mapping} |\n" for c in entry.policy.controls)
    table = f"| framework | control | whose reading |\n|---|---|---|\n{controls}"
    return f"{MADE_BY}# {entry.id}\n\n```text\n{entry.text}\n```\n\n## Controls\n\n{table}"


def commands_page() -> str:
    """Return the help of every command."""
    parent = click.Context(auditor, info_name="auditor", terminal_width=80)
    text = f"{MADE_BY}# Commands\n\n```text\n{auditor.get_help(parent)}\n```\n"
    for name in auditor.list_commands(parent):
        command = auditor.get_command(parent, name)
        if command is None:
            raise LookupError(name)
        text += command_text(command, name, parent)
    return text


def command_text(command: click.Command, name: str, parent: click.Context) -> str:
    """Return the help of one command, and of those under it."""
    context = click.Context(command, info_name=name, parent=parent, terminal_width=80)
    text = f"\n## {context.command_path}\n\n```text\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        text += "".join(command_text(each, under, context) for under, each in command.commands.items())
    return text


def main() -> int:
    """Write the pages, or with --check say which differ."""
    stale = [path for path, text in pages().items() if not path.exists() or path.read_text("utf-8") != text]
    if "--check" in sys.argv:
        for path in stale:
            print(f"{path}: not what the code says; run python docs/generate.py", file=sys.stderr)  # noqa: T201
        return int(bool(stale))
    for path in stale:
        path.write_text(pages()[path], "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
