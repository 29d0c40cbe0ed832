"""A receiver over HTTP that goes wrong request by request, or dies, and keeps what it took."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TAKE, BUSY, HANG_UP, HANG, REFUSE, TAKE_AND_HANG_UP, GARBAGE, DIE = (
    "take",
    "busy",
    "hang up",
    "hang",
    "refuse",
    "take and hang up",
    "garbage",
    "die",
)
MISDEEDS = (BUSY, HANG_UP, HANG, REFUSE, TAKE_AND_HANG_UP, GARBAGE, DIE)


class Receiver:
    """Does what its script says, a step for each request; the last step is repeated."""

    def __init__(self, script: Sequence[str]) -> None:
        self.taken: list[dict[str, Any]] = []
        self.misdeeds = 0
        self._script = list(script)
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            timeout = 5

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.do(self, body)

            def log_message(self, *_: Any) -> None:
                return

        class Server(ThreadingHTTPServer):
            daemon_threads = False

            def handle_error(self, *_: Any) -> None:
                return  # whoever asked has gone

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/in"

    def do(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        with self._lock:
            step = self._script[0]
            if len(self._script) > 1:
                del self._script[0]
            self.misdeeds += step != TAKE
            if step in (TAKE, TAKE_AND_HANG_UP):
                self.taken += map(json.loads, body.splitlines())
        match step:
            case "take":
                _say(request, b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n")
            case "busy":
                _say(request, b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
            case "refuse":
                _say(request, b"HTTP/1.1 422 Unprocessable Content\r\nContent-Length: 0\r\n\r\n")
            case "garbage":
                _say(request, b"\x16\x03\x01\xff\xfe no HTTP at all\r\n\r\n")
            case "hang":
                self._stopping.wait()
            case "die":
                self._server.socket.close()  # whoever comes from now on is refused

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Receive until the block ends, and end every request that is in hand then."""
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield
        finally:
            self._stopping.set()
            self._server.shutdown()
            thread.join()
            self._server.server_close()


def _say(request: BaseHTTPRequestHandler, words: bytes) -> None:
    request.wfile.write(words)
    request.close_connection = True
