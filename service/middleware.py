"""What is done to every request before anything is read of it.

Knows ASGI messages only, and passes them on as they come, so that a client's departure is seen
by whoever waits for it. Does not know routes, parameters or texts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import Kind, ServiceError
from service.wires import error_response


class Prefix:
    """Tells the app the path under which a proxy serves it, whether or not the proxy strips it.

    Args:
        prefix: without a slash at its end.
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

        await self._app(scope, receive_counted, send)

    def _refusal(self) -> ServiceError:
        return ServiceError(Kind.TOO_LARGE, f"the request body exceeds {self._max_bytes} bytes")


def _announced(scope: Scope) -> int:
    """The content length; 0 if there is none, or none that is a number."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() else 0
    return 0
