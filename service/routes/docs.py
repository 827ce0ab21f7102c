"""What this server can be asked: the OpenAPI document, and a page that shows it.

Knows the page's files, which come with an installed package, so that it works without a network.
Its links are relative: they hold under whatever prefix a proxy serves them.
"""

from __future__ import annotations

import asyncio
from importlib import resources
from pathlib import Path

from fastapi import APIRouter
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from service.errors import Kind, ServiceError
from service.openapi import document
from service.server import ServerOf

router = APIRouter(include_in_schema=False)

ASSETS = Path(str(resources.files("fastapi_swagger.resources")))
SCRIPT, STYLE, ICON = "swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png"


@router.get("/docs")
async def docs(request: Request) -> Response:
    """The page."""
    return get_swagger_ui_html(
        openapi_url="openapi.json",
        title=f"{request.app.title} {request.app.version}",
        swagger_js_url=f"docs/{SCRIPT}",
        swagger_css_url=f"docs/{STYLE}",
        swagger_favicon_url=f"docs/{ICON}",
        # Would else send the document to the makers of the page, to have it checked.
        swagger_ui_parameters={"validatorUrl": None},
    )


@router.get("/docs/{name}")
async def asset(name: str) -> Response:
    """A file of the page."""
    if name not in (SCRIPT, STYLE, ICON):
        raise ServiceError(Kind.NOT_FOUND, "Not Found")
    return FileResponse(ASSETS / name)


@router.get("/openapi.json")
async def openapi(request: Request, server: ServerOf) -> Response:
    """The document, written when it is first asked for: that takes a while."""
    state = request.app.state
    if not hasattr(state, "openapi"):
        state.openapi = await asyncio.to_thread(document, request.app, server)
    return JSONResponse(state.openapi)
