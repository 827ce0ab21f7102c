"""Puts the service together: settings, translator, routes, middleware, start and end.

Knows what belongs together. Does not know what any of it does. Neither importing this module nor
making an app loads a model; that happens when a server starts the app.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI

from service.batching import Translator
from service.errors import install_error_handlers
from service.middleware import BodyLimit, RequestLog
from service.routes import libretranslate, operations
from service.settings import Settings, load_settings
from service.translation import TranslationService


def create_app(settings: Settings, translator: Translator[Any, Any] | None = None) -> FastAPI:
    """The service as an ASGI application.

    Args:
        settings: all of them; `host` and `port` are for whoever runs the server.
        translator: to serve instead of the model that the settings name.

    The app's start raises BundleError if the model cannot be loaded.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        service = await asyncio.to_thread(_load_service, settings, translator)
        service.start()
        app.state.service = service
        try:
            yield
        finally:
            await asyncio.to_thread(service.close)

    # No /docs page: the stock one loads its scripts from another host. /openapi.json is there.
    app = FastAPI(title="mt", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.include_router(operations.router)
    app.include_router(libretranslate.router)
    app.add_middleware(BodyLimit, max_bytes=settings.max_body_bytes)
    app.add_middleware(RequestLog)
    install_error_handlers(app)
    return app


def _load_service(
    settings: Settings, translator: Translator[Any, Any] | None
) -> TranslationService:
    return TranslationService(settings, translator or _load_translator(settings))


def _load_translator(settings: Settings) -> Translator[Any, Any]:
    # Imported only here, so that a service over another translator does not wait for it.
    from mt.translator import Translator as Model

    return Model.load(settings.model, engine=settings.engine, threads=settings.threads)


def __getattr__(name: str) -> FastAPI:
    # For `uvicorn service.app:app`. Made when asked for, so that an import reads no environment.
    if name == "app":
        return create_app(load_settings())
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
