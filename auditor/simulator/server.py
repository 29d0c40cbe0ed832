"""The estate on a loopback port: in this loop until cancelled, or in a thread of its own.

Nothing here starts a task beyond what aiohttp does.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
import struct
import threading
import time
from collections import Counter
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiohttp import web

from auditor.errors import UsageError
from auditor.simulator.endpoint import Call, Endpoint, Handled
from auditor.simulator.faults import FaultKind
from auditor.simulator.signature import Received

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from auditor.simulator.estate import Estate
    from auditor.simulator.faults import Fault

SHUTDOWN_SECONDS = 1.0
"""What is in hand at the end gets so long."""
_PIECES = 16
"""In how many a slow body comes."""
_OF_THE_WAY = frozenset({FaultKind.CUT_BODY, FaultKind.SLOW_BODY, FaultKind.STALLED_BODY})
"""What becomes of a good answer on its way."""


@dataclass(slots=True)
class Running:
    """A server that runs, and what it has seen; safe to read from another thread once the calls are over."""

    url: str
    estate: Estate
    calls: list[Call] = field(default_factory=list)
    """In the order in which the answers were decided on."""
    in_flight: int = 0
    max_in_flight: int = 0
    """The most requests that were in flight at once."""

    @property
    def requests(self) -> Counter[str]:
        """How often each operation was called, by its name, refusals included."""
        return Counter(call.operation for call in self.calls)

    @property
    def environ(self) -> dict[str, str]:
        """What points any AWS client at it, with the base identity's credentials."""
        base = self.estate.base
        environ = {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": base.access_key,
            "AWS_SECRET_ACCESS_KEY": base.secret_key,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        if base.session_token is not None:
            environ["AWS_SESSION_TOKEN"] = base.session_token
        return environ


async def serve(  # noqa: PLR0913 -- where, what and how, each with a default
    estate: Estate,
    *,
    faults: Iterable[Fault] = (),
    port: int = 0,
    host: str = "127.0.0.1",
    ready: Callable[[Running], None] | None = None,
    clock: Callable[[], float] = time.time,
    credential_lifetime: float | None = None,
    called_as: str | None = None,
) -> None:
    """Serve `estate` until cancelled; `ready` is called once requests are accepted.

    :param port: 0 for any that is free.
    :param clock: epoch seconds; what signatures and sessions are held against.
    :param credential_lifetime: seconds that assumed credentials are good for, whatever was asked for.
    :param called_as: the host and port that clients call, and so sign, where a proxy stands before it and names its
        own; None for those of the request.
    :raises UsageError: the port can't be listened on, or the host is not loopback.
    """
    if not _is_loopback(host):
        raise UsageError(
            f"{host} is no loopback address, and the simulator is no public server: use 127.0.0.1"
        )
    endpoint = Endpoint(estate, faults, clock=clock, credential_lifetime=credential_lifetime)
    running = Running("", estate)
    service = _Service(endpoint, running, called_as)
    app = web.Application(handler_args={"access_log": None})
    app.router.add_route("*", "/{path:.*}", service.answer)
    app.on_shutdown.append(service.stop)
    # Without cancellation, a request that hangs would count as in flight after its client has gone.
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    try:
        name = f"[{host}]" if ":" in host else host
        running.url = f"http://{name}:{await _listen(runner, host, port)}"
        if ready is not None:
            ready(running)
        await asyncio.get_running_loop().create_future()
    finally:
        await runner.cleanup()


@contextmanager
def serve_in_thread(  # noqa: PLR0913 -- as above
    estate: Estate,
    *,
    faults: Iterable[Fault] = (),
    port: int = 0,
    clock: Callable[[], float] = time.time,
    credential_lifetime: float | None = None,
    called_as: str | None = None,
) -> Iterator[Running]:
    """Serve `estate` from an event loop in a thread of its own, for as long as the context is open.

    :raises UsageError: as `serve` does.
    """
    started: Future[tuple[Running, Callable[[], object]]] = Future()

    async def main() -> None:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()

        def ready(running: Running) -> None:
            cancel = task.cancel if task is not None else loop.stop
            started.set_result((running, lambda: loop.call_soon_threadsafe(cancel)))

        await serve(
            estate,
            faults=faults,
            port=port,
            ready=ready,
            clock=clock,
            credential_lifetime=credential_lifetime,
            called_as=called_as,
        )

    def work() -> None:
        try:
            asyncio.run(main())
        except asyncio.CancelledError:
            pass  # how it is told to end
        except BaseException as error:  # handed to the thread that waits
            if started.done():
                raise
            started.set_exception(error)

    thread = threading.Thread(target=work, name="simulator", daemon=True)
    thread.start()
    running, stop = started.result()
    try:
        yield running
    finally:
        stop()
        thread.join()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False  # a name, and who knows where it leads


async def _listen(runner: web.AppRunner, host: str, port: int) -> int:
    """Return the port that is listened on from now on."""
    site = web.TCPSite(runner, host, port)
    try:
        await site.start()
    except (OSError, OverflowError) as error:
        in_use = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        what = "is in use" if in_use else f"can't be listened on ({error})"
        raise UsageError(
            f"port {port} of {host} {what}: choose another with --port, or 0 for any that is free"
        ) from error
    bound: int = runner.addresses[0][1]
    return bound


class _Service:
    """The HTTP side of an endpoint: delays, hangs, resets, and bodies cut short."""

    def __init__(self, endpoint: Endpoint, running: Running, called_as: str | None) -> None:
        self._called_as = called_as
        self._endpoint = endpoint
        self._running = running
        self._stopping = asyncio.Event()

    async def stop(self, _app: web.Application) -> None:
        """Let go of what hangs."""
        self._stopping.set()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        running = self._running
        running.in_flight += 1
        running.max_in_flight = max(running.max_in_flight, running.in_flight)
        try:
            headers = {name.lower(): value for name, value in request.headers.items()}
            if self._called_as is not None:
                headers["host"] = self._called_as
            received = Received(request.method, request.raw_path, headers, await request.read())
            handled = self._endpoint.handle(received)
            running.calls.append(handled.call)
            await self._wait(handled)
            return await self._delivered(request, handled)
        finally:
            running.in_flight -= 1

    async def _wait(self, handled: Handled) -> None:
        if handled.fault is FaultKind.HANG:
            await self._stopping.wait()
        elif handled.delay > 0:
            await self._sleep(handled.delay)

    async def _sleep(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()

    async def _delivered(self, request: web.Request, handled: Handled) -> web.StreamResponse:
        answer = handled.answer
        headers = {**answer.headers, "Content-Type": answer.content_type}
        if handled.fault in (FaultKind.RESET, FaultKind.HANG):
            _reset(request)
            return web.Response(status=answer.status)
        if handled.fault not in _OF_THE_WAY:
            return web.Response(status=answer.status, body=answer.body, headers=headers)
        response = web.StreamResponse(status=answer.status, headers=headers)
        with suppress(ConnectionResetError):  # the client has gone
            await self._stream(request, response, handled)
        return response

    async def _stream(self, request: web.Request, response: web.StreamResponse, handled: Handled) -> None:
        body = handled.answer.body
        response.content_length = len(body)
        await response.prepare(request)
        if handled.fault is FaultKind.SLOW_BODY:
            size = max(len(body) // _PIECES, 1)
            for start in range(0, len(body), size):
                await response.write(body[start : start + size])
                await self._sleep(handled.seconds / _PIECES)
            return
        await response.write(body[: len(body) // 2])
        if handled.fault is FaultKind.STALLED_BODY:
            await self._stopping.wait()
        if request.transport is not None:
            request.transport.close()


def _reset(request: web.Request) -> None:
    """End the connection with RST, as a crashed or overloaded peer does."""
    if request.transport is None:
        return
    connection = request.transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.transport.abort()
