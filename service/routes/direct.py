"""Routes that read their requests and write their answers themselves.

Knows how the framework calls a route. Does not know any route.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from service.server import Server, server_of

Endpoint = Callable[[Request, Server], Coroutine[Any, Any, Response]]


def post(router: APIRouter, path: str, **described: Any) -> Callable[[Endpoint], Endpoint]:
    """As `router.post`, for an endpoint of a request and the server that needs nothing else.

    Args:
        described: what OpenAPI is told of the route, as of `router.post`.
    """

    def add(endpoint: Endpoint) -> Endpoint:
        router.add_api_route(
            path, endpoint, methods=["POST"], route_class_override=_DirectRoute, **described
        )
        return endpoint

    return add


class _DirectRoute(APIRoute):
    """Calls its endpoint with the request and the server, and sends what it returns.

    All else that the framework does for a route, to find its parameters and to check its answer,
    would find nothing to do here: it takes an eighth of the time of a request all the same.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        endpoint: Endpoint = self.endpoint

        async def handle(request: Request) -> Response:
            return await endpoint(request, server_of(request))

        return handle
