"""A server of original files on loopback that can misbehave the ways servers do.

Knows HTTP as far as a download needs it. Does not know what downloads from it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

Trick = Literal["cut", "wrong byte", "no range", "other range"] | int
"""Half of the body and no more; a flipped byte; the whole though a part was asked for; a part that
begins elsewhere; a status instead of the file."""


@dataclass
class Origin:
    """Files by path, and what happens to the requests for them."""

    files: dict[str, bytes]
    tricks: dict[str, list[Trick | None]] = field(default_factory=dict)
    """For each path what is done to the next requests, one after the other; None is nothing."""
    tag: str = ""
    """The ETag of every file, if any."""
    requests: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    """Path and headers of every request so far."""
    url: str = ""

    def ranges(self) -> list[str | None]:
        """What part of a file each request asked for."""
        return [headers.get("Range") for _, headers in self.requests]


@contextmanager
def serving(files: Mapping[str, bytes]) -> Iterator[Origin]:
    """Serve files, by path without the leading slash."""
    origin = Origin(dict(files))
    handler = type("Handler", (_Handler,), {"origin": origin})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        origin.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield origin
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    origin: Origin

    def do_GET(self) -> None:
        path = self.path.lstrip("/")
        self.origin.requests.append((path, dict(self.headers)))
        tricks = self.origin.tricks.get(path)
        trick = tricks.pop(0) if tricks else None
        if isinstance(trick, int):
            self.send_error(trick)
        elif path not in self.origin.files:
            self.send_error(404)
        else:
            self._send(self.origin.files[path], trick)

    def _send(self, content: bytes, trick: Trick | None) -> None:
        first = self._first_byte() if trick != "no range" else None
        if first is not None and first >= len(content):
            self.send_error(416)
            return
        self.send_response(200 if first is None else 206)
        if first is not None:
            begins = first + 1 if trick == "other range" else first
            last = len(content) - 1
            self.send_header("Content-Range", f"bytes {begins}-{last}/{len(content)}")
            content = content[begins:]
        if trick == "wrong byte":
            content = bytes([content[0] ^ 1]) + content[1:]
        if self.origin.tag:
            self.send_header("ETag", self.origin.tag)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if trick == "cut" else content)

    def _first_byte(self) -> int | None:
        asked, version = self.headers["Range"], self.headers["If-Range"]
        if asked is None or (version is not None and version != self.origin.tag):
            return None
        return int(asked.removeprefix("bytes=").removesuffix("-"))

    def log_message(self, *arguments: object) -> None: ...
