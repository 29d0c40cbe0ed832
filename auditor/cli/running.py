"""A run as the command line does it: told of while it goes, summed up at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from auditor.audit import FormatRequest, audit
from auditor.cli.progress import observer
from auditor.errors import UsageError
from auditor.formats import STDOUT
from auditor.model import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditor.audit import Result, RunOptions
    from auditor.config import Config


def format_requests(asked: Sequence[str]) -> tuple[FormatRequest, ...]:
    """Return what the `-f` options ask for.

    :raises UsageError: where a path is missing.
    """
    requests: list[FormatRequest] = []
    for text in asked:
        name, equals, path = text.partition("=")
        if equals and not path:
            raise UsageError(
                f"-f {shown(text)}: no path after the =; write -f {shown(name)} for the run's folder"
            )
        requests.append(FormatRequest(name, path or None))
    return tuple(requests)


def run_and_tell(config: Config, options: RunOptions, *, quiet: bool) -> Result:
    """Run the audit, and print its summary."""
    with observer(quiet=quiet) as watching:
        result = anyio.run(audit, config, options, watching)
    if not any(request.path == STDOUT for request in options.formats):
        from auditor.cli.summary import print_summary  # what draws tables need not hold up the first request

        print_summary(result)
    return result
