"""How each wire says that something went wrong.

Knows the paths of the wires and the shape, the status and the words of their errors. Does not know
what a request wanted.

| paths | wire | body |
|---|---|---|
| /v2/..., /v3/... | DeepL | {"message": text} |
| /v1/... | native | {"error": {"code", "message", "field", "request_id"}} |
| all else | LibreTranslate | {"error": text} |
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, NamedTuple

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import compile_path
from starlette.types import Scope

from service.errors import STATUS, Kind, ServiceError
from service.telemetry.observability import CLIENT_LEFT


class Wire(NamedTuple):
    """A wire's errors."""

    statuses: Mapping[Kind, int]
    """Where they are not those of `service.errors`."""
    prefixes: Mapping[Kind, str]
    """What clients look for at the start of a message."""

    def status(self, kind: Kind) -> int:
        return self.statuses.get(kind, STATUS[kind])


DEEPL = Wire({Kind.QUOTA_EXCEEDED: 456}, {})
NATIVE = Wire({Kind.KEY_MISSING: 401}, {})
LIBRETRANSLATE = Wire(
    {Kind.KEY_MISSING: 400},
    {Kind.RATE_LIMITED: "Slowdown: ", Kind.OVERLOADED: "Slowdown: "},
)


def error_response(scope: Scope, error: ServiceError) -> Response:
    """The answer to a request that failed."""
    scope["state"]["record"].error = error.kind
    wire = _wire(scope)
    message = wire.prefixes.get(error.kind, "") + error.message
    body: dict[str, Any]
    if wire is DEEPL:
        body = {"message": message}
    elif wire is NATIVE:
        body = native_error(error, scope["state"]["request_id"])
    else:
        body = {"error": message}
    headers = error.headers
    if error.retry_after_s is not None:
        headers = headers | {"Retry-After": str(error.retry_after_s)}
    status = wire.status(error.kind)
    if status == HTTPStatus.UNAUTHORIZED:
        headers = headers | {"WWW-Authenticate": "Bearer"}
    return JSONResponse(body, status, headers)


def native_error(error: ServiceError, request_id: str) -> dict[str, Any]:
    """A body of the native wire; also in the place of a text that failed alone."""
    return {
        "error": {
            "code": error.kind,
            "message": error.message,
            "field": error.field,
            "request_id": request_id,
        }
    }


def install_error_handlers(app: FastAPI) -> None:
    """Render every exception that leaves a route, and every refusal of the router."""
    app.add_exception_handler(ServiceError, _service_error)
    app.add_exception_handler(ClientDisconnect, _client_gone)
    app.add_exception_handler(HTTPException, _http_exception)
    app.add_exception_handler(RequestValidationError, _invalid_request)


def internal_error(request: Request) -> Response:
    """The answer to a request that ran into a bug of ours; the traceback is in the log."""
    return error_response(request.scope, ServiceError(Kind.INTERNAL, "internal error"))


def _wire(scope: Scope) -> Wire:
    path = scope["path"].removeprefix(scope.get("root_path", ""))
    if path.startswith(("/v2/", "/v3/")):  # glossaries of several languages are in version 3
        return DEEPL
    return NATIVE if path.startswith("/v1/") else LIBRETRANSLATE


def _service_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ServiceError)
    return error_response(request.scope, error)


def _client_gone(request: Request, error: Exception) -> Response:
    return Response(status_code=CLIENT_LEFT)  # which nobody sees


def _http_exception(request: Request, error: Exception) -> Response:
    """What the router and the framework refuse: unknown paths, methods, broken bodies."""
    assert isinstance(error, HTTPException)
    kinds = {
        404: Kind.NOT_FOUND,
        405: Kind.METHOD_NOT_ALLOWED,
        413: Kind.TOO_LARGE,
    }
    refusal = ServiceError(kinds.get(error.status_code, Kind.INVALID_REQUEST), str(error.detail))
    response = error_response(request.scope, refusal)
    response.headers.update(error.headers or {})
    if error.status_code == 405:
        response.headers["Allow"] = ", ".join(_methods(request))
    return response


def _methods(request: Request) -> list[str]:
    """What may be done with a path; the router names the methods of one of its routes only."""
    path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    methods = {
        method
        for route in iter_route_contexts(request.app.routes)
        if route.path and compile_path(route.path)[0].match(path)
        for method in route.methods or ()
    }
    return sorted(methods | {"HEAD"} if "GET" in methods else methods)


def _invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    mistake = error.errors()[0]
    where = [str(part) for part in mistake["loc"] if part not in ("body", "query")]
    field = ".".join(where) or None
    message = f"{field}: {mistake['msg']}" if field else str(mistake["msg"])
    return error_response(request.scope, ServiceError(Kind.INVALID_REQUEST, message, field=field))
