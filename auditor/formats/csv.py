"""CSV: one table for spreadsheets, in which no cell is taken for a formula."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from auditor.formats.contract import Format
from auditor.formats.gaps import scope_text
from auditor.formats.rows import COLUMNS, finding_row, rows_at_the_end
from auditor.formats.text import cut
from auditor.model import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from auditor.formats.rows import Row
    from auditor.formats.start import RunStart
    from auditor.model import Finding

# OWASP, CSV injection: what a spreadsheet takes for a formula's beginning, its full-width forms included.
_FORMULA = tuple("=+-@\t\r\n＝＋－＠")  # noqa: RUF001 -- these are what is meant
_LONGEST = 32_767
"""Characters that a cell of Excel holds."""


class OutputFormat(Format):
    """CSV for spreadsheets: findings, gaps and the run, a row each."""

    file_name = "findings.csv"

    def __init__(self, start: RunStart, variant: str | None = None) -> None:
        super().__init__(start, variant)
        self._scope = scope_text(start)

    def head(self) -> bytes:
        """Return the columns' names."""
        return _written([COLUMNS])

    def findings(self, findings: Sequence[Finding]) -> bytes:
        """Return a row for each."""
        return _written(_cells(finding_row(finding, self._scope)) for finding in findings)

    def tail(self, coverage: Iterable[Mapping[str, Any]], run: Mapping[str, Any]) -> Iterator[bytes]:
        """Yield a row for each gap, and one for the run."""
        for row in rows_at_the_end(self.start, coverage, run):
            yield _written([_cells(row)])


def _written(rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO(newline="")
    # Each cell in quotes: a separator of another locale in one makes no new cell either.
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


def _cells(row: Row) -> list[str]:
    return [_cell(row.get(column)) for column in COLUMNS]


def _cell(value: Any) -> str:
    """Return a cell as text; an apostrophe before what would be a formula, as a spreadsheet's user writes it."""
    if value is None:
        return ""
    text = cut(shown(str(value)), _LONGEST - 1)
    return f"'{text}" if text.lstrip().startswith(_FORMULA) else text
