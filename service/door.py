"""Refuses translations on the connection itself while there is no time for them.

Past its capacity a server refuses most of what it is asked, on the processor that its workers need:
through the framework a refusal takes a fifth of a millisecond, here a quarter of that. Knows
requests that have arrived whole in one piece; all else goes the usual way, where
`service.middleware.Gate` refuses it in the same words. Does not know how a connection is kept
within bounds: `service.connections` does.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from service.connections import Bounded

Refuse = Callable[[str, str | None], bytes | None]
"""The whole answer to a POST of a path, with the client's request id or one of our own; None if it
is not to be refused."""
RefuseHead = Callable[[HTTPStatus, str, str], bytes]
"""As `service.connections.Bounded.refuse_head`."""

_REQUEST = re.compile(rb"POST (/[\w/.-]+) HTTP/1\.1\r\n")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d{1,9})\r\n", re.IGNORECASE)
_REQUEST_ID = re.compile(rb"\r\nx-request-id: *([A-Za-z0-9._:-]{1,128})\r\n", re.IGNORECASE)
_UNUSUAL = re.compile(rb"\r\n(connection|expect|transfer-encoding|origin):", re.IGNORECASE)
"""Headers that ask for more than an answer."""
_HEAD_END = b"\r\n\r\n"


def door(refuse: Refuse, refuse_head: RefuseHead, deadline_s: float) -> type[Bounded]:
    """The protocol of a server's connections; `uvicorn.Config(http=...)` takes it.

    Args:
        deadline_s: seconds in which the head of a request has to be there.
    """

    class Door(Bounded):
        head_s = deadline_s

        def refuse_head(self, status: HTTPStatus, method: str, path: str) -> bytes:
            return refuse_head(status, method, path)

        def data_received(self, data: bytes) -> None:
            if self.idle() and (answer := _answer(data, refuse)) is not None:
                self._unset_keepalive_if_required()
                self.say(answer)
                self.await_next_request()
            else:
                super().data_received(data)

    return Door


def _answer(data: bytes, refuse: Refuse) -> bytes | None:
    request = _REQUEST.match(data)
    if request is None:
        return None
    end = data.find(_HEAD_END)
    length = _LENGTH.search(data, 0, end + 2)
    whole = length is not None and len(data) == end + len(_HEAD_END) + int(length[1])
    if end < 0 or not whole or _UNUSUAL.search(data, 0, end):
        return None
    request_id: Any = _REQUEST_ID.search(data, 0, end + 2)
    return refuse(request[1].decode(), request_id[1].decode() if request_id else None)
