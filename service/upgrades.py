"""A connection on which offers of another protocol are ignored, as RFC 9110, 7.8 allows.

Clients that would rather speak HTTP/2 say `Upgrade: h2c` with their first request and go on in
HTTP/1.1 if nothing is said about it. The parser takes whatever follows such a head for the other
protocol already, so that the body would be lost. Here a new parser is given the head once more,
without the offer, and then what follows, byte for byte.

Knows uvicorn's protocol for one connection and its parser. A tunnel (CONNECT), and websockets where
uvicorn has something that speaks them, go the way they have there. Does not know what is asked.
"""

from __future__ import annotations

from typing import Any

from httptools import HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class OneProtocol(HttpToolsProtocol):
    """A connection that stays with HTTP/1.1, whatever else a client offers."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.parser = _Parser(self)

    def ignores_upgrade(self) -> bool:
        """Whether the head that has just come whole offers something that is to be ignored."""
        return (
            self.parser.should_upgrade()
            and self.parser.get_method() != b"CONNECT"
            and not self._should_upgrade()
        )

    def head_without_upgrade(self) -> bytes:
        """The last whole head, as it came but for the offer and the case of the names."""
        version = self.parser.get_http_version().encode()
        lines = [b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, version)]
        lines += [b"%s: %s" % header for header in self.headers if header[0] != b"upgrade"]
        return b"\r\n".join([*lines, b"", b""])

    def on_headers_complete(self) -> None:
        if not self.ignores_upgrade():
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        # Told of right after such a head, and again at the end of the message.
        if not self.ignores_upgrade():
            super().on_message_complete()


class _Parser(HttpRequestParser):
    def __init__(self, connection: OneProtocol) -> None:
        super().__init__(connection)
        self.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's own
        self._connection = connection

    def feed_data(self, data: Any) -> None:
        parser = self
        while True:
            try:
                return HttpRequestParser.feed_data(parser, data)
            except HttpParserUpgrade as upgrade:
                if not self._connection.ignores_upgrade():
                    raise
                (read,) = upgrade.args
                data = memoryview(data)[read:]  # no copy, since a piece may hold many such heads
            head = self._connection.head_without_upgrade()
            # Another one: with `Connection: close` the old would take no more.
            parser = self._connection.parser = _Parser(self._connection)
            HttpRequestParser.feed_data(parser, head)
