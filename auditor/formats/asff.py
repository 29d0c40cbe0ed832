"""ASFF: one document of findings as AWS Security Hub imports them, each within the service's limits."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from auditor.formats.asff_finding import Notice, finding_of, notice_of
from auditor.formats.contract import Format
from auditor.formats.encoding import encoded
from auditor.formats.gaps import GapKind, accepted_text, gaps, scope_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from auditor.formats.gaps import Gap
    from auditor.formats.start import RunStart
    from auditor.model import Finding

_ACCOUNT = re.compile(r"[0-9]{12}")
_OF_ARN = re.compile(r"arn:[^:]*:[^:]*:[^:]*:([0-9]{12}):")
_NOBODY = "000000000000"
"""Stands for an account where none is known: Security Hub refuses that finding, and says so."""
_HOME = "us-east-1"
"""Stands for a Region where none is known."""


class OutputFormat(Format):
    """Findings in the AWS Security Finding Format, as Security Hub's BatchImportFindings takes them."""

    file_name = "findings.asff.json"

    def __init__(self, start: RunStart, variant: str | None = None) -> None:
        super().__init__(start, variant)
        self._separator = b"\n"
        self._said = {"run_id": start.run_id, "scope": scope_text(start)}

    def head(self) -> bytes:
        """Return the document's beginning."""
        return b'{"Findings":['

    def findings(self, findings: Sequence[Finding]) -> bytes:
        """Return these items of the list."""
        return b"".join(self._item(self._of_finding(finding)) for finding in findings)

    def tail(self, coverage: Iterable[Mapping[str, Any]], run: Mapping[str, Any]) -> Iterator[bytes]:
        """Yield a finding for each gap, and the document's end."""
        caller = _account_of(run["caller_arn"])
        for gap in gaps(self.start, coverage):
            yield self._item(notice_of(self._of_gap(gap, run["finished_at"], caller)))
        yield b"\n]}\n"

    def _item(self, value: Mapping[str, Any]) -> bytes:
        item = self._separator + encoded(value)
        self._separator = b",\n"
        return item

    def _of_finding(self, finding: Finding) -> dict[str, Any]:
        policy = self.start.policies.get(finding.policy)
        title = policy.title if policy else finding.policy
        # Of one that is not found this is the run that says so, and not the last that saw it.
        return finding_of(finding, title=title, updated_at=self.start.started_at, fields=self._said)

    def _of_gap(self, gap: Gap, time: str, caller: str) -> Notice:
        accepted = gap.accepted
        return Notice(
            known_as=gap.part_id,
            generator=f"coverage/{gap.kind}",
            account_id=gap.account_id if gap.account_id and _ACCOUNT.fullmatch(gap.account_id) else caller,
            account_name=gap.account_name,
            region=gap.region or _HOME,
            created_at=time,
            updated_at=time,
            label="INFORMATIONAL" if gap.kind is GapKind.SUBSET or accepted else "MEDIUM",
            title=gap.title,
            text=gap.text,
            code=gap.reason or gap.kind,
            why=accepted_text(accepted) if accepted else gap.text,
            is_suppressed=accepted is not None,
            fields={
                **self._said,
                "event_id": gap.event_id,
                "gap_id": gap.gap_id,
                "source": gap.source,
                "verdict": gap.verdict,
                "reason": gap.reason,
                "error_code": gap.error_code,
                "error_message": gap.error_message,
                "policy": gap.policy,
                "records": gap.records,
                "asked_as": gap.account_id,
            },
        )


def _account_of(arn: str | None) -> str:
    """Return the account of an ARN, for what is said of no account."""
    found = _OF_ARN.match(arn or "")
    return found[1] if found else _NOBODY
