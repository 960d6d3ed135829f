"""A small real model server for tests: KServe V1 over HTTP/1.1, keep-alive, threads."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Handler(BaseHTTPRequestHandler):
    """Predicts the sum of each row; a path that ends in ``/slow`` takes a second, one in ``/silent`` never answers."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.endswith("/silent"):
            time.sleep(3600)
        if self.path.endswith("/slow"):
            time.sleep(1)
        try:
            rows = json.loads(body)["instances"]
            self._answer(200, {"predictions": [sum(value or 0 for value in row) for row in rows]})
        except (ValueError, KeyError, TypeError, RecursionError):
            self._answer(400, {"error": "bad request"})

    def _answer(self, status: int, content: Any) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that left is no news."""


@contextmanager
def model_server() -> Iterator[int]:
    """Serve on a free port; gives the port."""
    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
