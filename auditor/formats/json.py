"""JSON: one document with the findings, every target's coverage line, and the run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditor.formats.contract import Format
from auditor.formats.encoding import encoded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from auditor.formats.start import RunStart
    from auditor.model import Finding


class OutputFormat(Format):
    """One document for programs that want all of a run: findings, every target's coverage, and run.json."""

    file_name = "report.json"

    def __init__(self, start: RunStart, variant: str | None = None) -> None:
        super().__init__(start, variant)
        self._separator = b"\n"

    def head(self) -> bytes:
        """Return the document's beginning."""
        return b'{"schema":"auditor.report/1","findings":['

    def findings(self, findings: Sequence[Finding]) -> bytes:
        """Return these items of the list."""
        return b"".join(map(self._item, findings))

    def tail(self, coverage: Iterable[Mapping[str, Any]], run: Mapping[str, Any]) -> Iterator[bytes]:
        """Yield the ledger, a line each, and the run."""
        yield b'\n],"coverage":['
        self._separator = b"\n"
        for line in coverage:
            yield self._item(line)
        yield b'\n],"run":' + encoded(run) + b"}\n"

    def _item(self, value: Any) -> bytes:
        item = self._separator + encoded(value)
        self._separator = b",\n"
        return item
