"""Parquet: one table for query engines, compressed by zstd, its times and numbers typed."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from auditor.formats.contract import Format
from auditor.formats.encoding import encoded
from auditor.formats.gaps import scope_text
from auditor.formats.rows import NUMBERS, TEXTS, TIMES, finding_row, rows_at_the_end
from auditor.formats.text import without_surrogates

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from auditor.formats.rows import Row
    from auditor.formats.start import RunStart
    from auditor.model import Finding

_ROWS_IN_A_GROUP = 8_192
_BYTES_IN_A_GROUP = 16 * 1024 * 1024
"""Of text, before it is compressed: what is kept at once, and what a reader takes up at once."""
_PAGE = 256 * 1024


class OutputFormat(Format):
    """Parquet for query engines and data lakes: findings, gaps and the run, a row each."""

    file_name = "findings.parquet"
    needs = "pyarrow"

    def __init__(self, start: RunStart, variant: str | None = None) -> None:
        super().__init__(start, variant)
        self._scope = scope_text(start)
        self._kept: list[Row] = []
        self._bytes_kept = 0
        self._file = _Growing()
        self._writer = _writer(self._file, start)

    def head(self) -> bytes:
        """Return the file's first bytes."""
        return self._file.grown()

    def findings(self, findings: Sequence[Finding]) -> bytes:
        """Return the row groups that these findings fill; the others are kept."""
        for finding in findings:
            self._keep(finding_row(finding, self._scope))
        return self._file.grown()

    def tail(self, coverage: Iterable[Mapping[str, Any]], run: Mapping[str, Any]) -> Iterator[bytes]:
        """Yield the rows that are kept, those of the gaps and the run, and the file's own description."""
        for row in rows_at_the_end(self.start, coverage, run):
            self._keep(row)
            yield self._file.grown()
        self._write_group()
        self._writer.add_key_value_metadata({"auditor.run": encoded(run)})
        self._writer.close()
        yield self._file.grown()

    def _keep(self, row: Row) -> None:
        text = {key: without_surrogates(value) for key, value in row.items() if isinstance(value, str)}
        self._kept.append(row | text)
        self._bytes_kept += sum(map(len, text.values()))
        if len(self._kept) >= _ROWS_IN_A_GROUP or self._bytes_kept >= _BYTES_IN_A_GROUP:
            self._write_group()

    def _write_group(self) -> None:
        if self._kept:
            self._writer.write_table(_table(self._kept))
            self._kept, self._bytes_kept = [], 0


class _Growing:
    """A file that only grows, and gives away what has grown."""

    closed = False

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._given = 0

    def write(self, data: Any) -> int:
        self._bytes += data
        return len(data)

    def tell(self) -> int:
        return self._given + len(self._bytes)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass

    def grown(self) -> bytes:
        """Return what was written since the last time."""
        grown, self._bytes = bytes(self._bytes), bytearray()
        self._given += len(grown)
        return grown


def _schema() -> Any:
    import pyarrow as pa  # noqa: PLC0415 -- an extra, and 0.2 s that only a run that writes it needs

    texts = [pa.field(name, pa.string(), nullable=name not in {"kind", "scope", "run_id"}) for name in TEXTS]
    numbers = [pa.field(name, pa.int64()) for name in NUMBERS]
    times = [pa.field(name, pa.timestamp("us", tz="UTC")) for name in TIMES]
    return pa.schema([*texts, *numbers, *times])


def _table(rows: list[Row]) -> Any:
    import pyarrow as pa  # noqa: PLC0415 -- as above

    columns = {name: [row.get(name) for row in rows] for name in (*TEXTS, *NUMBERS)}
    for name in TIMES:
        columns[name] = [_time(row.get(name)) for row in rows]
    return pa.table(columns, schema=_schema())


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text is not None else None


def _writer(file: _Growing, start: RunStart) -> Any:
    import pyarrow as pa  # noqa: PLC0415 -- as above
    from pyarrow import parquet  # noqa: PLC0415 -- as above

    metadata = {
        "auditor.schema": "auditor.rows/1",
        "auditor.run_id": start.run_id,
        "auditor.scope": "subset" if start.is_subset else "full",
    }
    return parquet.ParquetWriter(
        pa.PythonFile(file, mode="w"),
        _schema().with_metadata(metadata),
        compression="zstd",
        data_page_size=_PAGE,
    )
