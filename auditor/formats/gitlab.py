"""GitLab code quality: one document, which a merge request compares with that of its target branch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditor.formats.contract import Format
from auditor.formats.encoding import encoded
from auditor.formats.gaps import GapKind, accepted_text, gaps
from auditor.formats.place import config_line, config_path
from auditor.formats.text import one_line
from auditor.model import Severity, Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from auditor.formats.gaps import Gap
    from auditor.formats.start import RunStart
    from auditor.model import Finding

# GitLab's documentation, code quality, report format.
_SEVERITIES = {
    Severity.CRITICAL: "blocker",
    Severity.HIGH: "critical",
    Severity.MEDIUM: "major",
    Severity.LOW: "minor",
    Severity.INFO: "info",
}
_DESCRIPTION = 2_048


class OutputFormat(Format):
    """GitLab code quality for merge requests; what is resolved is not there any more."""

    file_name = "gl-code-quality-report.json"

    def __init__(self, start: RunStart, variant: str | None = None) -> None:
        super().__init__(start, variant)
        self._separator = b"\n"
        self._path = config_path(start)

    def head(self) -> bytes:
        """Return the list's beginning."""
        return b"["

    def findings(self, findings: Sequence[Finding]) -> bytes:
        """Return these items of the list."""
        # GitLab knows no finding that has ended: one that is there is open.
        there = (finding for finding in findings if finding.status is not Status.RESOLVED)
        return b"".join(self._item(self._of_finding(finding)) for finding in there)

    def tail(self, coverage: Iterable[Mapping[str, Any]], run: Mapping[str, Any]) -> Iterator[bytes]:  # noqa: ARG002
        """Yield an item for each gap, and the list's end."""
        for gap in gaps(self.start, coverage):
            yield self._item(self._of_gap(gap))
        yield b"\n]\n"

    def _item(self, value: Mapping[str, Any]) -> bytes:
        item = self._separator + encoded(value)
        self._separator = b",\n"
        return item

    def _of_finding(self, finding: Finding) -> dict[str, Any]:
        severity = _SEVERITIES[finding.severity]
        where = f"{finding.account_id} {finding.region} {finding.resource_name or finding.resource_arn}"
        said = f"{where}: {finding.message}"
        if finding.status is Status.NOT_SEEN:
            why = finding.resolution.why if finding.resolution is not None else ""
            said = f"Found before, and not seen in this run ({why}): {said}"
        if finding.waiver is not None:
            severity = "info"
            said = f"Waived by {finding.waiver.owner} until {finding.waiver.until}: {said}"
        return self._issue(said, finding.policy, finding.finding_id, severity)

    def _of_gap(self, gap: Gap) -> dict[str, Any]:
        said = f"{accepted_text(gap.accepted)}: {gap.text}" if gap.accepted else gap.text
        severity = "info" if gap.kind is GapKind.SUBSET or gap.accepted else "major"
        return self._issue(said, f"coverage-{gap.kind}", gap.part_id, severity, gap.policy)

    def _issue(
        self, said: str, check: str, fingerprint: str, severity: str, policy: str | None = None
    ) -> dict[str, Any]:
        return {
            "description": one_line(said, _DESCRIPTION),
            "check_name": check,
            "fingerprint": fingerprint,
            "severity": severity,
            "location": {
                "path": self._path,
                "lines": {"begin": config_line(self.start, policy or check)},
            },
        }
