"""Puts the service together: settings, models, workers, routes, middleware, start and end.

Knows what belongs together. Does not know what any of it does. Neither importing this module nor
making an app loads a model; that happens when a server starts the app.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

import mt
from mt.errors import MTError
from mt.system.shared_arrays import shared_file
from service.clients.access import Access
from service.explaining.process import Explaining
from service.middleware import (
    BodyLimit,
    Expecting,
    Gate,
    HeadAsGet,
    Prefix,
    check_prefix,
)
from service.routes import answer, deepl, docs, explain, libretranslate, native, operations
from service.server import Server
from service.settings import Settings, load_settings, misspelt
from service.telemetry.logs import configure_logging
from service.telemetry.metrics import Metrics
from service.telemetry.observability import Observability
from service.texts.catalogue import Catalogue, load_catalogue
from service.texts.memory import TranslationMemory
from service.texts.translation import TranslationService
from service.wires import install_error_handlers, internal_error
from service.workers.pool import StartWorker
from service.workers.process import ModelProcess
from service.workers.work import AssignedModel, Assignment

log = logging.getLogger("mt.service")

WIND_UP_S = 0.5
"""For what is in a worker still: when the app ends, the server has waited for all its requests."""
READABLE_HEADERS = (
    *("X-Request-ID", "X-Translation-Pivot", "X-Translation-Flags", "X-Ignored-Parameters"),
    *("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "Retry-After"),
)
"""Of an answer, besides those that pages of other origins may read of any."""
TRANSLATION_PATHS = (
    *("/translate", "/v1/translate", "/v1/translate/stream", "/v2/translate"),
    "/v1/answer",
)


def create_app(
    settings: Settings,
    *,
    catalogue: Catalogue | None = None,
    memory: TranslationMemory | None = None,
    start_worker: StartWorker | None = None,
    explaining: Explaining | None = None,
    on_ready: Callable[[], None] | None = None,
    on_failure: Callable[[MTError], None] | None = None,
) -> FastAPI:
    """The service as an ASGI application.

    Args:
        settings: all of them; `host` and `port` are for whoever runs the server.
        catalogue: the models to serve, if they are not to be read from where the settings say.
        memory: the translation memory, if it is not to be read from where the settings say.
        start_worker: starts a worker, if not a process of its own.
        explaining: what explains, if not `service.explaining.worker`.
        on_ready: told when the app is ready for the first time.
        on_failure: told why, if it turns out that the app will never be ready.

    Raises:
        ConfigError: the prefix cannot be told from the routes.

    The app's start raises an MTError if a model, the keys or a memory cannot be used.
    """
    metrics = Metrics()
    ready, fail = on_ready or _log_ready, on_failure or _log_failure

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as parts:
            try:
                access = await _opened(Access(settings), parts)
                models = await _models(settings) if catalogue is None else catalogue
                finished = await _memory(settings) if memory is None else memory
            except MTError as error:
                fail(error)  # said here: all that a server makes of it is that the start failed
                raise
            assignment = parts.enter_context(_assignment(settings, models))
            start = start_worker or functools.partial(ModelProcess.start, assignment)
            translation = TranslationService(
                settings, models, finished, start, metrics, on_ready=ready, on_failure=fail
            )
            if settings.translation_memory:
                log.info("memory of %d segments, %d overridden", len(finished), finished.overridden)
            translation.start()
            parts.push_async_callback(translation.close, WIND_UP_S)
            server = Server(settings, translation, access, metrics, explaining or Explaining())
            parts.push_async_callback(server.explaining.close)
            app.state.server = server
            yield

    app = FastAPI(
        title="mt",
        version=mt.__version__,
        lifespan=lifespan,
        # Spans would hold what logs may not; and to look whether anyone wants them takes time.
        telemetry={"tracing": False, "metrics": False, "logs": False},
        redirect_slashes=False,  # a redirect names the client's own idea of this host; 404 instead
        openapi_url=None,  # `routes.docs` has the document, and a page that needs no network
    )
    for routes in (libretranslate, deepl, native, answer, explain, operations, docs):
        app.include_router(routes.router)
    install_error_handlers(app)
    _add_middleware(app, settings, metrics)
    return app


def _add_middleware(app: FastAPI, settings: Settings, metrics: Metrics) -> None:
    """From the inside out: what is added last sees a request first."""
    app.add_middleware(HeadAsGet)
    app.add_middleware(BodyLimit, max_bytes=settings.max_body_bytes)
    app.add_middleware(
        Gate,
        paths=TRANSLATION_PATHS,
        check=lambda: app.state.server.translation.check_available(),
    )
    app.add_middleware(_readable, settings=settings)
    app.add_middleware(Expecting)
    app.add_middleware(
        Observability,
        metrics=metrics,
        answer_failure=lambda request: _readable(internal_error(request), settings),
    )
    if settings.root_path:
        paths = [route.path for route in iter_route_contexts(app.routes) if route.path]
        check_prefix(settings.root_path, paths)
        app.add_middleware(Prefix, prefix=settings.root_path)


def _readable(app: ASGIApp, settings: Settings) -> ASGIApp:
    """An app whose answers pages of other origins may read, as far as the settings allow it."""
    if not settings.cors_origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=settings.cors_origins,
        allow_methods=["GET", "POST"],
        allow_headers=["*"],
        expose_headers=READABLE_HEADERS,
    )


async def _opened(access: Access, parts: AsyncExitStack) -> Access:
    await access.start()
    parts.push_async_callback(access.close)
    return access


async def _models(settings: Settings) -> Catalogue:
    return await asyncio.to_thread(load_catalogue, settings)


async def _memory(settings: Settings) -> TranslationMemory:
    return await asyncio.to_thread(TranslationMemory.load, settings.translation_memory)


@contextmanager
def _assignment(settings: Settings, catalogue: Catalogue) -> Iterator[Assignment]:
    """What every worker is told; what they share is there while the block lasts."""
    with ExitStack() as files:
        models = []
        for model in catalogue.all:
            shared = files.enter_context(shared_file())
            path = None if shared is None else str(shared)
            models.append(AssignedModel(model.name, str(model.folder), model.sha256, path))
        yield Assignment(tuple(models), settings.engine)


def _log_ready() -> None:
    log.info("ready")


def _log_failure(error: MTError) -> None:
    log.critical("no translation will ever be made: %s", error)


def __getattr__(name: str) -> FastAPI:
    # For `uvicorn service.app:app`. Made when asked for, so that an import reads no environment.
    if name == "app":
        configure_logging()
        for warning in misspelt():
            log.warning("%s", warning)
        return create_app(load_settings())
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
