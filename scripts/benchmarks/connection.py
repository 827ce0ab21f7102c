"""One HTTP/1.1 connection that asks and reads the head of an answer, and does nothing else.

Knows where an answer ends: by its Content-Length, or by its last chunk. Does not read what is in
it, and does not know clients.
"""

from __future__ import annotations

import asyncio
import re
from typing import NamedTuple

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)")


class Reply(NamedTuple):
    """What the head of an answer says."""

    status: str
    retry_after: bool
    keeps: bool
    """Whether the connection may be used again."""


class Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self) -> None:
        self.open = True
        self.idle_since = 0.0
        """Time of the event loop, for whoever keeps it."""
        self._received = b""
        self._reply: asyncio.Future[Reply] | None = None

    @property
    def waits(self) -> bool:
        """Whether an answer is still to come."""
        return self._reply is not None

    def ask(self, data: bytes) -> asyncio.Future[Reply]:
        """Send a request. The future raises ConnectionResetError if the connection ends first."""
        self._reply = asyncio.get_running_loop().create_future()
        if self.open:
            self.write(data)
        else:
            self._reply.set_exception(ConnectionResetError())
        return self._reply

    def write(self, data: bytes) -> None:
        """Send without waiting for anything."""
        self._transport.write(data)

    def close(self) -> None:
        """End it at once, whatever is still to be sent."""
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        if self._reply is None or (reply := read_reply(self._received)) is None:
            return
        waiting, self._reply, self._received = self._reply, None, b""
        if not waiting.done():
            waiting.set_result(reply)

    def connection_lost(self, error: Exception | None) -> None:
        self.open = False
        if self._reply is not None and not self._reply.done():
            self._reply.set_exception(ConnectionResetError())


def read_reply(received: bytes) -> Reply | None:
    """The reply that these bytes hold; None if some of them are yet to come."""
    end = received.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = received[: end + 2].lower()
    if (length := _LENGTH.search(head)) is not None:
        whole = len(received) >= end + 4 + int(length[1])
    else:
        whole = received.endswith(b"\r\n0\r\n\r\n")  # in chunks
    if not whole:
        return None
    keeps = b"\r\nconnection: close" not in head
    return Reply(head[9:12].decode(), b"\r\nretry-after:" in head, keeps)
