"""The page: its head, which stands before the first finding, and its body, which follows the last."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from auditor.formats.encoding import encoded
from auditor.formats.gaps import scope_text
from auditor.formats.report import counts as standings
from auditor.formats.report.assets import FOLDER, content_security_policy, licences, scripts, styles
from auditor.formats.report.blocks import block
from auditor.formats.report.findings import COLUMNS, FIELDS
from auditor.formats.report.telling import acceptances, costs, exits, pages_of, past_and_this, verdict
from auditor.formats.text import cut
from auditor.model import Severity, Status, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jinja2 import Template

    from auditor.formats.report.counts import Counts
    from auditor.formats.report.findings import FindingBlocks
    from auditor.formats.report.seen import Seen
    from auditor.formats.start import RunStart

MOST_GROUPS = 400
"""Rows of what was not seen that stand in the page; the map and coverage.jsonl have the others."""
_TEXT = 500
"""Characters of one text."""


def page_head() -> bytes:
    """Return what stands before the first finding."""
    return (
        b'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        b'<meta http-equiv="Content-Security-Policy" content="%s">\n'
        b'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        b'<meta name="referrer" content="no-referrer">\n'
        b'<meta name="color-scheme" content="light dark">\n'
        b"<title>Audit of Lightsail exports</title>\n%s"
    ) % (content_security_policy().encode(), styles())


def page_body(
    start: RunStart, counts: Counts, blocks: FindingBlocks, seen: Seen, run: Mapping[str, Any]
) -> Iterator[bytes]:
    """Yield what follows the last finding."""
    past = past_and_this(start, counts, run)
    yield block("about", encoded(_about(counts, blocks, seen, past)))
    yield block("matrix", seen.matrix())
    yield b"</head>\n"
    groups = seen.groups()
    told = {
        "start": start,
        "counts": counts,
        "severities": tuple(Severity),
        "statuses": [status for status in Status if counts.by_status[status]],
        "standings": standings,
        "has_history": run["history"] is not None,
        "seen": seen,
        "reasons": seen.reasons.most_common(),
        "groups": groups[:MOST_GROUPS],
        "groups_left_out": len(groups) - MOST_GROUPS,
        "verdict": verdict(start, seen, run),
        "scope": scope_text(start),
        "past": past,
        "costs": costs(counts),
        "acceptances": acceptances(counts, groups, run),
        "policies": pages_of(start),
        "exits": exits(run),
        "blocks": blocks,
        "licences": licences(),
        "run": run,
    }
    # Numbers of whatever cannot stand in ASCII, so that nothing in the page's own text is taken for something else.
    for part in _template().generate(told):
        yield part.encode("ascii", "xmlcharrefreplace")
    yield scripts()
    yield b"</body>\n</html>\n"


def _about(counts: Counts, blocks: FindingBlocks, seen: Seen, past: Any) -> dict[str, Any]:
    """Return what the page's scripts need to know beside the findings."""
    return {
        "columns": COLUMNS,
        "fields": FIELDS,
        "severities": [severity.value for severity in Severity],
        "statuses": [status.value for status in Status],
        "total": counts.total,
        "left_out": blocks.left_out.total(),
        "regions": list(seen.regions),
        "accounts": [[account, name and cut(name, _TEXT)] for account, name in seen.accounts.items()],
        "kinds": seen.kinds(),
        "past": past,
    }


@cache
def _template() -> Template:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415 -- only a report needs it

    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = lambda value: f"{value:,}"
    environment.filters["cut"] = lambda value: cut(str(value), _TEXT)
    environment.filters["words"] = lambda value: str(value).replace("_", " ")
    return environment.get_template("page.html")


def _shown(value: Any) -> Any:
    """Make every text that comes into the page fit to be shown; the template escapes its markup."""
    if value is None:
        return "-"
    return shown(value) if isinstance(value, str) else value
