"""Pages of instances: what Cloud Custodian reads of Lightsail, as like the pages of records as instances can be.

Each is the instance that a record's snapshot was taken of, as old and with the same disks; it is stopped where the
record failed. So as many of them break a policy, and a page is as long as one of records, to a few in a hundred: an
instance has no open ports here.
"""

from __future__ import annotations

import json
from typing import Any

from bench.estate import page_token, record


def instances_body(page: int, pages: int, instances: int) -> bytes:
    """Return one page as GetInstances would answer it."""
    first = (page - 1) * instances
    body: dict[str, Any] = {
        "instances": [_instance(first + at, record(first + at, at, instances)) for at in range(instances)]
    }
    if page < pages:
        body["nextPageToken"] = page_token(page + 1)
    return json.dumps(body, separators=(",", ":")).encode()


def _instance(number: int, told: dict[str, Any]) -> dict[str, Any]:
    source = told["sourceInfo"]
    stopped = told["state"] == "Failed"
    # The shape of an Instance in the Lightsail API reference.
    return {
        "name": source["fromResourceName"],
        "arn": source["fromResourceArn"],
        "supportCode": "6EXAMPLE3362/i-0EXAMPLEee1f2d0d3",
        "createdAt": source["createdAt"],
        "location": {"availabilityZone": "us-west-2a", "regionName": "us-west-2"},
        "resourceType": "Instance",
        "tags": [],
        "blueprintId": source["instanceSnapshotInfo"]["fromBlueprintId"],
        "blueprintName": "WordPress",
        "bundleId": source["instanceSnapshotInfo"]["fromBundleId"],
        "isStaticIp": False,
        "privateIpAddress": f"172.26.{number // 250 % 250}.{number % 250}",
        "publicIpAddress": f"192.0.2.{number % 250}",
        "ipv6Addresses": [f"2001:db8::{number:x}"],
        "ipAddressType": "dualstack",
        "hardware": {
            "cpuCount": 1,
            "disks": source["instanceSnapshotInfo"]["fromDiskInfo"],
            "ramSizeInGb": 0.5,
        },
        "networking": {"monthlyTransfer": {"gbPerMonthAllocated": 1024}, "ports": []},
        "state": {"code": 80, "name": "stopped"} if stopped else {"code": 16, "name": "running"},
        "username": "bitnami",
        "sshKeyName": "LightsailDefaultKeyPair",
    }
