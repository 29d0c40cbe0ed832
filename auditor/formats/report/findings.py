"""Findings as the page holds them: what its table needs in one block, what is unfolded in another, some hundreds each.

The first is read as the page opens, the second only when a finding of it is unfolded: so that 10,000 are there at once.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from auditor.formats.encoding import encoded
from auditor.formats.report.blocks import block
from auditor.formats.text import cut
from auditor.model import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

COLUMNS = (
    "finding_id",
    "policy",
    "severity",
    "status",
    "account_id",
    "account_name",
    "region",
    "resource_arn",
    "resource_name",
    "message",
    "cost",
    "waiver",
    "first_seen",
)
"""Fields that the table shows, sorts and searches, in the order of a row."""
FIELDS = tuple(each.name for each in fields(Finding))
_REST = tuple(name for name in FIELDS if name not in COLUMNS)

MOST = 25_000
"""Findings of one severity that a page has rows for, so that many small ones never crowd a grave one out."""
MOST_DETAIL = 32 * 1024 * 1024
"""Bytes of JSON of what is unfolded, for the findings of one severity."""
_ONE_DETAIL = 16 * 1024
_TEXT = 1_000
"""Characters of a text in a row."""
_IN_A_BLOCK = 400
_BYTES_IN_A_BLOCK = 1024 * 1024


class FindingBlocks:
    """Makes blocks of findings, and knows what it had no room for."""

    def __init__(self) -> None:
        self._rows: list[bytes] = []
        self._details: list[bytes] = []
        self._bytes = 0
        self._of_severity: Counter[Severity] = Counter()
        self._detail_bytes: Counter[Severity] = Counter()
        self.left_out: Counter[Severity] = Counter()
        """Findings that have no row."""
        self.shortened = 0
        """Findings that have one, and not all that can be said of them."""

    def add(self, findings: Iterable[Finding]) -> bytes:
        """Return the blocks that these findings fill; the others are kept."""
        return b"".join(self._add(finding) for finding in findings)

    def rest(self) -> bytes:
        """Return what is kept, and keep it no longer."""
        if not self._rows:
            return b""
        made = _block("rows", self._rows) + _block("details", self._details)
        self._rows, self._details, self._bytes = [], [], 0
        return made

    def _add(self, finding: Finding) -> bytes:
        severity = finding.severity
        if self._of_severity[severity] >= MOST:
            self.left_out[severity] += 1
            return b""
        self._of_severity[severity] += 1
        row = [getattr(finding, name) for name in COLUMNS]
        short = [cut(value, _TEXT) if isinstance(value, str) else value for value in row]
        detail = encoded({name: getattr(finding, name) for name in _REST})
        whole = short == row and len(detail) <= _ONE_DETAIL
        if not whole or self._detail_bytes[severity] + len(detail) > MOST_DETAIL:
            self.shortened += 1
            detail = encoded({"shortened": True, "remediation": cut(finding.remediation, _TEXT)})
        self._detail_bytes[severity] += len(detail)
        self._rows.append(encoded(short))
        self._details.append(detail)
        self._bytes += len(self._rows[-1]) + len(detail)
        full = len(self._rows) >= _IN_A_BLOCK or self._bytes >= _BYTES_IN_A_BLOCK
        return self.rest() if full else b""


def _block(name: str, items: Sequence[Any]) -> bytes:
    return block(name, b"[" + b",\n".join(items) + b"]")
