"""Is the process alive, is it ready for work, and what has it done?

Knows the service's state and figures. Does not translate: asking costs nothing, however busy the
server is.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from service.schemas import Health, Readiness
from service.server import ServerOf

router = APIRouter(tags=["operations"])

RETRY_AFTER_S = 1


@router.get("/health", response_model=Health)
async def health() -> Response:
    """Answers as long as the process does; restart it if this fails."""
    return JSONResponse({"status": "ok"})


@router.get("/ready", response_model=Readiness, responses={503: {"model": Readiness}})
async def ready(server: ServerOf) -> Response:
    """200 while all workers are there; send no requests while it is 503."""
    translation = server.translation
    status = translation.status
    if status != "ready":
        headers = {} if status == "failed" else {"Retry-After": str(RETRY_AFTER_S)}
        return JSONResponse({"status": status}, 503, headers)
    default = translation.catalogue.default.name
    body: dict[str, Any] = {
        "status": status,
        "model": default,
        "engine": translation.pool.engines[default],
        "models": [model.name for model in translation.catalogue.all],
        "workers": translation.pool.size,
    }
    return JSONResponse(body)


@router.get("/metrics", response_class=Response)
async def metrics(request: Request, server: ServerOf) -> Response:
    """Figures for Prometheus."""
    content, content_type = server.metrics.render(request.headers.get("accept", ""))
    return Response(content, media_type=content_type)
