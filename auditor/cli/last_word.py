"""The last line on standard error: which exit this is, in words."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from auditor.cli.standard import complain

_json = False


def last_word_as_json(*, on: bool) -> None:
    """Choose whether the last line is a JSON line, as the log's lines are, or plain text."""
    global _json  # noqa: PLW0603 -- a process has one standard error, and one last line on it
    _json = on


def last_word(code: int, text: str) -> None:
    """Say how the program exits, and why."""
    line = f"exit {code}: {text}"
    if _json:
        when = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        line = json.dumps({"event": line, "level": "info", "timestamp": when, "exit_code": code})
    else:
        line = f"auditor: {line}"
    complain(f"{line}\n")
