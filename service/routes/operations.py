"""Is the process alive, and is it ready for work?

Knows the service's state. Does not translate: asking costs nothing, however busy the server is.
"""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from service.dependencies import Service
from service.schemas import Health, Readiness

router = APIRouter(tags=["operations"])

RETRY_AFTER_S = 1


@router.head("/health", include_in_schema=False)
@router.get("/health")
async def health() -> Health:
    """Answers as long as the process does; restart it if this fails."""
    return Health()


@router.head("/ready", include_in_schema=False)
@router.get("/ready", response_model=Readiness, responses={503: {"model": Readiness}})
async def ready(service: Service) -> Response:
    """200 once a first translation went through the worker; send no requests while it is 503."""
    if service.status == "ready":
        return JSONResponse(
            {"status": "ready", "model": service.model_name, "engine": service.engine}
        )
    return JSONResponse({"status": service.status}, 503, {"Retry-After": str(RETRY_AFTER_S)})
