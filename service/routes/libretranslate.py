"""LibreTranslate's wire: its parameters, its answers, its error messages.

Knows what unmodified LibreTranslate clients send and expect. Does not know how texts are
translated: `service.texts.passage` does, for every wire.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from service.aside import aside_if
from service.descriptions import request_body
from service.errors import Kind, ServiceError
from service.parameters import clean, read_parameters, unique
from service.routes import direct
from service.schemas import (
    DetectBody,
    DetectedLanguage,
    ErrorBody,
    FrontendSettings,
    Language,
    LanguageChoice,
    LanguageDefaults,
    TranslateAnswer,
    TranslateBody,
)
from service.server import Server, ServerOf, carry_out
from service.settings import Settings
from service.telemetry.observability import record_of
from service.texts.catalogue import shortened
from service.texts.cutting import Style
from service.texts.jobs import AUTO, Answer, Job, Rescoring
from service.texts.languages import language_name
from service.texts.passage import CUT_ASIDE
from service.waiting import receive_in_time
from service.workers.work import Options

router = APIRouter(tags=["libretranslate"])

REFUSALS: dict[int | str, dict[str, Any]] = {
    code: {"model": ErrorBody} for code in (400, 403, 408, 413, 415, 429, 500, 503, 504)
}


@direct.post(
    router,
    "/translate",
    response_model=TranslateAnswer,
    responses=REFUSALS,
    openapi_extra=request_body(TranslateBody, forms=True),
)
async def translate(request: Request, server: ServerOf) -> Response:
    """Translate a text or a list of texts."""
    deadline = server.deadline()
    parameters = await _receive(request, TranslateBody, deadline)
    client = server.identify(request, _key(parameters))
    query = _read_query(parameters, server)
    answers = await carry_out(request, server, client, query.job, deadline)
    # Rendered here rather than by the framework, which would check what we wrote: a tenth of the
    # time of a request.
    return JSONResponse(_render(query, answers.all()), headers=answers.headers)


@router.post(
    "/detect",
    response_model=list[DetectedLanguage],
    responses=REFUSALS,
    openapi_extra=request_body(DetectBody, forms=True),
)
async def detect(request: Request, response: Response, server: ServerOf) -> list[DetectedLanguage]:
    """The languages served that a text may be in, likeliest first."""
    deadline = server.deadline()
    parameters = await _receive(request, DetectBody, deadline)
    client = server.identify(request, _key(parameters))
    _check_present(parameters, "q")
    (text,) = _read_texts([parameters["q"]], server.settings)
    record = record_of(request)
    record.n, record.chars = 1, len(text)
    # It counts towards the limit a minute, and is not charged.
    with await server.access.admit(client, len(text)) as admission:
        response.headers.update(admission.headers)
        found = await aside_if(len(text) > CUT_ASIDE, server.translation.ways.detect, text)
    return [DetectedLanguage(confidence=each.confidence, language=each.language) for each in found]


@router.get("/languages")
async def languages(server: ServerOf) -> list[Language]:
    """The languages served; any of them is also "translated" to itself, unchanged."""
    catalogue = server.translation.catalogue
    return [
        Language(
            code=code,
            name=language_name(code),
            targets=list(dict.fromkeys((code, *catalogue.targets(code)))),
        )
        for code in catalogue.languages
    ]


@router.get("/frontend/settings")
async def frontend_settings(server: ServerOf) -> FrontendSettings:
    """What LibreTranslate's web page asks before it starts."""
    default = server.translation.catalogue.default
    source, target = (
        LanguageChoice(code=code, name=language_name(code))
        for code in (default.source, default.target)
    )
    needed = server.access.keys_required
    return FrontendSettings(
        charLimit=server.settings.char_limit,
        apiKeys=needed,
        keyRequired=needed,
        language=LanguageDefaults(source=source, target=target),
    )


@router.post("/suggest", responses={403: {"model": ErrorBody}})
async def suggest() -> None:
    """Suggestions of better translations are not taken."""
    raise ServiceError(Kind.DISABLED, "Suggestions are disabled on this server.")


@router.post("/translate_file", responses={403: {"model": ErrorBody}})
async def translate_file() -> None:
    """Files are not translated yet."""
    raise ServiceError(Kind.DISABLED, "Files translation is disabled on this server.")


