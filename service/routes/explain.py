"""POST /v1/explain: what a model's memory cells do with a sentence.

Knows the request, and in which order a client is told, admitted, served and charged. Does not know
what an explanation holds: `service.explaining.schemas` does.
"""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from service.descriptions import request_body
from service.explaining.schemas import ExplainRequest, Explanation
from service.native.reading import check_size, read_request
from service.native.schemas import REFUSALS
from service.server import ServerOf
from service.telemetry.observability import record_of
from service.waiting import answer_while_wanted, receive_in_time

router = APIRouter(prefix="/v1", tags=["native"])


@router.post(
    "/explain",
    response_model=Explanation,
    responses=REFUSALS,
    openapi_extra=request_body(ExplainRequest),
)
async def explain(request: Request, server: ServerOf) -> Response:
    """Translate a sentence, and tell what gates and cells did on the way."""
    deadline = server.deadline()
    asked = await receive_in_time(read_request(request, ExplainRequest), deadline)
    client = server.identify(request, None)
    record = record_of(request)
    record.n, record.chars = 1, len(asked.text)
    check_size("text", "the length", len(asked.text), server.settings.char_limit)
    catalogue = server.translation.catalogue
    model = catalogue.default if asked.model is None else catalogue.model(asked.model)
    with await server.access.admit(client, len(asked.text)) as admission:
        work = server.explaining.explain(str(model.folder), asked.text, full=asked.full)
        explanation = await answer_while_wanted(request, work, deadline)
        admission.charge()
    return Response(explanation, media_type="application/json", headers=admission.headers)
