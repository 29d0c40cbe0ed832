"""A run as the command line does it: told of while it goes, summed up at its end."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

import anyio

from auditor.audit import FormatRequest, audit
from auditor.cli.progress import observer
from auditor.errors import UsageError
from auditor.formats import STDOUT, formats
from auditor.model import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditor.audit import Result, RunOptions
    from auditor.config import Config


def format_requests(asked: Sequence[str]) -> tuple[FormatRequest, ...]:
    """Return what the `-f` options ask for.

    :raises UsageError: where a format is unknown, or two would go to one place.
    """
    requests: list[FormatRequest] = []
    for text in asked:
        name, equals, path = text.partition("=")
        if name not in formats():
            near = difflib.get_close_matches(name, list(formats()), 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(formats())}"
            raise UsageError(f"-f {shown(text)}: no such format; {hint}")
        if equals and not path:
            raise UsageError(f"-f {shown(text)}: no path after the =; write -f {name} for the run's folder")
        requests.append(FormatRequest(name, path or None))
    places = [request.path for request in requests if request.path]
    twice = {place for place in places if places.count(place) > 1}
    if twice:
        raise UsageError(
            f"-f: two formats would be written to {shown(min(twice))}; give each a place of its own"
        )
    return tuple(requests)


def run_and_tell(config: Config, options: RunOptions, *, quiet: bool) -> Result:
    """Run the audit, and print its summary."""
    with observer(quiet=quiet) as watching:
        result = anyio.run(audit, config, options, watching)
    if not any(request.path == STDOUT for request in options.formats):
        from auditor.cli.summary import print_summary  # what draws tables need not hold up the first request

        print_summary(result)
    return result
