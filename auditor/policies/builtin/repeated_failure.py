"""A snapshot whose export failed again and again.

Why
    One failure may be chance. A snapshot that fails every time has a cause,
    and whoever (or whatever script) tries it again does not see it: no copy has
    come of it, and none will.

What it finds
    Lightsail snapshots of which at least `times` exports failed, with no
    success since: none at all, or those failures came after the last one. One
    finding for each such snapshot, not for its records; where Lightsail still
    keeps the operations, the evidence has AWS's reason of each failure.

Settings
    `times` (3): so many failures are found, fewer are not. At least 2.
    `severity` (medium)

What to do
    Read AWS's reason, by the command of the finding or in its evidence, and
    take the cause away (a disk that can't be exported, a quota of snapshots in
    EC2). Then export it once more: a success ends this finding.

Examples
    Breaks it::

        {"record": {"state": "Failed", "createdAt": "3d ago",
                    "sourceInfo": {"arn": "arn:of-it"}},
         "facts": {"operation": {"error_code": "ResourceLimitExceeded",
                                 "error_details": "Too many snapshots"}}}
        {"state": "Failed", "createdAt": "2d ago",
         "sourceInfo": {"arn": "arn:of-it"}}
        {"state": "Failed", "createdAt": "1d ago",
         "sourceInfo": {"arn": "arn:of-it"}}

    Keeps it: it failed only twice::

        {"state": "Failed", "createdAt": "2d ago",
         "sourceInfo": {"arn": "arn:of-it"}}
        {"state": "Failed", "createdAt": "1d ago",
         "sourceInfo": {"arn": "arn:of-it"}}

    Keeps it: it succeeded since::

        {"state": "Failed", "createdAt": "4d ago",
         "sourceInfo": {"arn": "arn:of-it"}}
        {"state": "Failed", "createdAt": "3d ago",
         "sourceInfo": {"arn": "arn:of-it"}}
        {"state": "Failed", "createdAt": "2d ago",
         "sourceInfo": {"arn": "arn:of-it"}}
        {"state": "Succeeded", "createdAt": "1d ago",
         "sourceInfo": {"arn": "arn:of-it"}}

    Can't be judged: the failure of what? ::

        {"state": "Failed", "createdAt": "1d ago"}

    Can't be judged: before or after a success? ::

        {"state": "Failed", "sourceInfo": {"arn": "arn:of-it"}}
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from auditor.config import PolicySettings
from auditor.errors import UnusableField
from auditor.model import OPERATIONS, Control, ExportRecord, Severity, shown
from auditor.policies.commands import aws
from auditor.policies.contract import Breach, Judgement, Resource, TargetPolicy
from auditor.policies.copies import when
from auditor.policies.reasons import reason_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOLD = 20
"""Failures that the evidence lists, the latest: a nightly one would fill it in a year."""


class Settings(PolicySettings):
    """What the configuration may set."""

    severity: Severity = Severity.MEDIUM
    times: Annotated[int, Field(ge=2, strict=True)] = 3


class Policy(TargetPolicy[Settings]):
    """Failed again and again."""

    # For the evidence alone: nothing is unjudged for want of it.
    sources = frozenset({OPERATIONS})
    settings_type = Settings
    remediation = (
        "Read AWS's reason in the snapshot's operations, take the cause away, and export it once more."
    )
    controls = (
        Control("NIST SP 800-53 r5", "CM-8", "organisational"),
        Control("NIST SP 800-53 r5", "SI-12", "organisational"),
    )

    def begin(self) -> Judgement:
        """Return the judgement of one target."""
        return _Sources(self.settings.times)


class _Sources(Judgement):
    """The failures of each snapshot in one target, and when it was last exported."""

    def __init__(self, times: int) -> None:
        self._times = times
        self._failed: dict[str, list[ExportRecord]] = {}
        self._succeeded: dict[str, float] = {}
        """The latest success of each snapshot, in seconds since the epoch."""

    def see(self, record: ExportRecord) -> None:
        state = record.state
        if state == "Succeeded":
            self._note_success(record)
        elif state == "Failed":
            source = record.source_arn
            if source is None:
                raise UnusableField("sourceInfo.arn")
            _ = record.created  # or it can't be told whether a success came after it
            self._failed.setdefault(source, []).append(record)

    def _note_success(self, record: ExportRecord) -> None:
        source = record.source_arn
        if source is None:
            return
        try:
            created = record.created
        except UnusableField:
            return  # a success at no known time makes no failure good, and breaks nothing itself
        if self._succeeded.get(source, created) <= created:
            self._succeeded[source] = created

    def conclude(self, *, complete: bool) -> Iterator[Breach]:
        for source, failed in self._failed.items():
            success = self._succeeded.get(source)
            since = [each for each in failed if success is None or each.created >= success]
            if len(since) >= self._times:
                since.sort(key=lambda record: (record.created, record.arn), reverse=True)
                yield self._breach(source, since, success, complete=complete)

    def _breach(
        self, source: str, failed: list[ExportRecord], success: float | None, *, complete: bool
    ) -> Breach:
        latest = failed[0]
        name = latest.source.name
        evidence = {
            "failures": len(failed),
            "times": self._times,
            "latest_failures": [
                {"record_arn": each.arn, "created_at": when(each.created), "reason": reason_of(each)}
                for each in failed[:_TOLD]
            ],
            "last_success_at": when(success),
            "target_read_completely": complete,
        }
        return Breach(
            latest,
            f"At least {self._times} exports of snapshot {shown(name or source)} failed, and none succeeded since.",
            evidence,
            resource=Resource(source, latest.source.resource_type, name),
            remediation=aws(latest, "lightsail get-operations-for-resource", resource_name=name),
        )
