"""anyio cancels a scope over and over until it is left, which aiobotocore was not written for: it has to bear it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from auditor.aws.clients import CALL_AS, CallAs, Clients, open_clients
from auditor.aws.credentials import SessionCredentials

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.aws.conftest import Asked, Http, Serve

SESSION = SessionCredentials("ASIAEXAMPLEEXAMPLE00", "secret", "token")
CALL = {CALL_AS: CallAs(SESSION, "us-east-1")}
PAGE = {"exportSnapshotRecords": [{"name": "x" * 10_000}]}


@pytest.fixture
def point_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    def point(url: str) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLEEXAMPLE00")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")

    return point


async def good_call(clients: Clients) -> int:
    """Make a call, and return how much came: with one connection, one that was not given back blocks this."""
    with anyio.fail_after(5):
        answer: dict[str, Any] = await clients.lightsail.get_export_snapshot_records(**CALL)
    return len(answer["exportSnapshotRecords"][0]["name"])


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("moment", ["before the answer", "in its head", "in its body"])
async def test_a_call_cancelled_while_it_waits_leaves_the_client_whole(
    serve: Serve, http: Http, point_at: Callable[[str], None], moment: str
) -> None:
    whole = http(200, PAGE, close=False)
    sent = {"before the answer": 0, "in its head": 20, "in its body": len(whole) // 2}[moment]
    stuck = [anyio.Event() for _ in range(3)]
    turns = iter(stuck)

    def answer(_: Asked) -> bytes | Awaitable[bytes]:
        turn = next(turns, None)
        if turn is None:
            return whole
        turn.set()
        if sent:
            return whole[:sent]
        return asyncio.get_running_loop().create_future()

    async with serve(answer) as raw:
        point_at(raw.url)
        before = open_files()
        async with open_clients(concurrency=1, request_timeout=10, allow_http=False) as clients:
            for turn in stuck:
                async with anyio.create_task_group() as group:
                    group.start_soon(good_call, clients)
                    await turn.wait()
                    await anyio.wait_all_tasks_blocked()  # what was sent of the answer has come
                    group.cancel_scope.cancel()
            assert [await good_call(clients), await good_call(clients)] == [10_000, 10_000]
        await anyio.wait_all_tasks_blocked()
    assert open_files() <= before
    assert len(asyncio.all_tasks()) == 1


async def test_a_call_may_be_cancelled_at_every_step_that_it_takes(
    serve: Serve, http: Http, point_at: Callable[[str], None]
) -> None:
    whole = http(200, PAGE)  # closed each time, so that connecting is among the steps
    async with serve(lambda _: whole) as raw:
        point_at(raw.url)
        async with open_clients(concurrency=1, request_timeout=10, allow_http=False) as clients:
            assert await good_call(clients) == 10_000
            done = 0
            for steps in range(60):
                with anyio.CancelScope() as scope:
                    async with anyio.create_task_group() as group:
                        group.start_soon(_call_and_say, clients, finished := anyio.Event())
                        for _ in range(steps):
                            await anyio.lowlevel.checkpoint()
                        scope.cancel()
                done += finished.is_set()
                if steps % 10 == 9:
                    assert await good_call(clients) == 10_000
            assert done < 60  # else nothing was cancelled
            assert await good_call(clients) == 10_000
    assert len(asyncio.all_tasks()) == 1


async def _call_and_say(clients: Clients, finished: anyio.Event) -> None:
    await good_call(clients)
    finished.set()


async def test_clients_close_while_a_cancelled_scope_is_still_around_them(
    serve: Serve, point_at: Callable[[str], None]
) -> None:
    arrived = anyio.Event()

    def answer(_: Asked) -> Awaitable[bytes]:
        arrived.set()
        return asyncio.get_running_loop().create_future()

    async with serve(answer) as raw:
        point_at(raw.url)
        before = open_files()
        with anyio.CancelScope() as scope:
            async with (
                open_clients(concurrency=4, request_timeout=10, allow_http=False) as clients,
                anyio.create_task_group() as group,
            ):
                for _ in range(4):
                    group.start_soon(good_call, clients)
                await arrived.wait()
                scope.cancel()
        assert scope.cancelled_caught
        await anyio.wait_all_tasks_blocked()
    assert open_files() <= before
    assert len(asyncio.all_tasks()) == 1


async def test_many_calls_cancelled_at_once_leave_room_for_as_many(
    serve: Serve, http: Http, point_at: Callable[[str], None]
) -> None:
    whole = http(200, PAGE, close=False)
    release = anyio.Event()
    arrived: list[Asked] = []
    all_there = anyio.Event()

    async def answer(asked: Asked) -> bytes:
        arrived.append(asked)
        if len(arrived) == 8:
            all_there.set()
        await release.wait()
        return whole

    async with serve(answer) as raw:
        point_at(raw.url)
        async with open_clients(concurrency=8, request_timeout=10, allow_http=False) as clients:
            async with anyio.create_task_group() as group:
                for _ in range(20):  # 12 of them wait for a connection
                    group.start_soon(good_call, clients)
                await all_there.wait()
                group.cancel_scope.cancel()
            release.set()
            got: list[int] = []

            async def again() -> None:
                got.append(await good_call(clients))

            async with anyio.create_task_group() as group:
                for _ in range(20):
                    group.start_soon(again)
    assert got == [10_000] * 20
