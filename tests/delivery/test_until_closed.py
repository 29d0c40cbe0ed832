"""Receivers of syslog that end their connections otherwise than rsyslog does, and what that proves."""

from __future__ import annotations

import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import anyio
import pytest
from anyio import to_thread
from anyio.abc import SocketAttribute
from anyio.streams.tls import TLSListener

from auditor.delivery import Later, Taken
from auditor.delivery.tls import tls_context
from auditor.delivery.until_closed import Address, over_tcp, send_until_closed
from tests.delivery.certificates import certificate_in, server_tls

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
    from pathlib import Path

    from auditor.delivery import Receipt

Serve: TypeAlias = "Callable[[anyio.abc.ByteStream], Awaitable[None]]"


@asynccontextmanager
async def _serving(serve: Serve, tls: Path | None = None) -> AsyncIterator[Any]:
    """Serve connections on a port of their own; yield what listens."""

    async def served(stream: anyio.abc.ByteStream) -> None:
        async with stream:
            await serve(stream)

    (tcp,) = (await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)).listeners
    listener = TLSListener(tcp, server_tls(tls), standard_compatible=False) if tls else tcp
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, served)
        yield tcp
        group.cancel_scope.cancel()


def _port(listener: Any) -> int:
    return int(listener.extra_attributes[SocketAttribute.local_port]())


async def _sent_to(serve: Serve, chunks: Iterable[bytes], tls: Path | None = None) -> Receipt:
    context = tls_context("siem", str(tls / "cert.pem")) if tls else None
    async with _serving(serve, tls) as listener:
        address = Address("127.0.0.1", _port(listener), context, only_close_notify=False)
        return await send_until_closed(address, chunks)


async def _read_all(stream: anyio.abc.ByteStream) -> None:
    async for _ in stream:
        pass


async def test_a_receiver_that_reads_all_and_closes_has_taken_it() -> None:
    assert await _sent_to(_read_all, [b"x" * 1_000] * 2_000) == Taken()


async def test_a_receiver_that_closes_with_something_unread_has_not() -> None:
    async def serve(stream: anyio.abc.ByteStream) -> None:
        await stream.receive(100)

    receipt = await _sent_to(serve, [b"x" * 1_000] * 10_000)
    assert isinstance(receipt, Later)
    assert receipt.why.startswith("the connection broke before the receiver had read all: ")


async def test_a_receiver_that_dies_after_it_has_read_all_has_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]

        def read_and_die() -> None:
            connection, _ = listening.accept()
            with connection:
                while connection.recv(64 * 1024):
                    pass
                listening.close()

        async with anyio.create_task_group() as group:
            group.start_soon(to_thread.run_sync, read_and_die)
            address = Address("127.0.0.1", port, None, only_close_notify=False)
            receipt = await send_until_closed(address, [b"x"])

    assert isinstance(receipt, Later)
    assert "Connect call failed" in receipt.why


async def test_a_receiver_that_ends_its_side_first_has_not() -> None:
    ended = anyio.Event()

    async def serve(stream: anyio.abc.ByteStream) -> None:
        await stream.send_eof()
        ended.set()
        await _read_all(stream)

    async with (
        _serving(serve) as listener,
        await anyio.connect_tcp("127.0.0.1", _port(listener)) as stream,
    ):
        await ended.wait()
        receipt = await over_tcp(stream, [b"x"])
    assert receipt == Later("the receiver closed the connection before it had read all")


async def test_an_end_that_comes_while_something_is_on_the_way_proves_nothing() -> None:
    ended = anyio.Event()

    async def serve(stream: anyio.abc.ByteStream) -> None:
        await ended.wait()
        await stream.send_eof()
        await anyio.sleep_forever()

    class Announcing:
        """A stream that lets the receiver know when we have ended our side."""

        def __init__(self, inner: Any) -> None:
            self._inner = inner

        def __getattr__(self, name: str) -> Any:
            return getattr(self._inner, name)

        async def send_eof(self) -> None:
            await self._inner.send_eof()
            ended.set()

    async with _serving(serve) as listener:
        # What it does not read stays on our side, but for these bytes.
        listening = listener.extra_attributes[SocketAttribute.raw_socket]()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        async with await anyio.connect_tcp("127.0.0.1", _port(listener)) as stream:
            receipt = await over_tcp(cast("Any", Announcing(stream)), [b"x" * 1_000_000])
    assert receipt == Later("the receiver closed the connection before it had read all")


@pytest.mark.parametrize("tls", [False, True])
async def test_a_server_of_http_on_that_port_takes_nothing(*, tls: bool, tmp_path: Path) -> None:
    async def serve(stream: anyio.abc.ByteStream) -> None:
        await stream.receive()
        await stream.send(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
        await _read_all(stream)

    receipt = await _sent_to(serve, [b"x"], certificate_in(tmp_path) if tls else None)
    assert isinstance(receipt, Later)
    if not tls:
        assert "something answered, which no receiver of syslog does: HTTP/1.1 400 Bad" in receipt.why
