"""How every failure looks to a client: a status code and `{"error": message}`.

Knows which status each error of the service and of `mt` has. Does not know which request caused
it. A message for a client never holds an internal detail; those are in the log.
"""

from __future__ import annotations

import logging

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from mt.errors import InputError
from service.batching import RefusedError, TextFailedError

log = logging.getLogger("mt.service")


class ServiceError(Exception):
    """A request that cannot be answered: a status code and a message for the client."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def install_error_handlers(app: FastAPI) -> None:
    """Render every exception that leaves a route, and every refusal of the router."""
    app.add_exception_handler(ServiceError, _service_error)
    app.add_exception_handler(InputError, _input_error)
    app.add_exception_handler(RefusedError, _refused)
    app.add_exception_handler(TextFailedError, _internal_error)
    app.add_exception_handler(ClientDisconnect, _client_gone)
    app.add_exception_handler(HTTPException, _http_exception)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(Exception, _internal_error)


def _service_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ServiceError)
    return JSONResponse({"error": error.message}, error.status)


def _input_error(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 400)


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)
    return JSONResponse({"error": str(error)}, 503, {"Retry-After": str(error.retry_after_s)})


def _client_gone(request: Request, error: Exception) -> Response:
    # Nobody reads this; 499 is the customary status for "the client left" in access logs.
    return Response(status_code=499)


def _http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


def _invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    mistake = error.errors()[0]
    field = ".".join(str(part) for part in mistake["loc"])
    return JSONResponse({"error": f"Invalid request: {field}: {mistake['msg']}"}, 422)


def _internal_error(request: Request, error: Exception) -> Response:
    # The traceback is already in the log: the worker writes its own, the server all others.
    return JSONResponse({"error": "internal error"}, 500)
