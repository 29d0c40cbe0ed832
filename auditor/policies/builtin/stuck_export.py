"""An export to EC2 that started, and never came to an end.

Why
    AWS documents no time that an export takes, and reports none that hangs.
    One that has not ended in a day will hardly end: the copy does not exist,
    and whoever waits for it is not told.

What it finds
    Records in state Started that are older than `max_age`.

Settings
    `max_age` (24h): an age of exactly this is allowed.
    `severity` (medium)

What to do
    Look the operation up in Lightsail, start the export again, and open a case
    with AWS if that hangs too.

Examples
    Breaks it::

        {"state": "Started", "createdAt": "25h ago"}

    Keeps it: it is young::

        {"state": "Started", "createdAt": "23h ago"}

    Keeps it: it has ended::

        {"state": "Succeeded", "createdAt": "25h ago"}

    Can't be judged: how old is it? ::

        {"state": "Started"}

    Can't be judged: has it ended? ::

        {"createdAt": "25h ago"}
"""

from __future__ import annotations

from datetime import timedelta

from auditor.config import Duration, PolicySettings, format_duration
from auditor.model import Control, ExportRecord, Severity, rfc3339, shown
from auditor.policies.contract import Breach, RecordPolicy


class Settings(PolicySettings):
    """What the configuration may set."""

    severity: Severity = Severity.MEDIUM
    max_age: Duration = timedelta(hours=24)


class Policy(RecordPolicy[Settings]):
    """Started and never ended."""

    settings_type = Settings
    remediation = "Look the operation up in Lightsail and start the export again; open a case with AWS if that hangs too."
    controls = (Control("NIST SP 800-53 r5", "SI-12", "organisational"),)

    def judge(self, record: ExportRecord) -> Breach | None:
        """Return how long it may take, where it has taken longer."""
        if record.state != "Started" or self.now - record.created_at <= self.settings.max_age:
            return None
        name = record.source.name or record.name or "a snapshot"
        evidence = {
            "state": record.state,
            "created_at": rfc3339(record.created_at),
            "max_age": format_duration(self.settings.max_age),
        }
        return Breach(record, f"The export of {shown(name)} started and has not ended.", evidence)
