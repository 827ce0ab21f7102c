"""A reverse proxy that serves something under a prefix of its own.

Knows HTTP as far as a test needs it: one request a connection. Does not change what passes but
the path, from which it strips the prefix.
"""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


@contextlib.contextmanager
def stripping_proxy(target: str, prefix: str) -> Iterator[str]:
    """Serve `target` under `prefix` on a free port; gives the URL that ends in the prefix."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._pass_on()

        def do_POST(self) -> None:
            self._pass_on()

        def _pass_on(self) -> None:
            if not self.path.startswith(prefix + "/"):
                self.send_error(404, "not below the prefix")
                return
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            server = http.client.HTTPConnection(urlsplit(target).netloc)
            with contextlib.closing(server):
                headers = dict(self.headers.items())
                server.request(self.command, self.path.removeprefix(prefix), body, headers)
                answer = server.getresponse()
                content = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("transfer-encoding", "content-length"):
                    self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}{prefix}"
        finally:
            server.shutdown()
            thread.join()
