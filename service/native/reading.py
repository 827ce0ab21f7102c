"""What a request of the native wire asks for.

Knows the fields of a request and which of them contradict each other, or what is served. Does not
know how a job is done.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from mt.config import SearchConfig
from mt.questions import asked_of
from service.errors import Kind, ServiceError
from service.native.fields import UNKNOWN_FIELD
from service.native.schemas import AnswerRequest, TranslateRequest
from service.parameters import is_json, read_json_object
from service.server import Server
from service.settings import Settings
from service.texts.catalogue import Catalogue, Model, shortened
from service.texts.cutting import Style
from service.texts.jobs import AUTO, Job, Rescoring
from service.workers.work import Options

Asked = TypeVar("Asked", bound=BaseModel)


async def read_request(request: Request, kind: type[Asked]) -> Asked:
    """The body, checked field by field.

    Raises:
        ServiceError: INVALID_REQUEST.
    """
    body = await request.body()
    if not is_json(request):
        raise ServiceError(
            Kind.INVALID_REQUEST, "the body has to be JSON, with Content-Type: application/json"
        )
    fields = dict(read_json_object(body))
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        raise _refusal(error) from error


def read_job(asked: TranslateRequest, server: Server) -> Job:
    """The job that a request describes.

    Raises:
        ServiceError: INVALID_REQUEST, UNSUPPORTED_LANGUAGE, or NOT_FOUND for a model.
    """
    _check_limits(asked, server.settings)
    catalogue = server.translation.catalogue
    source, target, model = _languages(asked, catalogue)
    if model is None:
        server.translation.ways.check(source, target)
    last = _last_models(catalogue, source, target, model)
    return Job(
        asked.texts,
        source,
        target,
        model,
        Options(asked.n_best, _search(asked, last)),
        _rescoring(asked, server.settings),
        Style(asked.format, asked.sentences),
    )


def read_questions(asked: AnswerRequest, server: Server) -> Job:
    """The job that questions describe; each is put to the model before the story.

    Raises:
        ServiceError: INVALID_REQUEST, or NOT_FOUND for a model.
    """
    model = server.translation.catalogue.answering_model(asked.model)
    limits = server.settings
    # Before story and questions are put together, which multiplies what a body may hold.
    check_size("questions", "the number of questions", len(asked.questions), limits.batch_limit)
    check_size("story", "the length of the story", len(asked.story or ""), limits.char_limit)
    texts = [asked_of(question, asked.story or "") for question in asked.questions]
    longest = max(map(len, texts), default=0)
    what = "the length of a question" + " and the story together" * bool(asked.story)
    check_size("questions", what, longest, limits.char_limit)
    return Job(texts, model.source, model.target, model)


def check_size(field: str, what: str, size: int, limit: int) -> None:
    """Refuse a field that is larger than the server allows.

    Raises:
        ServiceError: INVALID_REQUEST.
    """
    if size > limit:
        raise _invalid(field, f"{what} is {size}, more than the {limit} allowed here")


def _languages(
    asked: TranslateRequest, catalogue: Catalogue
) -> tuple[str | None, str, Model | None]:
    """Source, if it is not to be detected; target; and the model, if there is no choice."""
    source = None
    detect = asked.source is not None and asked.source.strip().lower() == AUTO
    if asked.source is not None and not detect:
        source = _language(asked.source, "source", catalogue)
    target = None if asked.target is None else _language(asked.target, "target", catalogue)
    if asked.model is None and target is not None:
        return source, target, None
    model = catalogue.default if asked.model is None else catalogue.model(asked.model)
    if detect:
        raise _invalid(
            "source",
            f"{AUTO} needs a target and no model: {model.name} takes texts for {model.source}",
        )
    for field, given, own in (("source", source, model.source), ("target", target, model.target)):
        if given not in (None, own):
            raise ServiceError(
                Kind.UNSUPPORTED_LANGUAGE,
                f"{field}: model {model.name} translates {model.source} to {model.target}, "
                f"not {'from' if field == 'source' else 'to'} {given}",
                field=field,
            )
    return model.source, model.target, model


def _language(value: str, field: str, catalogue: Catalogue) -> str:
    code = catalogue.language(value)
    if code is None:
        served = ", ".join(catalogue.languages)
        message = f"{field}: {shortened(value)} is not supported; there are {served}"
        raise ServiceError(Kind.UNSUPPORTED_LANGUAGE, message, field=field)
    return code


def _last_models(
    catalogue: Catalogue, source: str | None, target: str, model: Model | None
) -> Sequence[Model]:
    """The models that may write the translation, which the search options are for."""
    if model is not None:
        return [model]
    if source is None:
        return [each for each in catalogue.models if each.target == target]
    way = catalogue.way(source, target)
    return [way.models[-1]] if way else []


def _search(asked: TranslateRequest, models: Sequence[Model]) -> tuple[tuple[str, Any], ...]:
    """The options that are not the models' own anyway, so that equal work is seen to be equal."""
    given = asked.search.model_dump(exclude_unset=True)
    for model in models:
        try:
            search = SearchConfig.model_validate(model.search.model_dump() | given)
        except ValidationError as error:
            raise _refusal(error, within="search") from error
        if not search.temperature and asked.n_best > search.beam_size:
            raise _invalid(
                "n_best", f"{asked.n_best} translations are more than a beam of {search.beam_size}"
            )
    return tuple(
        (name, value)
        for name, value in sorted(given.items())
        if any(getattr(model.search, name) != value for model in models)
    )


def _rescoring(asked: TranslateRequest, settings: Settings) -> Rescoring:
    """Of draws, or of a beam of one, there is nothing to choose."""
    search = asked.search.model_dump(exclude_unset=True)
    narrow = search.get("temperature") or search.get("beam_size") == 1
    if asked.rescore and narrow:
        fault = "search.temperature" if search.get("temperature") else "search.beam_size = 1"
        raise _invalid("rescore", f"{fault} leaves nothing to rescore: set rescore to false")
    if asked.rescore is None and not narrow:
        return Rescoring.usual(settings)
    return Rescoring.ALWAYS if asked.rescore else Rescoring.NEVER


def _check_limits(asked: TranslateRequest, settings: Settings) -> None:
    longest = max(map(len, asked.texts), default=0)
    beam_size = asked.search.model_dump(exclude_unset=True).get("beam_size", 0)
    limits = (
        ("texts", "the number of texts", len(asked.texts), settings.batch_limit),
        ("texts", "the length of a text", longest, settings.char_limit),
        ("n_best", "n_best", asked.n_best, 1 + settings.max_alternatives),
        ("search.beam_size", "beam_size", beam_size, settings.max_beam_size),
    )
    for field, what, size, limit in limits:
        check_size(field, what, size, limit)


def _refusal(error: ValidationError, within: str | None = None) -> ServiceError:
    mistake = error.errors(include_url=False, include_input=False)[0]
    places = [within, *mistake["loc"]]
    if mistake["type"] == UNKNOWN_FIELD:
        places.append(mistake["ctx"]["name"])
    field = ".".join(shortened(str(place)) for place in places if place is not None)
    # What pydantic puts before the message of a check of our own says nothing to a client.
    return _invalid(field, mistake["msg"].removeprefix("Value error, "))


def _invalid(field: str, message: str) -> ServiceError:
    return ServiceError(
        Kind.INVALID_REQUEST, f"{field}: {message}" if field else message, field=field or None
    )
