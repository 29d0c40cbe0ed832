"""A relay before the simulator that keeps every body it passed on: what was really sent."""

from __future__ import annotations

import http.client
import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass
class Relay:
    """What was passed on, by the request id of each answer."""

    url: str
    sent: dict[str, tuple[int, bytes]] = field(default_factory=dict)


@contextmanager
def relay(to: str, change: Callable[[bytes, dict[str, str]], bytes] | None = None) -> Iterator[Relay]:
    """Relay to the server at `to`.

    :param change: makes another body of an answer's, given the request's headers.
    """
    passed = Relay("")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            behind = http.client.HTTPConnection(urlsplit(to).netloc, timeout=20)
            try:
                behind.request(self.command, self.path, asked, dict(self.headers))
                answer = behind.getresponse()
                body = answer.read()
            except (OSError, http.client.HTTPException):
                self.close_connection = True  # a reset, or a body cut short: so it is here too
                return
            finally:
                behind.close()
            if change is not None:
                body = change(body, dict(self.headers))
            passed.sent[str(answer.headers["x-amzn-RequestId"])] = (answer.status, body)
            self.send_response(answer.status)
            for name in ("Content-Type", "x-amzn-RequestId", "x-amzn-ErrorType"):
                if name in answer.headers:
                    self.send_header(name, answer.headers[name])
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST  # noqa: N815 -- the names are http.server's

        def log_message(self, *_: object) -> None:
            pass

    with _serving(Handler) as url:
        passed.url = url
        yield passed


@contextmanager
def answering(answer: Callable[[dict[str, Any]], dict[str, Any]]) -> Iterator[str]:
    """Serve JSON: what each request asks for is handed to `answer`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.dumps(
                answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            ).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with _serving(Handler) as url:
        yield url


@contextmanager
def _serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
