"""The floor of the joins: the requests that the audit makes for what became of the records, parsed and nothing else.

A hundred records of the benchmark cost it six: their images, the public snapshots, the snapshots of the images, and
the lists of operations and of instances' snapshots.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus
from xml.etree import ElementTree as ET

import orjson
from botocore.auth import SigV4Auth

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from botocore.credentials import Credentials

    Post = Callable[[SigV4Auth, dict[str, str], bytes], Awaitable[bytes]]

_FORM_HEADERS = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
_EC2 = "{http://ec2.amazonaws.com/doc/2016-11-15/}"
_IDS_AT_ONCE = 200
_LISTS = {"GetOperations": "operations", "GetInstanceSnapshots": "instanceSnapshots"}


async def read(post: Post, credentials: Credentials, region: str, images: list[str]) -> None:
    """Look up what became of the records of one account and Region, where there are any."""
    if not images:
        return
    ec2 = SigV4Auth(credentials, "ec2", region)
    found = await _described(post, ec2, "DescribeImages", "Owner.1=self&Filter.1.Name=image-id", images)
    snapshots = [each.text or "" for answer in found for each in answer.iter(f"{_EC2}snapshotId")]
    await _described(post, ec2, "DescribeSnapshots", "Owner.1=self&RestorableBy.1=all", ())
    await _described(post, ec2, "DescribeSnapshots", "Owner.1=self&Filter.1.Name=snapshot-id", snapshots)
    for operation, key in _LISTS.items():
        await _listed(post, SigV4Auth(credentials, "lightsail", region), operation, key)


async def _described(
    post: Post, signer: SigV4Auth, action: str, what: str, ids: Iterable[str]
) -> list[ET.Element]:
    asked = list(ids)
    answers = []
    for start in range(0, max(len(asked), 1), _IDS_AT_ONCE):
        chunk = asked[start : start + _IDS_AT_ONCE]
        values = "".join(f"&Filter.1.Value.{at}={quote_plus(own)}" for at, own in enumerate(chunk, 1))
        body = f"Action={action}&Version=2016-11-15&{what}{values}".encode()
        answers.append(ET.fromstring(await post(signer, _FORM_HEADERS, body)))  # noqa: S314 -- our own server's
    return answers


async def _listed(post: Post, signer: SigV4Auth, operation: str, key: str) -> None:
    headers = {
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": f"Lightsail_20161128.{operation}",
    }
    body = b"{}"
    while True:
        page: dict[str, Any] = orjson.loads(await post(signer, headers, body))
        if not isinstance(page[key], list):
            raise TypeError(f"{operation} without {key}")
        if "nextPageToken" not in page:
            return
        body = orjson.dumps({"pageToken": page["nextPageToken"]})
