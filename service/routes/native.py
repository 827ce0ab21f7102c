"""The native wire: its routes.

Knows which route answers what. `service.native` knows the bodies.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from service.aside import aside_if
from service.clients.access import Client
from service.descriptions import of_server, request_body, schema_of
from service.errors import ServiceError
from service.native.reading import read_job, read_request
from service.native.rendering import Renderer, model_reference
from service.native.schemas import (
    REFUSALS,
    ErrorEvent,
    LanguageList,
    LanguageName,
    LanguagePair,
    ModelDetails,
    ModelList,
    NativeErrorBody,
    ResultEvent,
    SegmentEvent,
    TranslateRequest,
    TranslateResult,
)
from service.native.streaming import JSON_LINES, SSE, Announce, Event, stream
from service.routes import direct
from service.server import Answers, Server, ServerOf, carry_out
from service.telemetry.observability import record_of
from service.texts.catalogue import Model
from service.texts.jobs import Answer, Job, Outcome, Progress, Segment
from service.texts.languages import language_name
from service.texts.sharing import SEGMENTS_A_TURN
from service.waiting import receive_in_time

router = APIRouter(prefix="/v1", tags=["native"])

FAILURES: dict[int | str, dict[str, Any]] = {500: {"model": NativeErrorBody}}
BODY = request_body(TranslateRequest)
STREAM = {
    "description": "Segments as they are translated, each an event; the last event has the whole "
    "result, or an error.",
    "content": {
        media_type: {"schema": schema_of(SegmentEvent | ResultEvent | ErrorEvent)}
        for media_type in (*JSON_LINES, SSE)
    },
}
ModelName = Annotated[str, Path(json_schema_extra=of_server(enum="all_models"))]


@direct.post(
    router, "/translate", response_model=TranslateResult, responses=REFUSALS, openapi_extra=BODY
)
async def translate(request: Request, server: ServerOf) -> Response:
    """Translate texts, and tell all there is to tell about the translations.

    A text that cannot be translated has an error in its place, and the others are answered; the
    request fails only if no text could be translated.
    """
    order = await _receive(request, server)
    answers = await order.carry_out()
    body = await _written(order.renderer.result, answers.outcomes)
    return JSONResponse(body, headers=answers.headers)


@router.post(
    "/translate/stream",
    response_class=Response,
    responses=REFUSALS | {200: STREAM},
    openapi_extra=BODY,
)
async def translate_as_stream(request: Request, server: ServerOf) -> Response:
    """Translate texts as `/v1/translate` does, and send each segment as soon as it is there.

    A line of JSON an event, or Server-Sent Events with the same in their data for clients that
    accept `text/event-stream`. The headers are sent before all is known: where languages are
    detected, they name the language in between of the first texts.
    """
    order = await _receive(request, server)
    headers: dict[str, str] = {}
    pivots: set[str] = set()

    async def work(announce: Announce) -> Event:
        def progress(text: int, index: int, segment: Segment) -> None:
            if segment.way.pivot:
                pivots.add(segment.way.pivot)
                headers["X-Translation-Pivot"] = ", ".join(sorted(pivots))
            announce(order.renderer.segment_event(text, index, segment))

        answers = await order.carry_out(progress, headers.update)
        headers.update(answers.headers)
        return await _written(order.renderer.result_event, answers.outcomes)

    def write_error(error: ServiceError) -> Event:
        record_of(request).error = error.kind
        return order.renderer.error_event(error)

    return await stream(work, write_error, request.headers.get("accept", ""), headers)


@router.get("/models", responses=FAILURES)
async def models(server: ServerOf) -> ModelList:
    """The models that are served: the default one first, those that answer questions last."""
    catalogue = server.translation.catalogue
    return ModelList(models=[_details(model, server) for model in catalogue.all])


@router.get("/models/{name}", responses=FAILURES | {404: {"model": NativeErrorBody}})
async def model(name: ModelName, server: ServerOf) -> ModelDetails:
    """A model that is served."""
    return _details(server.translation.catalogue.any_model(name), server)


@router.get("/languages", responses=FAILURES)
async def languages(server: ServerOf) -> LanguageList:
    """The languages that are served, and the ways between them."""
    catalogue = server.translation.catalogue
    ways = [
        way
        for source, target in itertools.permutations(catalogue.languages, 2)
        if (way := catalogue.way(source, target))
    ]
    return LanguageList(
        languages=[
            LanguageName(code=code, name=language_name(code)) for code in catalogue.languages
        ],
        pairs=[
            LanguagePair(
                source=way.source,
                target=way.target,
                pivot=way.pivot,
                models=[model.name for model in way.models],
            )
            for way in ways
        ],
    )


@dataclass(frozen=True)
class _Order:
    """A request that was read, and is worth carrying out."""

    request: Request
    server: Server
    client: Client
    job: Job
    deadline: float

    async def carry_out(
        self,
        progress: Progress | None = None,
        admitted: Callable[[dict[str, str]], None] | None = None,
    ) -> Answers:
        return await carry_out(
            self.request, self.server, self.client, self.job, self.deadline, progress, admitted
        )

    @property
    def renderer(self) -> Renderer:
        engines = self.server.translation.pool.engines
        return Renderer(self.job.target, engines, record_of(self.request).request_id)


async def _receive(request: Request, server: Server) -> _Order:
    deadline = server.deadline()
    asked = await receive_in_time(read_request(request, TranslateRequest), deadline)
    client = server.identify(request, None)
    return _Order(request, server, client, read_job(asked, server), deadline)


async def _written(
    write: Callable[[Sequence[Outcome]], Event], outcomes: Sequence[Outcome]
) -> Event:
    """What is written of outcomes; on a thread of its own if they have many segments."""
    segments = sum(len(each.segments) for each in outcomes if isinstance(each, Answer))
    return await aside_if(segments > SEGMENTS_A_TURN, write, outcomes)


def _details(model: Model, server: Server) -> ModelDetails:
    rescorer = server.translation.catalogue.rescorer(model)
    return ModelDetails(
        **model_reference(model, server.translation.pool.engines),
        task=model.task,
        source=model.source,
        target=model.target,
        default=model is server.translation.catalogue.default,
        rescored_by=rescorer.name if rescorer else None,
        bleu=model.bleu,
        signature=model.signature,
        licence=model.licence,
        card=model.card,
    )
