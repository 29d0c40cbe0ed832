"""The benchmark's own AWS on loopback: pre-baked pages, as fast as asyncio gives them out.

It verifies no signature, checks no ExternalId and knows the operations of an audit: it is to cost less than any client that it
measures. `auditor simulate` is the estate that is faithful.

`POST /reset` takes a workload, bakes its pages and sets the counts to zero; `GET /stats` tells the counts. Standard
output names the port; the end of standard input ends the server, so that it can't outlive the benchmark.
"""

from __future__ import annotations

import asyncio
import gc
import json
import re
import sys
import time
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from bench import answers
from bench.copies import LISTS, Copies
from bench.cores import pin
from bench.estate import REGIONS, account_id, account_page, page_body, page_token
from bench.instances import instances_body

if TYPE_CHECKING:
    from collections.abc import Callable

_JSON = "application/x-amz-json-1.1"
_NO_ROOTS = answers.http(b'{"Roots":[]}', _JSON)
_REGION = re.compile(rb"credential=[^/]+/\d+/([^/]+)/")
_LIST = re.compile(rb"lightsail_20161128\.(\w+)")
_INSTANCES = b"lightsail_20161128.getinstances\r\n"


class Estate:
    """The pages that are served, and what was asked for since the last reset."""

    def __init__(self) -> None:
        self.pages: dict[str | None, bytes] = {}
        self.instances: dict[str | None, bytes] = {}
        self.bare: frozenset[bytes] = frozenset()
        """Regions that have one empty page."""
        self.empty = b""
        self.accounts = 0
        self.copies: Copies | None = None
        self.apart: dict[int, list[float]] = {}
        """When each request for a page came, of the accounts that are told of apart."""
        self.throttled = False
        self.others_last_at = 0.0
        self.latency_s = 0.0
        self.counts: Counter[str] = Counter()
        self.first_page_at: float | None = None
        self.cpu_at_reset = 0.0

    def reset(self, workload: dict[str, Any]) -> bytes:
        """Bake the pages of a workload and count from zero."""
        self.pages = _baked(page_body, workload)
        self.instances = _baked(instances_body, workload)
        self.bare = frozenset(
            region.encode() for region in REGIONS[: workload["regions"]][::-1][: workload["bare_regions"]]
        )
        self.empty = answers.http(page_body(1, 1, 0), _JSON)
        self.accounts = workload["accounts"]
        self.copies = Copies(workload["pages"], workload["records"]) if workload["joined"] else None
        self.apart = {int(account_id(number)): [] for number in range(workload["apart"])}
        self.throttled = workload["throttled"]
        self.latency_s = workload["latency_ms"] / 1000
        self.counts.clear()
        self.first_page_at = None
        self.cpu_at_reset = time.process_time()
        return answers.http(b"{}", "application/json")

    def stats(self) -> bytes:
        """Return the counts, the time of the first page, and the server's own CPU time."""
        told = {
            "counts": self.counts,
            "first_page_at": self.first_page_at,
            "apart": list(self.apart.values()),
            "others_last_at": self.others_last_at,
            "cpu_s": time.process_time() - self.cpu_at_reset,
        }
        return answers.http(json.dumps(told).encode(), "application/json")

    def page(self, head: bytes, body: bytes) -> bytes:
        """Return the page of records that the request's token asks for, in the Region that it is signed for."""
        self._count_page()
        if self.apart:
            of_account = self.apart.get(answers.account_of(head) or 0)
            if of_account is None:
                self.others_last_at = time.monotonic()
            else:
                of_account.append(time.monotonic())
                if self.throttled:
                    return answers.THROTTLED
        if self.bare and (signed := _REGION.search(head)) and signed[1] in self.bare:
            return self.empty
        return self.pages.get(_token(body), answers.UNKNOWN)

    def _count_page(self) -> None:
        if self.first_page_at is None:
            # CLOCK_MONOTONIC is one clock for all processes of a machine.
            self.first_page_at = time.monotonic()
        self.counts["pages"] += 1

    def other(self, head: bytes, body: bytes) -> bytes:
        """Return what is asked for beside the pages of records, or the answer of no service at all."""
        if _INSTANCES in head:
            self._count_page()
            return self.instances.get(_token(body), answers.UNKNOWN)
        return self._of_copies(head, body) or self._of_accounts(head, body)

    def _of_copies(self, head: bytes, body: bytes) -> bytes | None:
        if self.copies is None:
            return None
        listed = _LIST.search(head)
        operation = listed[1].decode() if listed else ""
        told = self.copies.listed(operation, body) if operation in LISTS else self.copies.described(body)
        if told is not None:
            self.counts["joins"] += 1
        return told

    def _of_accounts(self, head: bytes, body: bytes) -> bytes:
        if b"awsorganizationsv20161128.listroots" in head:
            return _NO_ROOTS
        if b"awsorganizationsv20161128.listaccounts" in head:
            self.counts["organization"] += 1
            return answers.http(account_page(json.loads(body).get("NextToken"), self.accounts), _JSON)
        if b"lightsail_20161128.getregions" in head:
            self.counts["regions"] += 1
            return answers.REGIONS
        if b"Action=AssumeRole&" in body:
            self.counts["roles"] += 1
            return answers.assume_role(body)
        if b"Action=GetCallerIdentity" in body:
            self.counts["identities"] += 1
            return answers.caller_identity(head)
        self.counts["unknown"] += 1
        return answers.UNKNOWN


