"""One connection for one batch, taken once the receiver has closed its side: what a protocol without answers can say.

We send all, say that there is no more, and read until the receiver says the same, which it does once it has read to the
end. TLS's close_notify says so for certain. A connection that merely ends in order does not: so ends that of a process
that dies, unless bytes are unread. We look then whether the receiver still lives, by an empty batch over another
connection. That what was read was kept is not proved: a receiver that dies later loses what it has in memory alone, and
a relay may hold it for somebody else.
"""

from __future__ import annotations

import fcntl
import select
import ssl
import struct
import termios
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

import anyio
from anyio.abc import SocketAttribute
from anyio.streams.tls import TLSStream

from auditor.delivery.contract import Later, Taken
from auditor.model import shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from anyio.abc import SocketStream

    from auditor.delivery.contract import Receipt

_AT_ONCE = 64 * 1024
"""Bytes."""
_LONGEST_SHOWN = 200
_TOO_EARLY = "the receiver closed the connection before it had read all"


@dataclass(frozen=True, slots=True)
class Address:
    """Where batches go, and how."""

    host: str
    port: int
    tls: ssl.SSLContext | None
    only_close_notify: bool
    """Whether it is not enough over TLS that the connection ends in order, which somebody on the way could do."""


async def send_until_closed(to: Address, chunks: Iterable[bytes]) -> Receipt:
    """Send these over a connection of their own, and return whether the receiver has read them all."""
    try:
        ended = await _over_a_connection(to, chunks)
        if ended is _End.IN_ORDER:
            if to.tls is not None and to.only_close_notify:
                return Later("the receiver closed the connection without TLS's close_notify")
            ended = await _over_a_connection(to, ())
        return ended if isinstance(ended, Later) else Taken()
    except anyio.BrokenResourceError as error:
        return Later(f"the connection broke before the receiver had read all: {_cause(error)}")
    except OSError as error:  # of which ssl.SSLError is one
        return Later(f"{type(error).__name__}: {_cause(error)}")


class _End(Enum):
    """How a receiver ends a connection, after all has come to it."""

    SAID = auto()
    """By TLS's close_notify."""
    IN_ORDER = auto()


async def _over_a_connection(to: Address, chunks: Iterable[bytes]) -> _End | Later:
    async with await anyio.connect_tcp(to.host, to.port) as stream:
        if to.tls is None:
            return await over_tcp(stream, chunks)
        # Or OpenSSL would not tell an alert from a connection that just ends.
        to.tls.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
        secure = await TLSStream.wrap(stream, hostname=to.host, ssl_context=to.tls, standard_compatible=False)
        return await _over_tls(stream, secure, chunks)


async def over_tcp(stream: SocketStream, chunks: Iterable[bytes]) -> _End | Later:
    """Send these, and return how the receiver ended the connection, or why that proves nothing."""
    for chunk in _joined(chunks):
        await stream.send(chunk)
    if _has_ended(_descriptor(stream)):
        return Later(_TOO_EARLY)
    await stream.send_eof()
    return await _until_its_end(stream) or _in_order(stream)


async def _over_tls(stream: SocketStream, secure: TLSStream, chunks: Iterable[bytes]) -> _End | Later:
    for chunk in _joined(chunks):
        await secure.send(chunk)
    if _has_ended(_descriptor(stream)):
        return Later(_TOO_EARLY)
    try:
        await secure.unwrap()  # which sends our close_notify, and waits for the receiver's
    except anyio.EndOfStream:
        return _in_order(stream)
    arrived = _in_order(stream)
    # It may be reset all the same, by a receiver that says that it closes and has not read all.
    await stream.send_eof()
    wrong = await _until_its_end(stream)
    return wrong or (arrived if isinstance(arrived, Later) else _End.SAID)


async def _until_its_end(stream: SocketStream) -> Later | None:
    """Read to the receiver's end, before which there is to be nothing: return what is wrong."""
    try:
        said = await stream.receive()
    except anyio.EndOfStream:
        return None
    text = shown(said[:_LONGEST_SHOWN].decode("utf-8", "replace"))
    return Later(f"something answered, which no receiver of syslog does: {text}")


def _in_order(stream: SocketStream) -> _End | Later:
    """Say whether the receiver's end came after all that was sent had come to it.

    One that closes while something is still on the way ends the connection in order, and resets it later.
    """
    return Later(_TOO_EARLY) if _unacknowledged(_descriptor(stream)) else _End.IN_ORDER


def _descriptor(stream: SocketStream) -> int:
    """Return the socket's descriptor, as long as the connection stands."""
    descriptor = int(stream.extra_attributes[SocketAttribute.raw_socket]().fileno())
    if descriptor < 0:
        raise anyio.BrokenResourceError
    return descriptor


def _has_ended(descriptor: int) -> bool:
    """Say whether the receiver's end has come already (Linux: poll(2), POLLRDHUP; elsewhere that is not told)."""
    poll = select.poll()
    poll.register(descriptor, getattr(select, "POLLRDHUP", 0))
    return bool(poll.poll(0))


def _unacknowledged(descriptor: int) -> int:
    """Return how many bytes the other side's TCP has not acknowledged, our end included (Linux: tcp(7), SIOCOUTQ)."""
    try:
        answer = fcntl.ioctl(descriptor, termios.TIOCOUTQ, struct.pack("i", 0))
    except OSError:
        return 0  # elsewhere sockets do not tell
    (count,) = struct.unpack("i", answer)
    return int(count)


def _joined(chunks: Iterable[bytes]) -> Iterable[bytes]:
    together = bytearray()
    for chunk in chunks:
        together += chunk
        if len(together) >= _AT_ONCE:
            yield bytes(together)
            together.clear()
    if together:
        yield bytes(together)


def _cause(error: BaseException) -> str:
    deepest = error
    while deepest.__cause__ is not None:
        deepest = deepest.__cause__
    return str(deepest) or type(deepest).__name__
