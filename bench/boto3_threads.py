"""boto3 as scripts use it: 50 threads, a client for each account and Region.

`python -m bench.boto3_threads URL ACCOUNTS REGIONS`. The cheaper of the usual ways: one session for all, which loads
the service models once (a session for each target costs seven times as much). Sessions are not safe among threads,
clients are: so clients are made under a lock, as boto3's guide on threads has it.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3  # type: ignore[import-untyped]  # it has no types of its own

from bench import script

_THREADS = 50


class Reader:
    """Reads targets, each through a client of its own."""

    def __init__(self) -> None:
        self._session = boto3.Session()
        self._making = threading.Lock()
        self._sts = self._session.client("sts")

    def assume(self, account: str) -> dict[str, Any]:
        """Return an account's credentials."""
        answer = self._sts.assume_role(
            RoleArn=script.role_arn(account),
            RoleSessionName=script.SESSION_NAME,
            ExternalId=script.EXTERNAL_ID,
        )
        credentials: dict[str, Any] = answer["Credentials"]
        return credentials

    def read(self, role: dict[str, Any], region: str) -> tuple[int, int]:
        """Return how many pages and records a target has."""
        with self._making:
            client = self._session.client(
                "lightsail",
                region_name=region,
                aws_access_key_id=role["AccessKeyId"],
                aws_secret_access_key=role["SecretAccessKey"],
                aws_session_token=role["SessionToken"],
            )
        pages = records = 0
        for page in client.get_paginator("get_export_snapshot_records").paginate():
            pages += 1
            records += len(page["exportSnapshotRecords"])
        client.close()
        return pages, records


def main() -> None:
    """Read every page of the plan."""
    plan = script.plan()
    reader = Reader()
    with ThreadPoolExecutor(_THREADS) as pool:
        accounts = list(dict.fromkeys(account for account, _ in plan.targets()))
        roles = dict(zip(accounts, pool.map(reader.assume, accounts), strict=True))
        read = list(pool.map(lambda target: reader.read(roles[target[0]], target[1]), plan.targets()))
    script.tell(sum(pages for pages, _ in read), sum(records for _, records in read))


if __name__ == "__main__":
    main()
