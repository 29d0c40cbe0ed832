"""An exported image or snapshot that strangers can use.

Why
    An export is a whole disk: keys, databases and what was deleted but not
    overwritten. Anyone who may launch the image, or make a volume of one of
    its snapshots, can read all of it, in an account where nobody sees it.

What it finds
    Exports whose copy in EC2 is public: the image, or any of its snapshots, or
    the snapshot that a disk became. With `sharing: true` also those that are
    shared with an account, an organisation or an organisational unit that is
    neither allowed here nor one of the accounts that the configuration names or
    the organisation has. What is not there (yet, or any more) is not shared.

Settings
    `sharing` (false): look at the sharing with named accounts too. EC2 tells
    that of one image or snapshot at a time, so this costs a call for each one
    of them; without it nothing is said of such sharing, and only what is public
    is found.
    `allowed_accounts` (none): ids of further accounts that may be shared with,
    each text of twelve digits.
    `allowed_organizations` (none): ARNs of organisations and organisational
    units that may be shared with.
    `severity` (critical)

What to do
    Take the permission away with the command of the finding, then find out who
    used the copy: CloudTrail tells only of your own accounts. Treat the secrets
    on a disk that was public as known to others.

Examples
    Breaks it: everybody can launch the image::

        {"record": {"state": "Succeeded", "destinationInfo": {"id": "ami-1"}},
         "facts": {"image": {"public": true},
                   "snapshots": [{"public": false}]}}

    Breaks it: everybody can make a volume of one of its snapshots::

        {"record": {"state": "Succeeded", "destinationInfo": {"id": "ami-1"}},
         "facts": {"image": {"public": false},
                   "snapshots": [{"public": false}, {"public": true}]}}

    Breaks it: it is shared with a stranger::

        {"settings": {"sharing": true, "allowed_accounts": ["111122223333"]}}
        {"record": {"state": "Succeeded", "destinationInfo": {"id": "ami-1"}},
         "facts": {"image": {"public": false},
                   "snapshots": [{"public": false}],
                   "shared_with": ["111122223333", "999988887777"]}}

    Keeps it: private::

        {"record": {"state": "Succeeded", "destinationInfo": {"id": "ami-1"}},
         "facts": {"image": {"public": false},
                   "snapshots": [{"public": false}]}}

    Keeps it: shared with those who are allowed::

        {"settings": {"sharing": true, "allowed_accounts": ["111122223333"]}}
        {"record": {"state": "Succeeded", "destinationInfo": {"id": "snap-1"}},
         "facts": {"image": null, "snapshots": [{"public": false}],
                   "shared_with": ["111122223333"]}}

    Keeps it: the copy is gone::

        {"record": {"state": "Succeeded", "destinationInfo": {"id": "ami-1"}},
         "facts": {"image": null, "snapshots": null}}

    Can't be judged: nobody could look at its snapshots::

        {"record": {"state": "Succeeded", "destinationInfo": {"id": "ami-1"}},
         "facts": {"image": {"public": false}}}

    Can't be judged: EC2 did not say::

        {"record": {"state": "Succeeded", "destinationInfo": {"id": "ami-1"}},
         "facts": {"image": {}, "snapshots": [{"public": false}]}}
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from auditor.config import PolicySettings
from auditor.errors import UnusableField
from auditor.model import (
    IMAGE_PERMISSIONS,
    SNAPSHOT_PERMISSIONS,
    Control,
    ExportRecord,
    Known,
    Severity,
    known,
)
from auditor.policies.commands import all_of, aws
from auditor.policies.contract import Breach, RecordPolicy
from auditor.policies.copies import COPIES, image_id, name_of_copy, snapshot_ids, snapshots_there

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

AccountId = Annotated[str, Field(pattern=r"^[0-9]{12}$")]
OrganizationArn = Annotated[
    str, Field(pattern=r"^arn:aws[a-z-]*:organizations::[0-9]{12}:(organization|ou)/[A-Za-z0-9/-]+$")
]

_EVERYBODY = "all"
_ACCOUNT = re.compile(r"[0-9]{12}")
_ORGANIZATION = re.compile(r"arn:[a-z-]+:organizations::[0-9]{12}:organization/[A-Za-z0-9-]+")
_UNIT = re.compile(r"arn:[a-z-]+:organizations::[0-9]{12}:ou/[A-Za-z0-9/-]+")


class Settings(PolicySettings):
    """What the configuration may set."""

    severity: Severity = Severity.CRITICAL
    sharing: bool = False
    # Not strict, or pydantic would refuse a list for a tuple; what stands in it is as strict as all else.
    allowed_accounts: Annotated[tuple[AccountId, ...], Field(strict=False)] = ()
    allowed_organizations: Annotated[tuple[OrganizationArn, ...], Field(strict=False)] = ()


class Policy(RecordPolicy[Settings]):
    """Open to strangers."""

    sources = COPIES
    settings_type = Settings
    remediation = (
        "Take the launch permission of the image and the create-volume permission of its snapshots away "
        "from everybody who is not allowed, and treat the secrets on them as known to others."
    )
    controls = (
        Control("AWS FSBP", "EC2.1", "direct"),
        Control("AWS Config", "EBS_SNAPSHOT_PUBLIC_RESTORABLE_CHECK", "direct"),
        *(Control("NIST SP 800-53 r5", id_, "vendor") for id_ in ("AC-3", "AC-4", "AC-6", "AC-21", "SC-7")),
        Control("SOC 2", "CC6.6", "vendor"),
        Control("ISO/IEC 27001:2022", "A.8.1", "vendor"),
    )

    def __init__(self, settings: Settings, now: datetime, own_accounts: frozenset[str] = frozenset()) -> None:
        super().__init__(settings, now, own_accounts)
        self._allowed = own_accounts.union(settings.allowed_accounts, settings.allowed_organizations)

    @classmethod
    def needs(cls, settings: Settings) -> frozenset[str]:
        """Return the sources: those of the sharing only where it is looked at."""
        return COPIES | {IMAGE_PERMISSIONS, SNAPSHOT_PERMISSIONS} if settings.sharing else COPIES

    def judge(self, record: ExportRecord) -> Breach | None:
        """Return what is open to whom; what is known to be open is found, whatever else is not known."""
        facts = record.facts
        image = facts.image.value if isinstance(facts.image, Known) else None
        snapshots = facts.snapshots.value if isinstance(facts.snapshots, Known) else ()
        public_image = image is not None and image.public is True
        public = [each.id for each in snapshots if each.public]
        strangers: list[str] = []
        if self.settings.sharing and isinstance(facts.shared_with, Known):
            strangers = sorted(facts.shared_with.value - self._allowed)
        if public_image or public or strangers:
            return self._breach(record, public, strangers, public_image=public_image)
        self._must_be_known(record)
        return None

    def _must_be_known(self, record: ExportRecord) -> None:
        """Refuse to call private what nobody could look at."""
        image = known(record.facts.image)
        if image is not None and image.public is None:
            raise UnusableField("imageAttribute.isPublic")
        if any(each.public is None for each in snapshots_there(record)):
            raise UnusableField("createVolumePermission")
        if self.settings.sharing:
            known(record.facts.shared_with)

    def _breach(
        self, record: ExportRecord, public: list[str], strangers: list[str], *, public_image: bool
    ) -> Breach:
        everybody = public_image or public or _EVERYBODY in strangers
        how = "is public" if everybody else "is shared with accounts that are not allowed"
        evidence = {
            "public_image_id": image_id(record) if public_image else None,
            "public_snapshot_ids": public,
            "shared_with": strangers,
            "sharing_looked_at": self.settings.sharing,
        }
        return Breach(
            record,
            f"{name_of_copy(record)} {how}.",
            evidence,
            remediation=all_of(_closing(record, public, strangers, public_image=public_image)),
        )


def _closing(
    record: ExportRecord, public: list[str], strangers: list[str], *, public_image: bool
) -> Iterator[str | None]:
    """Yield the commands that take the permissions away; EC2 takes it well where one was not given."""
    named = [each for each in strangers if each != _EVERYBODY]
    from_all = _EVERYBODY in strangers
    image = image_id(record)
    if image is not None and (public_image or strangers):
        removed = [_grantee(each) for each in named]
        if public_image or from_all:
            removed.insert(0, "{Group=all}")
        yield _modify_image(record, image, removed)
    accounts = [each for each in named if _ACCOUNT.fullmatch(each)]
    for snapshot in snapshot_ids(record):
        if snapshot in public or from_all:
            yield _modify_snapshot(record, snapshot, {"group_names": "all"})
        for account in accounts:
            yield _modify_snapshot(record, snapshot, {"user_ids": account})


def _modify_image(record: ExportRecord, image: str, removed: list[str | None]) -> str | None:
    told = [each for each in removed if each is not None]
    if len(told) < len(removed):
        return None  # one of them is of no kind that the command has a word for
    permission = f"Remove=[{','.join(told)}]"
    return aws(record, "ec2 modify-image-attribute", image_id=image, launch_permission=permission)


def _modify_snapshot(record: ExportRecord, snapshot: str, removed: dict[str, str]) -> str | None:
    return aws(
        record,
        "ec2 modify-snapshot-attribute",
        snapshot_id=snapshot,
        attribute="createVolumePermission",
        operation_type="remove",
        **removed,
    )


def _grantee(stranger: str) -> str | None:
    """Return how a launch permission names this stranger."""
    if _ACCOUNT.fullmatch(stranger):
        return f"{{UserId={stranger}}}"
    if _ORGANIZATION.fullmatch(stranger):
        return f"{{OrganizationArn={stranger}}}"
    if _UNIT.fullmatch(stranger):
        return f"{{OrganizationalUnitArn={stranger}}}"
    return None
