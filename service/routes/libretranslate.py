"""LibreTranslate's wire format: its parameters, its answers, its error messages.

Knows what unmodified LibreTranslate clients send and expect. Does not know how texts are
translated: `service.translation` does, for every wire format.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request

from service.dependencies import Service
from service.errors import ServiceError
from service.languages import language_name
from service.parameters import clean, read_parameters
from service.schemas import (
    TRANSLATE_REQUEST,
    DetectedLanguage,
    ErrorBody,
    FrontendSettings,
    Language,
    LanguageChoice,
    LanguageDefaults,
    TranslateAnswer,
)
from service.settings import Settings
from service.translation import AUTO, Answer
from service.waiting import answer_while_wanted, receive_in_time

router = APIRouter(tags=["libretranslate"])

QUOTED_CHARACTERS = 40
"""How much of a wrong value an error message repeats."""


@router.post(
    "/translate",
    response_model=TranslateAnswer,
    response_model_exclude_unset=True,
    responses={code: {"model": ErrorBody} for code in (400, 408, 413, 500, 503, 504)},
    openapi_extra=TRANSLATE_REQUEST,
)
async def translate(request: Request, service: Service) -> dict[str, Any]:
    """Translate a text or a list of texts."""
    deadline = asyncio.get_running_loop().time() + service.settings.deadline_s
    parameters = await receive_in_time(read_parameters(request), deadline)
    query = _read_query(parameters, service.settings, service.max_alternatives)
    work = service.translate(
        query.texts, query.source, query.target, alternatives=query.alternatives
    )
    return _render(query, await answer_while_wanted(request, work, deadline))


@router.get("/languages")
async def languages(service: Service) -> list[Language]:
    """The languages served; any of them is also "translated" to itself, unchanged."""
    target = service.target_language
    return [
        Language(code=code, name=language_name(code), targets=list(dict.fromkeys((code, target))))
        for code in service.languages
    ]


@router.get("/frontend/settings")
async def frontend_settings(service: Service) -> FrontendSettings:
    """What LibreTranslate's web page asks before it starts."""
    source, target = (
        LanguageChoice(code=code, name=language_name(code))
        for code in (service.source_language, service.target_language)
    )
    return FrontendSettings(
        charLimit=service.settings.char_limit,
        language=LanguageDefaults(source=source, target=target),
    )


@dataclass(frozen=True)
class _Query:
    """The parameters of POST /translate, checked."""

    texts: Sequence[str]
    is_list: bool
    source: str
    target: str
    alternatives: int


def _read_query(
    parameters: Mapping[str, object], settings: Settings, max_alternatives: int
) -> _Query:
    for name in ("q", "source", "target"):
        # As in LibreTranslate, what is empty is missing; inside a list a text may be empty.
        if parameters.get(name) in (None, "", []):
            raise _invalid(f"missing {name} parameter")
    q = parameters["q"]
    texts = [_string(item, "q") for item in (q if isinstance(q, list) else [q])]
    source, target = (_string(parameters[name], name).lower() for name in ("source", "target"))
    alternatives = _read_alternatives(parameters.get("alternatives"), max_alternatives)
    _check_limits(texts, settings)
    _check_format(parameters.get("format"))
    return _Query(texts, isinstance(q, list), _quoted(source), _quoted(target), alternatives)


def _read_alternatives(value: object, most: int) -> int:
    if value in (None, ""):
        return 0
    try:
        # JSON's true is an int to Python, and 1.5 would be cut to 1.
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            raise ValueError
        alternatives = int(value)
    except ValueError:
        raise _invalid("alternatives parameter is not a number") from None
    if alternatives < 0:
        raise _invalid("alternatives parameter must be >= 0")
    if alternatives > most:
        raise _invalid(f"alternatives parameter must be <= {most}")
    return alternatives


def _check_limits(texts: Sequence[str], settings: Settings) -> None:
    sizes_and_limits = [(len(texts), settings.batch_limit)]
    sizes_and_limits += [(len(text), settings.char_limit) for text in texts]
    for size, limit in sizes_and_limits:
        if size > limit:
            raise _invalid(f"request ({size}) exceeds text limit ({limit})")


def _check_format(value: object) -> None:
    if value in (None, "", "text"):
        return
    text_format = _string(value, "format")
    later = " yet" if text_format == "html" else ""
    raise ServiceError(400, f"{_quoted(text_format)} format is not supported{later}")


def _string(value: object, name: str) -> str:
    if not isinstance(value, str):
        allowed = "a string or a list of strings" if name == "q" else "a string"
        raise _invalid(f"{name} parameter is not {allowed}")
    return clean(value)


def _quoted(value: str) -> str:
    return value if len(value) <= QUOTED_CHARACTERS else value[:QUOTED_CHARACTERS] + "..."


def _invalid(message: str) -> ServiceError:
    return ServiceError(400, f"Invalid request: {message}")


def _render(query: _Query, answers: Sequence[Answer]) -> dict[str, Any]:
    columns: dict[str, list[Any]] = {"translatedText": [answer.text for answer in answers]}
    if query.source == AUTO:
        columns["detectedLanguage"] = [
            DetectedLanguage(**answer.detection._asdict())
            for answer in answers
            if answer.detection is not None
        ]
    if query.alternatives > 0:
        columns["alternatives"] = [list(answer.alternatives) for answer in answers]
    if query.is_list:
        return columns
    return {name: column[0] for name, column in columns.items()}
