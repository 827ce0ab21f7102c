"""Questions, answered by models that were trained to; on the native wire.

Knows the one route. `service.native` knows its bodies, and the way of a text through queue and
workers is that of a translation.
"""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from service.descriptions import request_body
from service.native.reading import read_questions, read_request
from service.native.rendering import Renderer
from service.native.schemas import REFUSALS, AnswerRequest, AnswerResult
from service.server import ServerOf, carry_out
from service.telemetry.observability import record_of
from service.waiting import receive_in_time

router = APIRouter(prefix="/v1", tags=["native"])


@router.post(
    "/answer",
    response_model=AnswerResult,
    responses=REFUSALS,
    openapi_extra=request_body(AnswerRequest),
)
async def answer(request: Request, server: ServerOf) -> Response:
    """Answer questions by a model for that.

    A question that cannot be answered has an error in its place, and the others are answered; the
    request fails only if no question could be. 404 where the server has no such model.
    """
    deadline = server.deadline()
    asked = await receive_in_time(read_request(request, AnswerRequest), deadline)
    client = server.identify(request, None)
    job = read_questions(asked, server)
    assert job.model is not None
    answers = await carry_out(request, server, client, job, deadline)
    renderer = Renderer(job.target, server.translation.pool.engines, record_of(request).request_id)
    return JSONResponse(renderer.answers(answers.outcomes, job.model), headers=answers.headers)
