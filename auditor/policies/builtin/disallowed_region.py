"""An export in a Region where there should be none.

Why
    Where data may lie is often a promise to customers or to the law. An export
    makes a copy in its Region's EC2, out of sight of those who look after
    Lightsail.

What it finds
    Exports in a Region that is not one of `allowed_regions`, whose copy is in
    EC2 or is being made. One that failed left nothing there, and one whose copy
    was deleted has been put right: no call can delete its record.

Settings
    `allowed_regions` (off): names such as `eu-central-1`. Without it, or with
    an empty list, every Region is allowed, and nothing is found.
    `severity` (high)

What to do
    Copy the image to an allowed Region if it is needed, and delete it here with
    the command of the finding. Look into the Lightsail source too: it lies in
    the same Region.

Examples
    Breaks it::

        {"settings": {"allowed_regions": ["eu-central-1"]}}
        {"record": {"state": "Succeeded", "destinationInfo": {"id": "ami-1"},
                    "location": {"regionName": "us-east-1"}},
         "facts": {"image": {}}}

    Breaks it: the copy is being made::

        {"settings": {"allowed_regions": ["eu-central-1"]}}
        {"state": "Started", "location": {"regionName": "us-east-1"}}

    Keeps it: it lies where it may::

        {"settings": {"allowed_regions": ["eu-central-1"]}}
        {"state": "Succeeded", "location": {"regionName": "eu-central-1"}}

    Keeps it: every Region is allowed::

        {"state": "Succeeded", "location": {"regionName": "us-east-1"}}

    Keeps it: the copy was deleted::

        {"settings": {"allowed_regions": ["eu-central-1"]}}
        {"record": {"state": "Succeeded", "destinationInfo": {"id": "ami-1"},
                    "location": {"regionName": "us-east-1"}},
         "facts": {"image": null, "snapshots": null}}

    Can't be judged: in which Region? ::

        {"settings": {"allowed_regions": ["eu-central-1"]}}
        {"record": {"state": "Succeeded", "destinationInfo": {"id": "ami-1"}},
         "facts": {"image": {}}}

    Can't be judged: is the copy there? ::

        {"settings": {"allowed_regions": ["eu-central-1"]}}
        {"state": "Succeeded", "destinationInfo": {"id": "ami-1"},
         "location": {"regionName": "us-east-1"}}
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from auditor.config import PolicySettings
from auditor.errors import UnusableField
from auditor.model import Control, ExportRecord, Severity, shown
from auditor.policies.commands import delete_copy
from auditor.policies.contract import Breach, RecordPolicy
from auditor.policies.copies import COPIES, image_id, is_there, snapshot_ids

if TYPE_CHECKING:
    from datetime import datetime

RegionName = Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]+$")]


class Settings(PolicySettings):
    """What the configuration may set."""

    severity: Severity = Severity.HIGH
    # Not strict, or pydantic would refuse a list for a tuple; what stands in it is as strict as all else.
    allowed_regions: Annotated[tuple[RegionName, ...], Field(strict=False)] | None = None


class Policy(RecordPolicy[Settings]):
    """In a Region that is not allowed."""

    sources = COPIES
    settings_type = Settings
    remediation = "Copy the image to an allowed Region if it is needed, and delete it in this one."
    controls = (
        Control("NIST SP 800-53 r5", "CM-8", "organisational"),
        Control("NIST SP 800-53 r5", "SI-12", "organisational"),
    )

    def __init__(self, settings: Settings, now: datetime, own_accounts: frozenset[str] = frozenset()) -> None:
        super().__init__(settings, now, own_accounts)
        self._allowed = frozenset(settings.allowed_regions or ())

    @classmethod
    def needs(cls, settings: Settings) -> frozenset[str]:
        """Return the sources: none where every Region is allowed."""
        return COPIES if settings.allowed_regions else frozenset()

    def judge(self, record: ExportRecord) -> Breach | None:
        """Return where it lies, where that is not allowed."""
        region = record.region
        if region is None:
            raise UnusableField("location.regionName")
        if not self._allowed or region in self._allowed:
            return None
        state = record.state
        if state != "Started" and not is_there(record):
            return None
        name = record.source.name or record.name or "a snapshot"
        evidence = {
            "region": region,
            "allowed_regions": sorted(self._allowed),
            "state": state,
            "image_id": image_id(record),
            "snapshot_ids": snapshot_ids(record),
        }
        message = f"The export of {shown(name)} lies in {shown(region)}, which is not allowed."
        return Breach(record, message, evidence, remediation=delete_copy(record))
