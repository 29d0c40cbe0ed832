"""A webhook's receiver in a thread of its own, for tests of whole commands and runs."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

TAKEN = 204


class Receiver:
    """Takes what is posted, or answers with another status and keeps nothing of it."""

    def __init__(self) -> None:
        self.status = TAKEN
        self.asked = 0
        """Requests, those that were refused included."""
        self.reached, self.answers = threading.Event(), threading.Event()
        """Set at the first request; while the second is not set, no request is answered."""
        self.answers.set()
        self.events: list[dict[str, Any]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.asked += 1
                receiver.reached.set()
                if not receiver.answers.is_set():
                    receiver.answers.wait(20)
                    return
                if receiver.status == TAKEN:
                    receiver.events += map(json.loads, body.splitlines())
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/in"

    @property
    def schemas(self) -> list[str]:
        return [event["schema"] for event in self.events]

    @contextmanager
    def serving(self) -> Iterator[Receiver]:
        thread = threading.Thread(target=self._server.serve_forever)
        thread.start()
        try:
            yield self
        finally:
            self.answers.set()
            self._server.shutdown()
            thread.join()
            self._server.server_close()