def _baked(page: Callable[[int, int, int], bytes], workload: dict[str, Any]) -> dict[str | None, bytes]:
    count, records = workload["pages"], workload["records"]
    return {
        None if number == 1 else page_token(number): answers.http(page(number, count, records), _JSON)
        for number in range(1, count + 1)
    }


def _token(body: bytes) -> str | None:
    token: str | None = json.loads(body).get("pageToken") if body else None
    return token


class Connection(asyncio.Protocol):
    """One keep-alive connection. HTTP/1.1 as AWS clients speak it: a head, and a body of a length that is told."""

    def __init__(self, estate: Estate, loop: asyncio.AbstractEventLoop) -> None:
        self._estate = estate
        self._loop = loop
        self._unread = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 -- the event loop's promise, for the type checker
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each request that has come whole."""
        self._unread += data
        while (end := self._unread.find(b"\r\n\r\n")) >= 0:
            head = self._unread[:end].lower()
            whole = end + 4 + _content_length(head)
            if len(self._unread) < whole:
                return
            body = self._unread[end + 4 : whole]
            self._unread = self._unread[whole:]
            self._answer(head, body)

    def _answer(self, head: bytes, body: bytes) -> None:
        if head.startswith(b"get /stats "):
            self._transport.write(self._estate.stats())
        elif head.startswith(b"post /reset "):
            self._transport.write(self._estate.reset(json.loads(body)))
        else:
            if b"lightsail_20161128.getexportsnapshotrecords" in head:
                answer = self._estate.page(head, body)
            else:
                answer = self._estate.other(head, body)
            if self._estate.latency_s:
                self._loop.call_later(self._estate.latency_s, self._transport.write, answer)
            else:
                self._transport.write(answer)


def _content_length(head: bytes) -> int:
    at = head.find(b"\r\ncontent-length:")
    return int(head[at + 17 :].split(b"\r\n", 1)[0]) if at >= 0 else 0


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    estate = Estate()
    # The backlog takes every client's first connections at once.
    server = await loop.create_server(lambda: Connection(estate, loop), "127.0.0.1", 0, backlog=1024)
    ended = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), ended.set)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    gc.freeze()
    await ended.wait()


if __name__ == "__main__":
    pin(int(sys.argv[1]) if len(sys.argv) > 1 else None)
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve())
