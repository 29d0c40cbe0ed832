"""The floor: no AWS client at all, only aiohttp, botocore's signature and orjson, on the same pages.

`python -m bench.floor URL ACCOUNTS REGIONS [joined]`. One connection pool, one role assumed an account, as many requests in
flight as the audit has. No retries, no checks, no policies: nothing that reads these pages in Python costs much less.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from typing import Any
from urllib.parse import urlencode

import aiohttp
import orjson
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from bench import floor_copies, script

_PAGE_HEADERS = {
    "Content-Type": "application/x-amz-json-1.1",
    "X-Amz-Target": "Lightsail_20161128.GetExportSnapshotRecords",
}
_FORM_HEADERS = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
_CREDENTIALS = re.compile(
    r"<AccessKeyId>(.*?)</AccessKeyId>.*<SecretAccessKey>(.*?)</SecretAccessKey>.*<SessionToken>(.*?)</SessionToken>",
    re.DOTALL,
)


class Floor:
    """The exchange and nothing else."""

    def __init__(self, http: aiohttp.ClientSession, plan: script.Plan, *, joined: bool) -> None:
        self._http = http
        self._joined = joined
        self._url = plan.url + "/"
        self._targets = plan.targets()
        self._base = Credentials(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])
        self._roles: dict[str, asyncio.Task[Credentials]] = {}
        self.pages = 0
        self.records = 0

    async def work(self) -> None:
        """Read targets until none is left."""
        for account, region in self._targets:
            # One flight an account, for every worker that comes to it.
            if account not in self._roles:
                self._roles[account] = asyncio.create_task(self._assume(account))
            credentials = await self._roles[account]
            signer = SigV4Auth(credentials, "lightsail", region)
            images: list[str] = []
            body = b"{}"
            while True:
                page: dict[str, Any] = orjson.loads(await self._post(signer, _PAGE_HEADERS, body))
                self.pages += 1
                self.records += len(page["exportSnapshotRecords"])
                if self._joined:
                    images += [
                        each["destinationInfo"]["id"]
                        for each in page["exportSnapshotRecords"]
                        if "destinationInfo" in each
                    ]
                token = page.get("nextPageToken")
                if token is None:
                    break
                body = orjson.dumps({"pageToken": token})
            if self._joined:
                await floor_copies.read(self._post, credentials, region, images)

    async def _assume(self, account: str) -> Credentials:
        form = {
            "Action": "AssumeRole",
            "Version": "2011-06-15",
            "RoleArn": script.role_arn(account),
            "RoleSessionName": script.SESSION_NAME,
            "ExternalId": script.EXTERNAL_ID,
        }
        signer = SigV4Auth(self._base, "sts", "us-east-1")
        answer = await self._post(signer, _FORM_HEADERS, urlencode(form).encode())
        matched = _CREDENTIALS.search(answer.decode())
        if matched is None:
            raise RuntimeError("STS gave no credentials")
        return Credentials(*matched.groups())

    async def _post(self, signer: SigV4Auth, headers: dict[str, str], body: bytes) -> bytes:
        request = AWSRequest("POST", self._url, headers=headers, data=body)
        signer.add_auth(request)
        async with self._http.post(self._url, data=body, headers=dict(request.headers.items())) as response:
            response.raise_for_status()
            return await response.read()


async def main() -> None:
    """Read every page of the plan."""
    plan = script.plan()
    connector = aiohttp.TCPConnector(limit=script.CONCURRENCY)
    async with aiohttp.ClientSession(connector=connector) as http, asyncio.TaskGroup() as tasks:
        floor = Floor(http, plan, joined=sys.argv[4:] == ["joined"])
        for _ in range(script.CONCURRENCY):
            tasks.create_task(floor.work())
    script.tell(floor.pages, floor.records)


if __name__ == "__main__":
    asyncio.run(main())