@dataclass(frozen=True)
class _Query:
    """The parameters of POST /translate, checked."""

    job: Job
    is_list: bool
    alternatives: int


async def _receive(
    request: Request, body: type[BaseModel], deadline: float
) -> Mapping[str, object]:
    parameters = await receive_in_time(read_parameters(request), deadline)
    return unique(parameters, body.model_fields)


def _read_query(parameters: Mapping[str, object], server: Server) -> _Query:
    _check_present(parameters, "q", "source", "target")
    q = parameters["q"]
    texts = _read_texts(q if isinstance(q, list) else [q], server.settings)
    source, target = (_string(parameters[name], name) for name in ("source", "target"))
    alternatives = _read_alternatives(
        parameters.get("alternatives"), server.translation.max_alternatives
    )
    job = Job(
        texts,
        None if source.strip().lower() == AUTO else _language(source, "source", server),
        _language(target, "target", server),
        options=Options(n_best=1 + alternatives),
        rescoring=Rescoring.usual(server.settings),
        style=Style(_read_format(parameters.get("format"))),
    )
    server.translation.ways.check(job.source, job.target)
    return _Query(job, isinstance(q, list), alternatives)


def _check_present(parameters: Mapping[str, object], *names: str) -> None:
    for name in names:
        # As in LibreTranslate, what is empty is missing; inside a list a text may be empty.
        if parameters.get(name) in (None, "", []):
            raise _invalid(f"missing {name} parameter", name)


def _language(value: str, name: str, server: Server) -> str:
    code = server.translation.catalogue.language(value)
    if code is None:
        raise ServiceError(
            Kind.UNSUPPORTED_LANGUAGE, f"{shortened(value)} is not supported", field=name
        )
    return code


def _read_alternatives(value: object, most: int) -> int:
    if value in (None, ""):
        return 0
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # to JSON, 1.0 is as whole as 1
    try:
        # JSON's true is an int to Python, and 1.5 would be cut to 1.
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            raise ValueError
        alternatives = int(value)
    except ValueError:
        raise _invalid("alternatives parameter is not a number", "alternatives") from None
    if alternatives < 0:
        raise _invalid("alternatives parameter must be >= 0", "alternatives")
    if alternatives > most:
        raise _invalid(f"alternatives parameter must be <= {most}", "alternatives")
    return alternatives


def _read_texts(values: Sequence[object], settings: Settings) -> list[str]:
    _check_limit(len(values), settings.batch_limit)  # before anything is done to each of them
    texts = [_string(value, "q") for value in values]
    for text in texts:
        _check_limit(len(text), settings.char_limit)
    return texts


def _check_limit(size: int, limit: int) -> None:
    if size > limit:
        raise _invalid(f"request ({size}) exceeds text limit ({limit})", "q")


def _read_format(value: object) -> Literal["text", "html"]:
    if value in (None, "", "text"):
        return "text"
    if value == "html":
        return "html"
    message = f"{shortened(_string(value, 'format'))} format is not supported"
    raise ServiceError(Kind.INVALID_REQUEST, message, field="format")


def _key(parameters: Mapping[str, object]) -> str | None:
    value = parameters.get("api_key")
    return None if value is None else _string(value, "api_key") or None


def _string(value: object, name: str) -> str:
    if not isinstance(value, str):
        allowed = "a string or a list of strings" if name == "q" else "a string"
        raise _invalid(f"{name} parameter is not {allowed}", name)
    return clean(value)


def _invalid(message: str, field: str) -> ServiceError:
    return ServiceError(Kind.INVALID_REQUEST, f"Invalid request: {message}", field=field)


def _render(query: _Query, answers: Sequence[Answer]) -> dict[str, Any]:
    columns: dict[str, list[Any]] = {"translatedText": [answer.text for answer in answers]}
    if query.job.source is None:
        columns["detectedLanguage"] = [
            answer.detection._asdict() for answer in answers if answer.detection is not None
        ]
    if query.alternatives > 0:
        columns["alternatives"] = [
            [alternative.text for alternative in answer.alternatives] for answer in answers
        ]
    if query.is_list:
        return columns
    return {name: column[0] for name, column in columns.items()}
