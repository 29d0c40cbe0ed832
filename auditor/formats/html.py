"""HTML: one page that opens offline, for people who did not run the audit.

Findings are written as they come, compressed, before what is seen of the page: its first screen counts them all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditor.formats.contract import Format
from auditor.formats.report.counts import Counts
from auditor.formats.report.findings import FindingBlocks
from auditor.formats.report.page import page_body, page_head
from auditor.formats.report.seen import Seen

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from auditor.formats.start import RunStart
    from auditor.model import Finding


class OutputFormat(Format):
    """A report for people: one page that opens offline, with findings, coverage, trend and cost."""

    file_name = "report.html"
    wants_past = True

    def __init__(self, start: RunStart, variant: str | None = None) -> None:
        super().__init__(start, variant)
        self._counts = Counts()
        self._blocks = FindingBlocks()

    def head(self) -> bytes:
        """Return what no finding changes: what a browser may load, and how the page looks."""
        return page_head()

    def findings(self, findings: Sequence[Finding]) -> bytes:
        """Return the blocks that these findings fill; the others are kept."""
        self._counts.add(findings)
        return self._blocks.add(findings)

    def tail(self, coverage: Iterable[Mapping[str, Any]], run: Mapping[str, Any]) -> Iterator[bytes]:
        """Yield the last findings, then the page itself."""
        yield self._blocks.rest()
        seen = Seen()
        for line in coverage:
            seen.add(line)
        seen.end()
        yield from page_body(self.start, self._counts, self._blocks, seen, run)
