"""What has read a target is gone once nobody needs it: kept for the garbage collector it would cost a run 80 MB."""

from __future__ import annotations

import gc
import weakref
from types import SimpleNamespace
from typing import Any

import anyio

from auditor.aws.credentials import SessionCredentials
from auditor.aws.pages import PageReader
from auditor.aws.slots import Slot
from auditor.aws.sources import SOURCES
from auditor.model import EXPORT_RECORDS, Account, Outcome, Target

ACCOUNT = Account("111122223333", None, "arn:aws:iam::111122223333:role/R", None, "s", 3_600, ("us-east-1",))
PAGE = {"exportSnapshotRecords": [{"arn": f"arn:{number}"} for number in range(50)]}


async def test_a_reader_that_was_used_waits_for_no_garbage_collector() -> None:
    async def answer(**_: Any) -> dict[str, Any]:
        await anyio.lowlevel.checkpoint()
        return PAGE

    async def credentials(*_: Any) -> SessionCredentials:
        await anyio.lowlevel.checkpoint()
        return SessionCredentials("AKIA", "secret", "token")

    clients: Any = SimpleNamespace(
        lightsail=SimpleNamespace(get_export_snapshot_records=answer), recorder=None, base_secrets=()
    )
    roles: Any = SimpleNamespace(credentials=credentials, accepted=lambda *_: None)
    nobody: Any = None
    gc.collect()
    gc.disable()
    try:
        reader = PageReader(
            clients,
            roles,
            nobody,
            SOURCES[EXPORT_RECORDS],
            Target(EXPORT_RECORDS, ACCOUNT, "us-east-1"),
            outcome=Outcome(),
            slot=Slot(anyio.Semaphore(1)),
            request_timeout=5.0,
        )
        assert [len(page) async for page in reader.pages()] == [50]
        gone = weakref.ref(reader)
        del reader
        assert gone() is None
    finally:
        gc.enable()
