"""JSON lines: one finding a line, in the schema auditor.finding/1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.formats.contract import Format
from auditor.formats.encoding import encoded_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditor.model import Finding


class OutputFormat(Format):
    """Findings alone, a line each, for programs; gaps stand beside it in coverage.jsonl, the scope in run.json."""

    file_name = "findings.jsonl"

    def findings(self, findings: Sequence[Finding]) -> bytes:
        """Return a line for each."""
        return b"".join(map(encoded_line, findings))
