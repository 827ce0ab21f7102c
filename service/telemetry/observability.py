"""Every request has an id, leaves one line in the log, and is counted.

Knows ASGI messages and how a request can end. What it was about, a route notes in the request's
record. Neither the line nor the figures hold a text, a key or an address.

It belongs outside all other middleware of the app, to see what the client sees.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import Kind
from service.telemetry.metrics import OTHER_ROUTE, Metrics, known_method
from service.telemetry.route_templates import RouteTemplates
from service.waiting import CLIENT_GONE

REQUEST_ID_HEADER = b"x-request-id"
ALLOWED_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}")
CLIENT_LEFT = 499
"""Status of a request whose client left before the answer was complete, as nginx counts it."""
FAILED = 500

AnswerFailure = Callable[[Request], ASGIApp]


@dataclass
class RequestRecord:
    """What is known of a request; routes note what they learn. None is not logged."""

    request_id: str
    pair: str | None = None
    """Codes of languages served, such as "de-en"."""
    n: int | None = None
    """Texts."""
    chars: int | None = None
    """Source characters."""
    client: str | None = None
    """The name of the client's key; never the key."""
    queue_ms: float | None = None
    """The longest wait of a segment for a worker."""
    infer_ms: float | None = None
    """The longest time of a segment in a worker."""
    cached: int | None = None
    """Segments that the cache or the translation memory had."""
    flags: Sequence[str] | None = None
    """Flags of `mt.flags` on the translations."""
    error: Kind | None = None
    """Of the error answered."""

    def fields(self) -> dict[str, Any]:
        """What a line of log says of it."""
        return {name: value for name, value in vars(self).items() if value is not None}


def record_of(request: HTTPConnection) -> RequestRecord:
    """The record of a request that came through `Observability`."""
    record = request.scope["state"]["record"]
    assert isinstance(record, RequestRecord)
    return record


class Observability:
    """Middleware: request id, one line of log and the metrics of every request.

    The id is the client's own X-Request-ID if that has 1 to 128 characters of A-Z a-z 0-9 . _ : -,
    else a new one. It is in `request.state.request_id` and in the answer's header.

    A request is over with the last byte of its answer, a streamed one too. The status logged and
    counted is the one that was sent, unless the answer never got complete: then 499 if the client
    left, and 500 if not.

    Args:
        metrics: where to count.
        answer_failure: answers a request whose handler raised; its traceback is in the line. Left
            out, or once an answer has begun, the exception goes on to the server.
    """

    def __init__(
        self, app: ASGIApp, metrics: Metrics, answer_failure: AnswerFailure | None = None
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._answer_failure = answer_failure
        self._templates: RouteTemplates | None = None
        self._log = structlog.get_logger().bind()  # once; it would be bound anew for each line

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        record = RequestRecord(_request_id(scope))
        scope.setdefault("state", {}).update(record=record, request_id=record.request_id)
        templates = self._templates_of(scope)  # before a mounted app takes the place of ours
        exchange = _Exchange(receive, send, scope["state"])
        self._metrics.request_started()
        failure: BaseException | None = None
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except ClientDisconnect:
            exchange.left = True  # there is nobody to answer
        except BaseException as error:
            failure = error
            if exchange.begun or not self._answer_failure or not isinstance(error, Exception):
                raise
            await self._answer_failure(Request(scope))(scope, exchange.receive, exchange.send)
        finally:
            route = templates.find(scope) or OTHER_ROUTE
            self._finish(scope["method"], route, record, exchange, failure)

    def _templates_of(self, scope: Scope) -> RouteTemplates:
        if self._templates is None:
            self._templates = RouteTemplates(getattr(scope.get("app", self._app), "routes", ()))
        return self._templates

    def _finish(
        self,
        method: str,
        route: str,
        record: RequestRecord,
        exchange: _Exchange,
        failure: BaseException | None,
    ) -> None:
        status, seconds = exchange.outcome(failed=failure is not None)
        self._metrics.request_finished(route, method, status, seconds)
        if record.error is not None:
            self._metrics.rejected(record.error)
        fields = record.fields()
        line = {
            "request_id": fields.pop("request_id"),
            "route": route,
            "method": known_method(method),
            "status": status,
            "ms": round(1000 * seconds, 1),
            **fields,
        }
        if failure is None:
            self._log.info("request", **line)
        else:
            self._log.error("request", exc_info=failure, **line)


class _Exchange:
    """The messages of one request, passed on as they come."""

    def __init__(self, receive: Receive, send: Send, state: Mapping[str, Any]) -> None:
        self.left = False
        """Whether the client is known to have left."""
        self.begun = False
        self._receive = receive
        self._send = send
        self._state = state
        self._header = (REQUEST_ID_HEADER, state["request_id"].encode())
        self._status = FAILED
        self._started = time.perf_counter()
        self._ended: float | None = None

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self.left = True
        return message

    async def send(self, message: Message) -> None:
        if CLIENT_GONE in self._state:
            self.left = True
            if self.begun:  # a stream would go on for ever
                raise ClientDisconnect
            return
        last = False
        if message["type"] == "http.response.start":
            self.begun, self._status = True, message["status"]
            # A new message and list: the app may send the same ones again.
            message = {**message, "headers": [*message.get("headers", ()), self._header]}
        elif message["type"] == "http.response.body":
            last = not message.get("more_body", False)
        if last:
            # Before it goes out, since that may be cut short: whoever listens for messages is told
            # of the end as if the client had left.
            self._ended = time.perf_counter()
        try:
            await self._send(message)
        except OSError as error:
            self.left, self._ended = True, None
            raise ClientDisconnect from error
        if last:
            self._ended = time.perf_counter()

    def outcome(self, *, failed: bool) -> tuple[int, float]:
        """Status of the request, and the seconds it took."""
        if self._ended is not None:
            return self._status, self._ended - self._started
        status = CLIENT_LEFT if self.left and not failed else FAILED
        return status, time.perf_counter() - self._started


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == REQUEST_ID_HEADER:
            return value.decode() if ALLOWED_ID.fullmatch(value) else _new_id()
    return _new_id()


def _new_id() -> str:
    return secrets.token_hex(16)
