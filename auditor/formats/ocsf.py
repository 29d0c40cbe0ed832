"""OCSF: Compliance Finding events (class 2003), one a line, in the version that the receiver speaks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditor.formats.contract import Format
from auditor.formats.encoding import encoded_line
from auditor.formats.gap_groups import gap_said, grouped
from auditor.formats.gaps import GapKind, gaps, scope_text
from auditor.formats.ocsf_event import VERSIONS, Dialect
from auditor.formats.ocsf_finding import finding_event
from auditor.formats.ocsf_gap import gap_event

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from auditor.formats.start import RunStart
    from auditor.model import Finding


class OutputFormat(Format):
    """OCSF Compliance Findings, an event a line, for a SIEM or a data lake."""

    file_name = "findings.ocsf.jsonl"
    variants = (*VERSIONS, *(version.removesuffix(".0") for version in VERSIONS))

    def __init__(self, start: RunStart, variant: str | None = None) -> None:
        super().__init__(start, variant)
        version = next(each for each in VERSIONS if each.startswith(str(self.variant)))
        self._dialect = Dialect(version, start.auditor_version, start.policies)
        self._scope = {"scope": {"kind": "subset" if start.is_subset else "full", "filters": start.filters}}

    def findings(self, findings: Sequence[Finding]) -> bytes:
        """Return an event for each."""
        said_at = self.start.started_at
        return b"".join(
            encoded_line(finding_event(self._dialect, each, said_at, self._scope)) for each in findings
        )

    def tail(self, coverage: Iterable[Mapping[str, Any]], run: Mapping[str, Any]) -> Iterator[bytes]:
        """Yield an event for each gap, of which it is unknown whether it complies."""
        beside = {**self._scope, "scope_text": scope_text(self.start)}
        for group in grouped(gaps(self.start, coverage)):
            told = group.told(self.start.run_id, run["started_at"])
            is_subset = group.first.kind is GapKind.SUBSET
            said = (group.first.title, group.first.text) if is_subset else gap_said(told)
            yield encoded_line(gap_event(self._dialect, told, said, beside))
