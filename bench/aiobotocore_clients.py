"""aiobotocore as scripts use it: one session, a client for each account and Region, its own paginator.

`python -m bench.aiobotocore_clients URL ACCOUNTS REGIONS`. Not wasteful beyond that: the session, and with it the
service models, is shared, a role is assumed once an account, and no more clients are open than requests may be.
"""

from __future__ import annotations

import asyncio
from typing import Any

from aiobotocore.session import AioSession

from bench import script


class Reader:
    """Reads targets, each through a client of its own."""

    def __init__(self, session: AioSession, sts: Any, plan: script.Plan) -> None:
        self._session = session
        self._sts = sts
        self._targets = plan.targets()
        self._roles: dict[str, asyncio.Task[dict[str, Any]]] = {}
        self.pages = 0
        self.records = 0

    async def work(self) -> None:
        """Read targets until none is left."""
        for account, region in self._targets:
            if account not in self._roles:
                self._roles[account] = asyncio.create_task(self._assume(account))
            role = await self._roles[account]
            async with self._session.create_client(
                "lightsail",
                region_name=region,
                aws_access_key_id=role["AccessKeyId"],
                aws_secret_access_key=role["SecretAccessKey"],
                aws_session_token=role["SessionToken"],
            ) as client:
                async for page in client.get_paginator("get_export_snapshot_records").paginate():
                    self.pages += 1
                    self.records += len(page["exportSnapshotRecords"])

    async def _assume(self, account: str) -> dict[str, Any]:
        answer = await self._sts.assume_role(
            RoleArn=script.role_arn(account),
            RoleSessionName=script.SESSION_NAME,
            ExternalId=script.EXTERNAL_ID,
        )
        credentials: dict[str, Any] = answer["Credentials"]
        return credentials


async def main() -> None:
    """Read every page of the plan."""
    session = AioSession()
    async with session.create_client("sts") as sts, asyncio.TaskGroup() as tasks:
        reader = Reader(session, sts, script.plan())
        for _ in range(script.CONCURRENCY):
            tasks.create_task(reader.work())
    script.tell(reader.pages, reader.records)


if __name__ == "__main__":
    asyncio.run(main())
