"""What is done to every request alike: its body is bounded and it leaves one line in the log.

Knows ASGI messages only, and passes them on as they come, so that a client's departure is seen
by whoever waits for it. Does not know routes or texts; a log line never holds a text.
"""

from __future__ import annotations

import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import ServiceError

log = logging.getLogger("mt.service")


class RequestLog:
    """Logs method, route template, status and milliseconds of every request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, note_status)
        finally:
            # The template, not the path: a path may hold anything, a query string the text.
            route = getattr(scope.get("route"), "path", "other")
            elapsed_ms = 1000 * (time.perf_counter() - started)
            log.info("%s %s %d %.1f ms", scope["method"], route, status, elapsed_ms)


class BodyLimit:
    """Refuses a body as soon as more than `max_bytes` of it have arrived.

    Raises (out of `receive`):
        ServiceError: 413.
    """

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        received = 0

        async def receive_counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_bytes:
                raise ServiceError(413, f"the request body exceeds {self._max_bytes} bytes")
            return message

        await self._app(scope, receive_counted, send)
