"""Markdown: what a CI job shows as its summary, cut to what GitHub takes, and saying so.

The gravest findings are kept where not all have room. What was not seen stands before them: a page that is read to
its first table tells of it.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from auditor.formats.contract import Format
from auditor.formats.gaps import GapKind, gaps, scope_text
from auditor.formats.text import one_line
from auditor.formats.unseen import Unseen
from auditor.model import Severity, Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from auditor.formats.start import RunStart
    from auditor.formats.unseen import Group
    from auditor.model import Finding

# GitHub's documentation, workflow commands, job summaries: 1 MiB for a step. What is beyond it is not shown at all.
LIMIT = 1_024 * 1_024
_OF_FINDINGS, _OF_GAPS = 704 * 1_024, 256 * 1_024
"""Bytes that each table's rows may take; the rest is for what stands around them."""
_CELL = 400
"""Bytes of a text in a cell, before it is escaped."""

_OF_UNSEEN = b"""### Not audited

| account | name | why | what | accepted by |
|---|---|---|---|---|
"""
_OF_FOUND = b"""| severity | status | account | Region | policy | resource | what |
|---|---|---|---|---|---|---|
"""

_SPECIAL = re.compile(r"""[^\w ,;/()%'"=+\-.:]|_|(?<=www)\.|:(?=/)|(?<=mailto):|(?<=xmpp):""", re.IGNORECASE)
"""What may mean something in Markdown or HTML, and what GitHub would make a link of."""


class OutputFormat(Format):
    """Markdown for people: the summary of a CI job, cut to GitHub's 1,024 KiB."""

    file_name = "summary.md"

    def __init__(self, start: RunStart, variant: str | None = None) -> None:
        super().__init__(start, variant)
        self._rows: dict[Severity, list[bytes]] = {severity: [] for severity in Severity}
        self._bytes = 0
        self._counts: Counter[tuple[Severity, str]] = Counter()
        self._left_out = 0

    def findings(self, findings: Sequence[Finding]) -> bytes:
        """Keep a row for each, as long as there is room; nothing is written before all is counted."""
        for finding in findings:
            self._counts[finding.severity, _standing(finding)] += 1
            row = _finding_row(finding)
            self._rows[finding.severity].append(row)
            self._bytes += len(row)
            while self._bytes > _OF_FINDINGS:
                self._leave_one_out()
        return b""

    def tail(self, coverage: Iterable[Mapping[str, Any]], run: Mapping[str, Any]) -> Iterator[bytes]:
        """Yield the page."""
        unseen = Unseen()
        for gap in gaps(self.start, coverage):
            unseen.add(gap)
        yield self._beginning(run, unseen).encode()
        yield from _gaps_page(unseen)
        yield from self._findings_page()

    def _leave_one_out(self) -> None:
        """Give up the last of the least grave rows."""
        least = next(rows for severity in reversed(Severity) if (rows := self._rows[severity]))
        self._bytes -= len(least.pop())
        self._left_out += 1

    def _beginning(self, run: Mapping[str, Any], unseen: Unseen) -> str:
        standing: Counter[str] = Counter()
        for (_, how), count in self._counts.items():
            standing[how] += count
        found = f"{standing['open']:,} finding(s)"
        seen = "everything planned was read and judged"
        if unseen.gaps:
            seen = f"{unseen.gaps:,} gap(s), and what is in them is not known"
        elif self.start.is_subset:
            seen = "everything in this subset was read and judged, and nothing outside of it"
        scope = _escaped(scope_text(self.start))
        percent, after = run["coverage_percent"], run["coverage_percent_after_accepted"]
        begun = f"{_escaped(self.start.run_id)}, {_escaped(self.start.started_at)}"
        lines = [
            "## Audit of Lightsail exports",
            "",
            f"**{found}; {seen}.**",
            "",
            f"Looked at: {scope}. Coverage: {percent} %, {after} % after accepted gaps. Run {begun}.",
            "",
            "| severity | findings | waived | resolved |",
            "|---|---|---|---|",
        ]
        for severity in Severity:
            counts = (self._counts[severity, how] for how in ("open", "waived", "resolved"))
            lines.append(f"| {severity} | {' | '.join(f'{count:,}' for count in counts)} |")
        return "\n".join([*lines, "", ""])

    def _findings_page(self) -> Iterator[bytes]:
        if not self._counts:
            return
        yield b"### Findings\n\n"
        if self._left_out:
            yield (
                f"**{self._left_out:,} finding(s) are left out here, the least grave of them:** a job's summary "
                "may have 1,024 KiB. All stand in findings.jsonl.\n\n"
            ).encode()
        yield _OF_FOUND
        for rows in self._rows.values():
            yield from rows


def _gaps_page(unseen: Unseen) -> Iterator[bytes]:
    if not unseen.gaps:
        return
    yield _OF_UNSEEN
    room = _OF_GAPS
    left_out = 0
    for group in unseen.groups():
        row = _gap_row(group)
        room -= len(row)
        if room >= 0:
            yield row
        else:
            left_out += 1
    if left_out:
        yield f"\n**{left_out:,} row(s) are left out here;** all stand in coverage.jsonl.\n".encode()
    yield b"\n"


def _gap_row(group: Group) -> bytes:
    gap = group.first
    if gap.kind is GapKind.SUBSET:
        return b""  # which the page's beginning says
    accepted = f"{gap.accepted['owner']}, until {gap.accepted['until']}" if gap.accepted else ""
    what = f"{gap.source}, {gap.region}{group.more}"
    return _row(gap.account_id or "", gap.account_name or "", group.why, what, accepted)


def _standing(finding: Finding) -> str:
    if finding.status is Status.RESOLVED:
        return "resolved"
    return "waived" if finding.waiver is not None else "open"


def _finding_row(finding: Finding) -> bytes:
    status = finding.status.replace("_", " ")
    message = finding.message
    if finding.waiver is not None:
        status = f"{status}, waived until {finding.waiver.until}"
    if finding.resolution is not None:
        kind = f"{finding.resolution.kind}: " if finding.resolution.kind else ""
        message = f"{message} ({kind}{finding.resolution.why})"
    return _row(
        finding.severity,
        status,
        f"{finding.account_id} ({finding.account_name})" if finding.account_name else finding.account_id,
        finding.region,
        finding.policy,
        finding.resource_name or finding.resource_arn,
        message,
    )


def _row(*cells: str) -> bytes:
    return f"| {' | '.join(map(_escaped, cells))} |\n".encode()


def _escaped(text: str) -> str:
    """Return text that Markdown shows as it is: no markup, tag, link or mention comes of it."""
    return _SPECIAL.sub(_entity, one_line(text, _CELL)) if text else ""


def _entity(match: re.Match[str]) -> str:
    # GitHub looks for mentions and issues in what was shown, where an entity is a character like any other.
    broken = "<!-- -->" if match[0] in "@#" else ""
    return f"&#{ord(match[0])};{broken}"
