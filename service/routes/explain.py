"""POST /v1/explain: what a model's memory cells do with a sentence.

Knows the request, and in which order a client is told, admitted, served and charged. Does not know
what an explanation holds: `mt.explain.record` does.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import APIRouter, FastAPI
from pydantic import AfterValidator, BaseModel, ConfigDict
from starlette.requests import Request
from starlette.responses import Response

from service.errors import Kind, ServiceError
from service.explaining.process import Explaining
from service.native.reading import read_request
from service.parameters import clean
from service.server import Server, ServerOf
from service.telemetry.observability import record_of
from service.waiting import answer_while_wanted, receive_in_time


class ExplainRequest(BaseModel):
    """What to explain."""

    model_config = ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True)

    text: Annotated[str, AfterValidator(clean)]
    """One sentence."""
    model: str | None = None
    """Name of the model to explain it by; the server's default model if null."""
    full: bool = False
    """With every activation of every unit, which may be megabytes."""


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.explaining = Explaining()
    try:
        yield
    finally:
        await app.state.explaining.close()


router = APIRouter(prefix="/v1", tags=["native"], lifespan=_lifespan)


@router.post("/explain", include_in_schema=False)
async def explain(request: Request, server: ServerOf) -> Response:
    """Translate a sentence, and tell what gates and cells did on the way."""
    deadline = server.deadline()
    asked = await receive_in_time(read_request(request, ExplainRequest), deadline)
    client = server.identify(request, None)
    record = record_of(request)
    record.n, record.chars = 1, len(asked.text)
    try:
        folder = _folder(asked, server)
        with await server.access.admit(client, len(asked.text)) as admission:
            work = request.app.state.explaining.explain(folder, asked.text, full=asked.full)
            explanation = await answer_while_wanted(request, work, deadline)
            admission.charge()
    except ServiceError as error:
        server.metrics.rejected(error.kind)
        raise
    return Response(explanation, media_type="application/json", headers=admission.headers)


def _folder(asked: ExplainRequest, server: Server) -> str:
    """That of the model; raises ServiceError if it is not served, or the text is too long."""
    limit = server.settings.char_limit
    if len(asked.text) > limit:
        message = f"text: the length is {len(asked.text)}, more than the {limit} allowed here"
        raise ServiceError(Kind.INVALID_REQUEST, message, field="text")
    catalogue = server.translation.catalogue
    model = catalogue.default if asked.model is None else catalogue.model(asked.model)
    return str(model.folder)
