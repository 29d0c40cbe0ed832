"""What became of the benchmark's records: EC2's answers by id, and Lightsail's lists, baked before anyone asks.

Each succeeded export has its image, the image its one snapshot; every tenth snapshot a volume, so that nothing but
the one unencrypted snapshot of each page breaks a policy. Shapes and lengths are those of the examples in the EC2
and Lightsail API references.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from bench import answers
from bench.estate import image_id, record, snapshot_id

if TYPE_CHECKING:
    from collections.abc import Iterable

LISTS = ("getoperations", "getcloudformationstackrecords", "getinstancesnapshots", "getdisksnapshots")
"""The lists that Lightsail has beside the records, as the header of a request names them in lower case."""

_JSON = "application/x-amz-json-1.1"
_ID = re.compile(rb"=((?:ami|snap)-[0-9a-f]{17})")
_OPERATION = re.compile(rb"Action=Describe(Images|Snapshots|Volumes)&")
_PAGE = 50
"""Entries on a page of Lightsail's lists."""

_IMAGE = """<item><imageId>{image}</imageId><imageLocation>111122223333/{name}</imageLocation>\
<imageState>available</imageState><imageOwnerId>111122223333</imageOwnerId><creationDate>{created}</creationDate>\
<isPublic>false</isPublic><architecture>x86_64</architecture><imageType>machine</imageType>\
<sriovNetSupport>simple</sriovNetSupport><name>{name}</name><description>Exported from Lightsail: {name}</description>\
<rootDeviceType>ebs</rootDeviceType><rootDeviceName>/dev/sda1</rootDeviceName><blockDeviceMapping><item>\
<deviceName>/dev/sda1</deviceName><ebs><snapshotId>{snapshot}</snapshotId><volumeSize>20</volumeSize>\
<deleteOnTermination>true</deleteOnTermination><volumeType>gp2</volumeType><encrypted>{encrypted}</encrypted></ebs>\
</item></blockDeviceMapping><virtualizationType>hvm</virtualizationType><tagSet><item><key>created-by</key>\
<value>lightsail</value></item></tagSet><hypervisor>xen</hypervisor><enaSupport>true</enaSupport>\
<platformDetails>Linux/UNIX</platformDetails><usageOperation>RunInstances</usageOperation>\
<bootMode>legacy-bios</bootMode></item>"""
_SNAPSHOT = """<item><snapshotId>{snapshot}</snapshotId><volumeId>vol-{number:017x}</volumeId>\
<status>completed</status><startTime>{created}</startTime><progress>100%</progress><ownerId>111122223333</ownerId>\
<volumeSize>20</volumeSize><description>Created by Lightsail for {image}</description><encrypted>{encrypted}</encrypted>\
<storageTier>standard</storageTier><fullSnapshotSizeInBytes>2147483648</fullSnapshotSizeInBytes></item>"""
_VOLUME = """<item><volumeId>vol-{number:016x}f</volumeId><size>20</size><snapshotId>{snapshot}</snapshotId>\
<availabilityZone>us-west-2a</availabilityZone><status>in-use</status><createTime>{created}</createTime>\
<attachmentSet><item><volumeId>vol-{number:016x}f</volumeId><instanceId>i-{number:017x}</instanceId>\
<device>/dev/sda1</device><status>attached</status><attachTime>{created}</attachTime>\
<deleteOnTermination>true</deleteOnTermination></item></attachmentSet><volumeType>gp2</volumeType></item>"""
_ANSWER = """<?xml version="1.0" encoding="UTF-8"?>
<Describe{kind}Response xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>bench</requestId>\
<{members}>{items}</{members}></Describe{kind}Response>"""
_MEMBERS = {"Images": "imagesSet", "Snapshots": "snapshotSet", "Volumes": "volumeSet"}


