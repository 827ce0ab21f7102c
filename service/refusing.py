"""What `service.door` says to those it does not let in, and what log and metrics are told of them.

Knows the paths of translations and how each wire says that the server is busy. Does not know
connections.
"""

from __future__ import annotations

import functools
import secrets
from collections.abc import Collection
from http import HTTPStatus

import structlog
from fastapi import FastAPI

from service.errors import STATUS, Kind
from service.server import Server
from service.telemetry.observability import RequestRecord
from service.wires import error_response
from service.workers.queue import overloaded

STATUS_SENT = STATUS[Kind.OVERLOADED]
_ID = "0" * 32
"""Stands for the request's id in an answer that is kept."""


class Refusing:
    """Refuses translations for one app, because its queue is too long and for no other reason.

    Args:
        paths: of POST requests that want something translated.
    """

    def __init__(self, app: FastAPI, paths: Collection[str]) -> None:
        self._app = app
        self._paths = frozenset(paths)
        self._log = structlog.get_logger().bind()

    def __call__(self, path: str, request_id: str | None) -> bytes | None:
        """As `service.door.Refuse`."""
        server = getattr(self._app.state, "server", None)
        if path not in self._paths or server is None or server.translation.status != "ready":
            return None
        retry_after_s = server.translation.queue.busy_s
        if retry_after_s is None:
            return None
        request_id = request_id or secrets.token_hex(16)
        if len(request_id) != len(_ID):
            return None  # the length of the answer would be another
        self._tell(server, path, request_id)
        return _answer(path, retry_after_s).replace(_ID.encode(), request_id.encode())

    def _tell(self, server: Server, path: str, request_id: str) -> None:
        server.metrics.request_started()
        server.metrics.request_finished(path, "POST", STATUS_SENT, 0.0)
        server.metrics.rejected(Kind.OVERLOADED)
        self._log.info(
            "request",
            request_id=request_id,
            route=path,
            method="POST",
            status=STATUS_SENT,
            ms=0.0,
            error=Kind.OVERLOADED,
        )


@functools.lru_cache(maxsize=100)
def _answer(path: str, retry_after_s: int) -> bytes:
    """What the wire of a path says, as it is sent."""
    state = {"record": RequestRecord(_ID), "request_id": _ID}
    response = error_response({"path": path, "state": state}, overloaded(retry_after_s))
    status = HTTPStatus(response.status_code)
    headers = [*response.raw_headers, (b"x-request-id", _ID.encode())]
    head = [f"HTTP/1.1 {status.value} {status.phrase}".encode()]
    head += [name + b": " + value for name, value in headers]
    return b"\r\n".join([*head, b"", bytes(response.body)])
