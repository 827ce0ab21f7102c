"""DeepL's wire, version 2: its routes and answers.

Knows what unmodified DeepL clients send and expect. Does not know the parameters of a translation
(`service.deepl.parameters`), nor how texts are translated (`service.texts.passage`).

What DeepL's answers have no place for is told where its clients do not look: parameters without
effect in the header X-Ignored-Parameters, flags of any text in X-Translation-Flags, and sentences
that the translation memory had in `segments_from_translation_memory`.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from service.clients.access import Client
from service.deepl import languages as deepl_languages
from service.deepl.parameters import MAX_BODY_BYTES, Query, one_string, read_query
from service.deepl.schemas import (
    Glossaries,
    GlossaryPairs,
    Message,
    SourceLanguage,
    TargetLanguage,
    TranslateTextAnswer,
    TranslateTextBody,
    UsageAnswer,
)
from service.descriptions import WITH_KEY, request_body
from service.errors import Kind, ServiceError
from service.parameters import Parameters, is_json, query_parameters, read_parameters
from service.routes import direct
from service.server import Server, ServerOf, carry_out
from service.texts.jobs import Answer
from service.texts.sharing import Origin
from service.waiting import receive_in_time

router = APIRouter(prefix="/v2", tags=["deepl"])

REFUSALS: dict[int | str, dict[str, Any]] = {
    code: {"model": Message} for code in (400, 403, 408, 413, 415, 500)
}
TRANSLATION_REFUSALS = REFUSALS | {code: {"model": Message} for code in (404, 429, 456, 503, 504)}


@direct.post(
    router,
    "/translate",
    response_model=TranslateTextAnswer,
    responses=TRANSLATION_REFUSALS,
    openapi_extra=request_body(TranslateTextBody, forms=True, lists_in_forms=True),
)
async def translate(request: Request, server: ServerOf) -> Response:
    """Translate up to 50 texts."""
    deadline = server.deadline()
    parameters = await receive_in_time(_read(request), deadline)
    client = _identify(request, server, parameters)
    query = read_query(parameters, server.translation.catalogue, server.settings)
    answers = await carry_out(request, server, client, query.job, deadline)
    body = {
        "translations": [
            _render(query, text, answer)
            for text, answer in zip(query.job.texts, answers.all(), strict=True)
        ]
    }
    ignored = {"X-Ignored-Parameters": ", ".join(query.ignored)} if query.ignored else {}
    return JSONResponse(body, headers=answers.headers | ignored)


@router.get("/usage", responses=REFUSALS, openapi_extra=WITH_KEY)
@router.post("/usage", responses=REFUSALS, openapi_extra=WITH_KEY)
async def usage(request: Request, server: ServerOf) -> UsageAnswer:
    """The characters that a key has translated, and may translate."""
    parameters = await receive_in_time(_read(request), server.deadline())
    count, limit = server.access.usage(_identify(request, server, parameters))
    return UsageAnswer(character_count=count, character_limit=limit)


@router.get(
    "/languages",
    responses=REFUSALS,
    openapi_extra={
        "parameters": [
            {
                "name": "type",
                "in": "query",
                "schema": {"type": "string", "enum": ["source", "target", ""], "default": "source"},
            }
        ]
    }
    | WITH_KEY,
)
@router.post("/languages", responses=REFUSALS, openapi_extra=WITH_KEY)
async def languages(request: Request, server: ServerOf) -> list[TargetLanguage | SourceLanguage]:
    """The languages to translate from, or to. DeepL's clients send a form with this GET."""
    parameters = await receive_in_time(_read(request), server.deadline())
    _identify(request, server, parameters)
    wanted = one_string(parameters, "type") or "source"
    catalogue = server.translation.catalogue
    from_here = {code: catalogue.targets(code) for code in catalogue.languages}
    if wanted == "source":
        listed = deepl_languages.sources(code for code, to in from_here.items() if to)
        return [SourceLanguage(language=each.code, name=each.name) for each in listed]
    if wanted == "target":
        listed = deepl_languages.targets(code for to in from_here.values() for code in to)
        return [TargetLanguage(language=each.code, name=each.name) for each in listed]
    message = "Parameter 'type' is invalid. 'source' and 'target' are valid values."
    raise ServiceError(Kind.INVALID_REQUEST, message, field="type")


@router.get("/glossary-language-pairs", responses=REFUSALS, openapi_extra=WITH_KEY)
async def glossary_language_pairs(request: Request, server: ServerOf) -> GlossaryPairs:
    """Glossaries are not kept yet, for no pair of languages."""
    _identify(request, server, await receive_in_time(_read(request), server.deadline()))
    return GlossaryPairs()


@router.get("/glossaries", responses=REFUSALS, openapi_extra=WITH_KEY)
async def glossaries(request: Request, server: ServerOf) -> Glossaries:
    """Glossaries are not kept yet."""
    _identify(request, server, await receive_in_time(_read(request), server.deadline()))
    return Glossaries()


@router.post(
    "/glossaries", status_code=404, responses={404: {"model": Message}}, openapi_extra=WITH_KEY
)
async def create_glossary(request: Request, server: ServerOf) -> None:
    """Glossaries are not kept yet."""
    _identify(request, server, await receive_in_time(_read(request), server.deadline()))
    raise ServiceError(Kind.NOT_FOUND, "This server keeps no glossaries")


async def _read(request: Request) -> Parameters:
    # Read as a whole first, since a form is parsed as it comes.
    body = await request.body()
    if len(body) > MAX_BODY_BYTES:
        raise ServiceError(Kind.TOO_LARGE, f"the request body exceeds {MAX_BODY_BYTES} bytes")
    # Some clients announce JSON with every request, with a GET without a body too.
    if not body:
        return query_parameters(request)
    given = await read_parameters(request)
    if not is_json(request):
        return given
    # What the body does not say the query may.
    names = {name for name, _ in given}
    return [*given, *(each for each in query_parameters(request) if each[0] not in names)]


def _identify(request: Request, server: Server, parameters: Parameters) -> Client:
    # Clients of long ago send the key with the parameters.
    keys = [(name, value) for name, value in parameters if value not in (None, "")]
    return server.identify(request, one_string(keys, "auth_key") or None)


def _render(query: Query, text: str, answer: Answer) -> dict[str, Any]:
    rendered: dict[str, Any] = {
        "detected_source_language": deepl_languages.source_code(answer.source),
        "text": answer.text,
        # Whether asked for or not: DeepL's own clients fail without it.
        "billed_characters": len(text),
    }
    if query.names_model_type:
        rescored = any(each.written_by.rescorers for each in answer.segments)
        rendered["model_type_used"] = "quality_optimized" if rescored else "latency_optimized"
    known = sum(segment.found.origin is Origin.MEMORY for segment in answer.segments)
    if known:
        rendered["segments_from_translation_memory"] = known
    return rendered
