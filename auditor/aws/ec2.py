"""What EC2 says of images, snapshots and volumes → the model's values; members by the names of its XML."""

from __future__ import annotations

from typing import Any

from auditor.model import Image, Snapshot, Volume, epoch

_LONG = 2**63
"""EC2's numbers are below this, and so is what can be reckoned with them."""
_BOOLEANS = {"true": True, "false": False}


def image(raw: Any) -> Image | None:
    """Return the image, or None where that is no image: it has no id."""
    if (own := _text(raw, "imageId")) is None:
        return None
    devices = raw.get("blockDeviceMapping")
    backing = (device.get("ebs") for device in devices or () if isinstance(device, dict))
    return Image(
        id=own,
        name=_text(raw, "name"),
        public=_boolean(raw, "isPublic"),
        created=epoch(raw.get("creationDate")),
        last_launched=epoch(raw.get("lastLaunchedTime")),
        snapshot_ids=tuple(found for ebs in backing if (found := _text(ebs, "snapshotId"))),
        state=_text(raw, "imageState"),
    )


def snapshot(raw: Any, public: frozenset[str] | None = None) -> Snapshot | None:
    """Return the snapshot, or None where that is none: it has no id.

    :param public: the ids of the public ones; None where that is not known.
    """
    if (own := _text(raw, "snapshotId")) is None:
        return None
    return Snapshot(
        id=own,
        encrypted=_boolean(raw, "encrypted"),
        public=None if public is None else own in public,
        started=epoch(raw.get("startTime")),
        volume_gb=_number(raw, "volumeSize"),
        full_bytes=_number(raw, "fullSnapshotSizeInBytes"),
        tier=_text(raw, "storageTier"),
        state=_text(raw, "status"),
    )


def volume(raw: Any) -> Volume | None:
    """Return the volume, or None where that is none: it does not say what it was made from."""
    own, origin = _text(raw, "volumeId"), _text(raw, "snapshotId")
    return Volume(own, origin) if own and origin else None


def permitted(raw: Any) -> str:
    """Return whom a permission is given to: `all`, an account's id, or the ARN of an organisation or unit of one.

    `unknown` where EC2 names somebody of a kind that is none of these: it is given all the same.
    """
    for key in ("group", "userId", "organizationArn", "organizationalUnitArn"):
        if found := _text(raw, key):
            return found
    return "unknown"


def _text(raw: Any, key: str) -> str | None:
    value = raw.get(key) if isinstance(raw, dict) else None
    return value if isinstance(value, str) and value else None


def _boolean(raw: Any, key: str) -> bool | None:
    return _BOOLEANS.get(_text(raw, key) or "")


def _number(raw: Any, key: str) -> float | None:
    try:
        value = float(_text(raw, key) or "")
    except ValueError:
        return None
    return value if 0 <= value < _LONG else None
