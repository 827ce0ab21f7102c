"""What `service.door` says to those it does not let in, and what log and metrics are told of them.

Knows the paths of translations, how each wire says that the server is busy, and how it says that
the head of a request is too large, too late or no HTTP. Does not know connections.
"""

from __future__ import annotations

import functools
import secrets
from collections.abc import Collection
from http import HTTPStatus

import structlog
from fastapi import FastAPI
from starlette.responses import Response

from service.connections import LATE, MALFORMED, MAX_HEAD_BYTES, TOO_LARGE
from service.errors import STATUS, Kind, ServiceError
from service.server import Server
from service.telemetry.metrics import OTHER_ROUTE, known_method
from service.telemetry.observability import RequestRecord
from service.wires import error_response
from service.workers.queue import overloaded

STATUS_SENT = STATUS[Kind.OVERLOADED]
HEAD_ERRORS = {
    LATE: ServiceError(Kind.REQUEST_TIMEOUT, "the request took too long to arrive"),
    TOO_LARGE: ServiceError(Kind.TOO_LARGE, f"the request head exceeds {MAX_HEAD_BYTES} bytes"),
    MALFORMED: ServiceError(
        Kind.INVALID_REQUEST,
        "the request head is not HTTP/1.1: the method is one of HTTP's; in path and query, spaces "
        "and all that is not ASCII have to be percent-encoded; there is one Host; headers may not "
        "contradict each other; no transfer coding but chunked is read",
    ),
}
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
        self._tell(server, path, "POST", STATUS_SENT, Kind.OVERLOADED, request_id)
        return _answer(path, retry_after_s).replace(_ID.encode(), request_id.encode())

    def head(self, status: HTTPStatus, method: str, path: str) -> bytes:
        """As `service.door.RefuseHead`."""
        server: Server = self._app.state.server  # there, since connections are let in after it
        error = HEAD_ERRORS[status]
        request_id = secrets.token_hex(16)
        self._tell(server, OTHER_ROUTE, method, status, error.kind, request_id)
        response = _response(path.removeprefix(server.settings.root_path), error, request_id)
        response.status_code = status  # no wire has one of its own for a head that is too large
        response.headers["Connection"] = "close"
        return _sent(response)

    def _tell(
        self, server: Server, route: str, method: str, status: int, error: Kind, request_id: str
    ) -> None:
        server.metrics.request_started()
        server.metrics.request_finished(route, method, status, 0.0)
        server.metrics.rejected(error)
        self._log.info(
            "request",
            request_id=request_id,
            route=route,
            method=known_method(method),
            status=status,
            ms=0.0,
            error=error,
        )


@functools.lru_cache(maxsize=100)
def _answer(path: str, retry_after_s: int) -> bytes:
    """What the wire of a path says, as it is sent."""
    return _sent(_response(path, overloaded(retry_after_s), _ID))


def _response(path: str, error: ServiceError, request_id: str) -> Response:
    state = {"record": RequestRecord(request_id), "request_id": request_id}
    response = error_response({"path": path, "state": state}, error)
    response.headers["X-Request-ID"] = request_id
    return response


def _sent(response: Response) -> bytes:
    status = HTTPStatus(response.status_code)
    head = [f"HTTP/1.1 {status.value} {status.phrase}".encode()]
    head += [name + b": " + value for name, value in response.raw_headers]
    return b"\r\n".join([*head, b"", bytes(response.body)])
