"""One call of a source, to learn whether it is allowed: as small as it can be, and nothing is made of its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio

from auditor.aws.clients import CALL_AS, CallAs
from auditor.aws.failures import CALL_ERRORS, call_failed
from auditor.aws.retrying import Retrying
from auditor.errors import CallFailed
from auditor.model import IMAGE_PERMISSIONS, IMAGES, SNAPSHOT_PERMISSIONS, SNAPSHOTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditor.aws.clients import Clients
    from auditor.aws.roles import Roles
    from auditor.aws.slots import Slot
    from auditor.aws.sources import Source
    from auditor.model import Target

_ARGUMENTS: Mapping[str, Mapping[str, Any]] = {
    IMAGES: {"Owners": ["self"]},
    SNAPSHOTS: {"OwnerIds": ["self"]},
    IMAGE_PERMISSIONS: {"Attribute": "launchPermission", "ImageId": "ami-00000000000000000"},
    SNAPSHOT_PERMISSIONS: {"Attribute": "createVolumePermission", "SnapshotId": "snap-00000000000000000"},
}
"""What a source has to be asked for, for it to be asked at all."""

_PROOFS = frozenset({"DryRunOperation"})
"""What EC2 answers to a dry run that would have been allowed (EC2 API reference, DescribeImages, DryRun)."""
_PROVEN_BY_NAME = ("InvalidAMIID.", "InvalidSnapshot.", "InvalidSnapshotID.")
"""How its refusals begin that speak of the id, and so come after that of the permission."""


async def probe(  # noqa: PLR0913 -- one of each thing that a source is called with
    clients: Clients, roles: Roles, source: Source, target: Target, *, slot: Slot, request_timeout: float
) -> None:
    """Call the source once, as the role of the target's account, in its Region.

    :param request_timeout: seconds.
    :raises CallFailed: where it does not answer.
    """
    credentials = await roles.credentials(target.account, slot)
    method = getattr(getattr(clients, source.service), source.method)
    asked: dict[str, Any] = {CALL_AS: CallAs(credentials, target.region), **_ARGUMENTS.get(source.id, {})}
    if source.service == "ec2":
        asked["DryRun"] = True

    async def once() -> dict[str, Any]:
        try:
            with anyio.fail_after(request_timeout):
                answer: dict[str, Any] = await method(**asked)
        except CALL_ERRORS as error:
            secrets = (target.account.external_id, *credentials.secrets, *clients.base_secrets)
            raise call_failed(error, secrets) from error
        return answer

    try:
        await Retrying(slot)(once)
    except CallFailed as failed:
        code = failed.failure.error_code or ""
        if code in _PROOFS or code.startswith(_PROVEN_BY_NAME):
            return
        raise