class Copies:
    """The answers for one workload: `pages` of `records` a target."""

    def __init__(self, pages: int, records: int) -> None:
        # Younger than any age that a policy minds.
        created = (datetime.now(UTC) - timedelta(days=5)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        raw = [record(number, number % records, records) for number in range(pages * records)]
        self._items: dict[str, dict[bytes, str]] = {"Images": {}, "Snapshots": {}, "Volumes": {}}
        for number, told in enumerate(raw):
            if "destinationInfo" in told:
                self._add(number, told, created, encrypted=number % records != records - 1)
        self._lists = {
            "getoperations": _pages("operations", (_operation(told) for told in raw if _failed(told))),
            "getcloudformationstackrecords": _pages("cloudFormationStackRecords", ()),
            "getinstancesnapshots": _pages("instanceSnapshots", map(_source, raw)),
            "getdisksnapshots": _pages("diskSnapshots", ()),
        }

    def _add(self, number: int, told: dict[str, Any], created: str, *, encrypted: bool) -> None:
        image, snapshot = image_id(number), snapshot_id(number)
        filled = {
            "number": number,
            "image": image,
            "snapshot": snapshot,
            "name": told["sourceInfo"]["name"],
            "created": created,
            "encrypted": str(encrypted).lower(),
        }
        self._items["Images"][image.encode()] = _IMAGE.format(**filled)
        self._items["Snapshots"][snapshot.encode()] = _SNAPSHOT.format(**filled)
        if number % 10 == 0:
            self._items["Volumes"][snapshot.encode()] = _VOLUME.format(**filled)

    def listed(self, operation: str, body: bytes) -> bytes:
        """Return the page of a list that a request's token asks for."""
        token = json.loads(body).get("pageToken") if body else None
        return self._lists[operation].get(token, answers.UNKNOWN)

    def described(self, form: bytes) -> bytes | None:
        """Return what EC2 has of the ids that a request filters by, or None where it asks for something else."""
        matched = _OPERATION.search(form)
        if matched is None:
            return None
        kind = matched[1].decode()
        held = self._items[kind]
        items = "".join(held[own] for own in _ID.findall(form) if own in held)
        body = _ANSWER.format(kind=kind, members=_MEMBERS[kind], items=items)
        return answers.http(body.encode(), "text/xml;charset=UTF-8")


def _failed(told: dict[str, Any]) -> bool:
    return bool(told["state"] == "Failed")


def _operation(told: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": told["name"].removeprefix("ExportSnapshotRecord-"),
        "resourceName": told["name"],
        "resourceType": "ExportSnapshotRecord",
        "createdAt": told["createdAt"],
        "location": told["location"],
        "isTerminal": True,
        "operationDetails": told["sourceInfo"]["name"],
        "operationType": "ExportSnapshot",
        "status": "Failed",
        "statusChangedAt": told["createdAt"] + 60,
        "errorCode": "InternalFailure",
        "errorDetails": "The snapshot could not be exported.",
    }


def _source(told: dict[str, Any]) -> dict[str, Any]:
    source = told["sourceInfo"]
    return {
        "name": source["name"],
        "arn": source["arn"],
        "supportCode": "6EXAMPLE3362/snap-0EXAMPLEee1f2d0d3",
        "createdAt": source["createdAt"],
        "location": told["location"],
        "resourceType": "InstanceSnapshot",
        "tags": [],
        "state": "available",
        "fromAttachedDisks": [],
        "fromInstanceName": source["fromResourceName"],
        "fromInstanceArn": source["fromResourceArn"],
        "fromBlueprintId": "wordpress_4_9_8",
        "fromBundleId": "nano_2_0",
        "isFromAutoSnapshot": False,
        "sizeInGb": 20,
    }


def _pages(key: str, entries: Iterable[dict[str, Any]]) -> dict[str | None, bytes]:
    """Return the pages of a list by the tokens that ask for them."""
    told = list(entries)
    starts = range(0, max(len(told), 1), _PAGE)
    pages: dict[str | None, bytes] = {}
    for start in starts:
        body: dict[str, Any] = {key: told[start : start + _PAGE]}
        if start + _PAGE < len(told):
            body["nextPageToken"] = f"bench-{start + _PAGE}"
        token = f"bench-{start}" if start else None
        pages[token] = answers.http(json.dumps(body, separators=(",", ":")).encode(), _JSON)
    return pages
