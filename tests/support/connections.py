"""A connection without a socket: bytes in by hand, bytes out in a list.

Knows uvicorn's protocol for one connection, and an app that answers with what it was sent. Does
not know what a server makes of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from support.serving import until


class Transport(asyncio.Transport):
    """Keeps what is written; closed at once when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.waiting = 0
        """Bytes that the client has not taken, for a test to say."""
        self.closed = False
        self.ended = False

    def write(self, data: Any) -> None:
        assert not self.closed
        assert not self.ended
        self.sent += data

    def write_eof(self) -> None:
        self.ended = True

    def close(self) -> None:
        self.closed = True

    abort = close

    def get_write_buffer_size(self) -> int:
        return self.waiting

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        """A test sends no more than it wants to be read."""

    resume_reading = pause_reading


class Line:
    """One connection to `app`, on the loop that runs."""

    def __init__(self, protocol: type[HttpToolsProtocol], app: Any) -> None:
        config = uvicorn.Config(app, log_config=None, lifespan="off", ws="none")
        self.transport = Transport()
        self.protocol = protocol(config, ServerState(), {}, asyncio.get_running_loop())
        self.protocol.connection_made(self.transport)

    def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.protocol.data_received(piece)

    async def answers(self, count: int) -> bytes:
        """All that was sent, once so many answers have been begun and the last is complete."""

        def complete() -> bool:
            cycle: RequestResponseCycle | None = self.protocol.cycle
            begun = self.transport.sent.count(b"HTTP/1.1 ")
            return begun >= count and (cycle is None or cycle.response_complete)

        await until(complete)
        return self.transport.sent


def echo(heard: Callable[[dict[str, Any], bytes], object]) -> Any:
    """An app that answers a request with its own body, and tells `heard` of it."""

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        heard(scope, body)
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app
