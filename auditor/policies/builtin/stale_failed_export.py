"""An export to EC2 that failed, and that nobody ran again.

Why
    A failed export says so nowhere but in its record. Whoever started it may
    believe to this day that a copy stands in EC2: as the backup, the migration
    or the evidence that it was made for.

What it finds
    Records in state Failed that are older than `max_age`, unless an export of
    the same snapshot succeeded later in the same account and Region. No call
    can delete a failed record, so a success is what ends the finding. A failed
    record that does not say what it exported is always found: nothing can show
    that it was made good. Where Lightsail still keeps the operation, the
    evidence has AWS's reason of the failure; without it the finding stands.

Settings
    `max_age` (3d): an age of exactly this is allowed.
    `ignore_after` (off): a failure older than this is no longer found. Longer
    than `max_age`.
    `reasons` (true): whether AWS's reason for a failure is looked up, in the
    operations that Lightsail still keeps, for the evidence.
    `severity` (high)

What to do
    Export the snapshot again, or write down that it is not needed and set
    `ignore_after`.

Examples
    Breaks it::

        {"state": "Failed", "createdAt": "4d ago",
         "sourceInfo": {"arn": "arn:of-it"}}

    Breaks it: a success before the failure says nothing of it::

        {"state": "Succeeded", "createdAt": "5d ago",
         "sourceInfo": {"arn": "arn:of-it"}}
        {"state": "Failed", "createdAt": "4d ago",
         "sourceInfo": {"arn": "arn:of-it"}}

    Breaks it: AWS said why::

        {"record": {"state": "Failed", "createdAt": "4d ago",
                    "sourceInfo": {"arn": "arn:of-it"}},
         "facts": {"operation": {"error_code": "ResourceLimitExceeded",
                                 "error_details": "Too many snapshots"}}}

    Breaks it: nothing says what was exported::

        {"state": "Failed", "createdAt": "4d ago"}

    Keeps it: it is young::

        {"state": "Failed", "createdAt": "2d ago",
         "sourceInfo": {"arn": "arn:of-it"}}

    Keeps it: it was exported again::

        {"state": "Failed", "createdAt": "4d ago",
         "sourceInfo": {"arn": "arn:of-it"}}
        {"state": "Succeeded", "createdAt": "1d ago",
         "sourceInfo": {"arn": "arn:of-it"}}

    Can't be judged: how old is it? ::

        {"state": "Failed", "sourceInfo": {"arn": "arn:of-it"}}
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Self

from pydantic import model_validator

from auditor.config import Duration, PolicySettings, format_duration
from auditor.errors import UnusableField
from auditor.model import OPERATIONS, Control, ExportRecord, Severity, rfc3339, shown
from auditor.policies.contract import Breach, Judgement, TargetPolicy
from auditor.policies.reasons import reason_of

if TYPE_CHECKING:
    from collections.abc import Iterator


class Settings(PolicySettings):
    """What the configuration may set."""

    severity: Severity = Severity.HIGH
    max_age: Duration = timedelta(days=3)
    ignore_after: Duration | None = None
    reasons: bool = True

    @model_validator(mode="after")
    def _window_is_open(self) -> Self:
        if self.ignore_after is not None and self.ignore_after <= self.max_age:
            raise ValueError("ignore_after must be longer than max_age, or nothing is ever found")
        return self


class Policy(TargetPolicy[Settings]):
    """Failed and left."""

    # For the evidence alone: nothing is unjudged for want of it.
    sources = frozenset({OPERATIONS})
    settings_type = Settings
    remediation = "Export the snapshot again; a later success ends this finding. If the copy is not needed, set ignore_after."
    controls = (
        Control("NIST SP 800-53 r5", "CM-8", "organisational"),
        Control("NIST SP 800-53 r5", "SI-12", "organisational"),
    )

    @classmethod
    def needs(cls, settings: Settings) -> frozenset[str]:
        """Return the source: none where no reason is asked for."""
        return cls.sources if settings.reasons else frozenset()

    def begin(self) -> Judgement:
        """Return the judgement of one target."""
        return _Failures(self.settings, self.now)


class _Failures(Judgement):
    """The old failures of one target, and when each snapshot was last exported."""

    def __init__(self, settings: Settings, now: datetime) -> None:
        self._settings = settings
        self._now = now.timestamp()
        self._max_age = settings.max_age.total_seconds()
        self._ignore_after = settings.ignore_after.total_seconds() if settings.ignore_after else math.inf
        self._failed: list[ExportRecord] = []
        self._succeeded: dict[str, float] = {}
        """The latest success of each snapshot, in seconds since the epoch."""

    def see(self, record: ExportRecord) -> None:
        state = record.state
        if state == "Succeeded":
            self._note_success(record)
        elif state == "Failed":
            age = self._now - record.created
            if self._max_age < age <= self._ignore_after:
                self._failed.append(record)

    def _note_success(self, record: ExportRecord) -> None:
        source = record.source_arn
        if source is None:
            return
        try:
            created = record.created
        except UnusableField:
            return  # a success at no known time makes no failure good, and breaks nothing itself
        known = self._succeeded.get(source)
        if known is None or known < created:
            self._succeeded[source] = created

    def conclude(self, *, complete: bool) -> Iterator[Breach]:
        for record in self._failed:
            success = self._succeeded.get(record.source_arn or "")
            if success is None or success <= record.created:
                yield self._breach(record, success, complete=complete)

    def _breach(self, record: ExportRecord, success: float | None, *, complete: bool) -> Breach:
        name = record.source.name or record.source.arn
        what = "a snapshot that it does not name" if name is None else f"snapshot {shown(name)}"
        evidence = {
            "state": record.state,
            "created_at": rfc3339(record.created_at),
            "source_snapshot_arn": record.source.arn,
            "reason": reason_of(record),
            "last_success_at": None if success is None else rfc3339(datetime.fromtimestamp(success, UTC)),
            "max_age": format_duration(self._settings.max_age),
            "target_read_completely": complete,
        }
        return Breach(record, f"The export of {what} failed, and none succeeded since.", evidence)
