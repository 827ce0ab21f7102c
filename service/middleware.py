"""What is done to every request before anything is read of it.

Knows ASGI messages only, and passes them on as they come, so that a client's departure is seen
by whoever waits for it. Does not know routes, parameters or texts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mt.errors import ConfigError
from service.errors import STATUS, Kind, ServiceError
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
        ServiceError: TOO_LARGE.
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
            received += len(message.get("body", b""))
            if received > self._max_bytes:
                raise self._refusal()
            return message

        async def send_and_close(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == LATE:
                # A new message and list: the app may send the same ones again.
                message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
            await send(message)

        await self._app(scope, receive_counted, send_and_close)

    def _refusal(self) -> ServiceError:
        return ServiceError(Kind.TOO_LARGE, f"the request body exceeds {self._max_bytes} bytes")


def _announced(scope: Scope) -> int:
    """The content length; 0 if there is none, or none that is a number."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() else 0
    return 0
