"""What is done to every request before anything is read of it.

Knows ASGI messages only, and passes them on as they come, so that a client's departure is seen
by whoever waits for it. Does not know routes, parameters or texts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mt.errors import ConfigError
from service.errors import STATUS, Kind, ServiceError
from service.waiting import BROKEN_BODY
from service.wires import error_response

LATE = STATUS[Kind.REQUEST_TIMEOUT]


class Prefix:
    """Tells the app the path under which a proxy serves it, whether or not the proxy strips it.

    That a path begins with the prefix is how a path is told that still has it, so no route may.

    Args:
        prefix: without a slash at its end; one that `check_prefix` accepts.
    """

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self._app = app
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = scope["path"]
            if not f"{path}/".startswith(f"{self._prefix}/"):
                path = self._prefix + path
            scope = {**scope, "path": path, "root_path": self._prefix}
        await self._app(scope, receive, send)


def check_prefix(prefix: str, paths: Iterable[str]) -> None:
    """Tell a prefix of `Prefix` that cannot be told from the routes themselves.

    Args:
        paths: of all routes.

    Raises:
        ConfigError: it is the beginning of one of them.
    """
    for path in sorted(paths):
        if f"{path}/".startswith(f"{prefix}/"):
            raise ConfigError(
                f"MT_ROOT_PATH: {prefix} is also where the route {path} begins, so it could not "
                "be told whether a proxy has stripped it; serve it under another prefix"
            )


class HeadAsGet:
    """Answers HEAD wherever GET is answered (RFC 9110, 9.1); the server leaves the body out."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        as_get = {**scope, "method": "GET"}
        await self._app(as_get, receive, send)
        scope["endpoint"] = as_get.get("endpoint")  # for those outside, who count by it


class Expecting:
    """Says that the connection closes, where a client that asked for leave to send its body is
    answered without (RFC 9110, 10.1.1): what it sends next could be that body or a request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or all(name != b"expect" for name, _ in scope["headers"]):
            await self._app(scope, receive, send)
            return
        given = False

        async def receive_with_leave() -> Message:
            nonlocal given
            given = True
            return await receive()

        async def send_and_close(message: Message) -> None:
            if message["type"] == "http.response.start" and not given:
                message = _closing(message)
            await send(message)

        await self._app(scope, receive_with_leave, send_and_close)


class Gate:
    """Refuses translations at once while there is no time for them, without reading them.

    For all servers and requests that `service.door` does not refuse before; it too has to be cheap.

    Args:
        paths: of POST requests that want something translated.
        check: raises ServiceError if nothing is accepted now.
    """

    def __init__(self, app: ASGIApp, paths: Collection[str], check: Callable[[], None]) -> None:
        self._app = app
        self._paths = frozenset(paths)
        self._check = check

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST":
            path = scope["path"].removeprefix(scope.get("root_path", ""))
            if path in self._paths:
                try:
                    self._check()
                except ServiceError as error:
                    await error_response(scope, error)(scope, receive, send)
                    return
        await self._app(scope, receive, send)


class BodyLimit:
    """Refuses a body that says it has more than `max_bytes`, or as soon as more have arrived.

    The connection on which one did not arrive in time (408) is closed: the rest may come at any
    time or never.

    Raises (out of `receive`):
        ServiceError: TOO_LARGE; INVALID_REQUEST, its chunks are none.
    """

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if _announced(scope) > self._max_bytes:
            await error_response(scope, self._refusal())(scope, receive, send)
            return
        received = 0

        async def receive_counted() -> Message:
            nonlocal received
            message = await receive()
            if scope.get("state", {}).get(BROKEN_BODY):
                raise ServiceError(Kind.INVALID_REQUEST, "the chunks of the body are no HTTP/1.1")
            received += len(message.get("body", b""))
            if received > self._max_bytes:
                raise self._refusal()
            return message

        async def send_and_close(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == LATE:
                message = _closing(message)
            await send(message)

        await self._app(scope, receive_counted, send_and_close)

    def _refusal(self) -> ServiceError:
        return ServiceError(Kind.TOO_LARGE, f"the request body exceeds {self._max_bytes} bytes")


def _closing(message: Message) -> Message:
    # A new message and list: the app may send the same ones again.
    return {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}


def _announced(scope: Scope) -> int:
    """The content length; 0 if there is none, or none that is a number."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() else 0
    return 0
