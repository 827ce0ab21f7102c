"""Bounds of a connection that uvicorn does not have: how late a head may be, how large, and how
slowly an answer may be read; and heads that are no HTTP.

Without them a silent client keeps its connection for ever, until there are no more file
descriptors, and an endless header line fills the memory: it is not a request yet, so nothing that
counts requests or bodies sees it. At any moment a connection is in the making of an answer, or a
timer runs that closes it, and while bytes of an answer wait for the client, another.

Knows uvicorn's protocol for one connection. Does not know what is said to a client that went too
far: it is handed in.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from service.upgrades import OneProtocol
from service.waiting import BROKEN_BODY, CLIENT_GONE

MAX_HEAD_BYTES = 65_536
"""Largest head of a request: its first line and its headers."""
LINGER_S = 2.0
"""Seconds that a client is listened to, and ignored, after it was told to go: a connection closed
over bytes not read yet is reset, and with it goes what the client was told."""
LINGER_BYTES = 2**20
"""What a client may send until then."""
READING_S = 60.0
"""Seconds in which a client has to read something of an answer; what a network forgets for a while
comes again by then."""
LATE = HTTPStatus.REQUEST_TIMEOUT
TOO_LARGE = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
MALFORMED = HTTPStatus.BAD_REQUEST

# Such a target the parser refuses as a whole, without a word of how it begins.
_NOT_ASCII = re.compile(rb"[A-Z] (/[!-~]*)[\x80-\xff]")


class Bounded(OneProtocol):
    """A connection that is closed if it keeps the server waiting.

    Subclasses set `head_s` and say what `refuse_head` answers.
    """

    head_s: float
    """Seconds in which a head has to be there: the first from the start of the connection, a later
    one from its first byte. The wait for that byte is `timeout_keep_alive`. Also those in which
    the rest of a request has to be there that was answered early."""
    reading_s = READING_S

    _within = False
    """Whether a request has begun to arrive and is not whole yet; it may be answered already, and
    what comes next is its rest, whatever it looks like."""
    _in_head = False
    _deaf = False
    """Whether nothing that still comes is read."""
    _held = 0
    """Bytes that came since the parser last handed something on, about as many as it keeps."""
    _handed_on = False
    _data = b""
    """What the parser is reading."""
    _timer: asyncio.TimerHandle | None = None
    """Closes the connection, if no head comes, or when the client has had time to hear why."""
    _answered: RequestResponseCycle | None = None
    """The request in whose answer the app is, or was last; others may have come behind it."""
    _unread = 0
    """Bytes that waited for the client when `_reader` was set."""
    _reader: asyncio.TimerHandle | None = None
    """Ends the connection, if the client reads nothing."""

    def refuse_head(self, status: HTTPStatus, method: str, path: str) -> bytes:
        """The whole answer to a head that is LATE, TOO_LARGE or MALFORMED; it says
        `Connection: close`.

        Args:
            method, path: as far as they are known.
        """
        raise NotImplementedError

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.client = _plain(self.client)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        if self._reader is not None:
            self._reader.cancel()
        if self._answered is not None:
            self._answered.disconnected = True  # uvicorn says so to the last that has come
            self._answered.scope.setdefault("state", {})[CLIENT_GONE] = True
            self._answered.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._held += len(data)
        if self._deaf:
            if self._timer is not None and self._held > LINGER_BYTES:
                self.transport.close()
            return
        self._handed_on, self._data = False, data
        super().data_received(data)
        self._data = b""
        if self._handed_on:
            self._held = 0
        if self._ending():
            return
        if self._held > MAX_HEAD_BYTES:
            self._refuse(TOO_LARGE)
        elif not self._answering() and self.timeout_keep_alive_task is None:
            if self._handed_on and not self._within:  # the rest of a request answered before
                self.await_next_request()
            else:
                self._await_head()

    def on_message_begin(self) -> None:
        self._within = self._in_head = True
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        # What stands behind a body is for nobody here: it could name another key or address.
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if self._held > MAX_HEAD_BYTES and self._head_bytes() > MAX_HEAD_BYTES:
            raise _RefusedError
        self._check_head()
        self._handed_on = True
        self._stop_timer()
        super().on_headers_complete()
        self._in_head = False

    def on_body(self, body: bytes) -> None:
        self._handed_on = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._within, self._handed_on = False, True
        self._stop_timer()
        super().on_message_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._await_reader()

    def on_response_complete(self) -> None:
        self._await_reader()
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        if not self._in_head:
            self._give_up_body()
        elif self._head_bytes() > MAX_HEAD_BYTES:
            self._refuse(TOO_LARGE)
        else:
            if not self.url and (begun := _NOT_ASCII.search(self._data)):
                self.url = begun[1]
            self._refuse(MALFORMED)

    def handle_websocket_upgrade(self) -> None:
        self._deaf = True  # from here on the connection is another's
        super().handle_websocket_upgrade()

    def idle(self) -> bool:
        """Whether what comes next is the start of a request, and the answers before it are sent and
        not piling up."""
        return not (self._within or self._deaf or self._answering() or self.flow.write_paused)

    def await_next_request(self) -> None:
        """As after any other answer: a connection that stays silent is closed."""
        self._stop_timer()
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

    def say(self, answer: bytes) -> None:
        """Send a whole answer that no app made, with the headers that all answers have."""
        status_line, _, rest = answer.partition(b"\r\n")
        lines = [status_line, *(b"%s: %s" % each for each in self.server_state.default_headers)]
        self.transport.write(b"\r\n".join([*lines, rest]))

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._answered = cycle
        super()._start_asgi_task(cycle, app)

    def _ending(self) -> bool:
        return self._deaf or self.transport.is_closing()

    def _answering(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def _head_bytes(self) -> int:
        headers = sum(len(name) + len(value) + len(b": \r\n") for name, value in self.headers)
        return len(self.url) + headers

    def _check_head(self) -> None:
        """Refuse what the parser takes and RFC 9112, 3.2 and 6.1 do not, or ours cannot read."""
        headers = self.headers
        version = self.parser.get_http_version()
        if version == "1.0":
            self.expect_100_continue = False  # RFC 9110, 10.1.1: such a client has not asked
        elif sum(name == b"host" for name, _ in headers) != 1:
            raise _RefusedError
        if any(n == b"transfer-encoding" and v.lower() != b"chunked" for n, v in headers):
            raise _RefusedError

    def _give_up_body(self) -> None:
        """Read no more, since where the body ends cannot be told; its request, which the app has or
        will have in its turn, is answered as one whose body is no HTTP."""
        self._stop_timer()
        self._deaf = True
        if not self._answering():  # it was answered early
            self.transport.close()
            return
        self.cycle.keep_alive = False
        self.cycle.scope.setdefault("state", {})[BROKEN_BODY] = True
        self.cycle.message_event.set()

    def _await_head(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(self.head_s, self._refuse, LATE)

    def _await_reader(self) -> None:
        if self._reader is not None:
            self._reader.cancel()
            self._reader = None
        self._unread = self.transport.get_write_buffer_size()
        if self._unread:
            self._reader = self.loop.call_later(self.reading_s, self._check_reader)

    def _check_reader(self) -> None:
        # Nothing is added to what waits while the app is held back, or has said all.
        nothing_added = self.flow.write_paused or not self._answering()
        if nothing_added and self.transport.get_write_buffer_size() >= self._unread:
            self.transport.abort()  # closing it would wait for the client too
        else:
            self._await_reader()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse(self, status: HTTPStatus) -> None:
        """Read no more, and close the connection once what is due is said."""
        self._stop_timer()
        self._deaf = True
        if self.transport.is_closing():
            return
        if self._answering():  # the answer in the making is the last
            self.cycle.keep_alive = False
        elif self._in_head:
            path = self.url.partition(b"?")[0].decode("latin-1")
            method = self.parser.get_method().decode() if path else ""
            self.say(self.refuse_head(status, method, path))
            self.transport.write_eof()
            self._timer = self.loop.call_later(LINGER_S, self.transport.close)
        else:  # nothing has come that could be answered
            self.transport.close()


class _RefusedError(Exception):
    """Stops the parser."""


def _plain(client: Any) -> Any:
    """The address of an IPv4 client, which a socket for both families writes as an IPv6 one."""
    if client is None or not client[0].startswith("::ffff:"):
        return client
    address = ipaddress.IPv6Address(client[0]).ipv4_mapped
    return client if address is None else (str(address), *client[1:])
