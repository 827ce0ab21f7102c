"""The parameters of DeepL's POST /v2/translate: what each may be, and what becomes of it here.

Knows DeepL's names, values and messages. Does not know requests, or how texts are translated.

    text, target_lang, source_lang                  as DeepL; regions of a source do not matter
    split_sentences, tag_handling, ignore_tags,
    splitting_tags, non_splitting_tags              as DeepL; all other tags of XML split
    model_type                                      as DeepL; a better one is one that is rescored
    show_billed_characters                          they are always shown
    formality: more, less                           refused in DeepL's words: no model knows it
    glossary_id, glossary_ids                       not found
    style_id, custom_instructions,
    translation_memory_id and _threshold            refused
    formality: prefer_more, prefer_less, context,
    outline_detection, preserve_formatting,
    tag_handling_version                            without effect; named in `Query.ignored` if
                                                    something else is asked for than is done

What DeepL does not document is ignored. A value may stand in a list of its own, as a form's does.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from service.errors import Kind, ServiceError
from service.parameters import Parameters, clean, grouped
from service.settings import Settings
from service.texts.catalogue import Catalogue
from service.texts.cutting import Format, Sentences, Style
from service.texts.jobs import Job, Rescoring

MAX_TEXTS = 50
MAX_BODY_BYTES = 128 * 1024

SplitSentences = Literal["0", "1", "nonewlines"]
Formality = Literal["default", "more", "less", "prefer_more", "prefer_less"]
ModelType = Literal["quality_optimized", "latency_optimized", "prefer_quality_optimized"]
TagHandling = Literal["xml", "html"]
TagHandlingVersion = Literal["v1", "v2"]
Flag = Literal["0", "1", "false", "true"]
"""What forms, and clients that send JSON like forms, write for a boolean."""

SENTENCES: Mapping[str, Sentences] = {"0": "whole", "1": "split", "nonewlines": "unwrap"}
RESCORING: Mapping[str, Rescoring] = {
    "latency_optimized": Rescoring.NEVER,
    "prefer_quality_optimized": Rescoring.WHERE_POSSIBLE,
    "quality_optimized": Rescoring.ALWAYS,
}
TAGS = ("ignore_tags", "splitting_tags", "non_splitting_tags")
"""Parameters that name elements of markup, in the order of `Style`."""
REFUSED = (
    "style_id",
    "custom_instructions",
    "translation_memory_id",
    "translation_memory_threshold",
)

_Given = Mapping[str, Sequence[object]]


@dataclass(frozen=True)
class Query:
    """A request's parameters, checked."""

    job: Job
    names_model_type: bool
    """Whether the answer is to say which type of model was used."""
    ignored: tuple[str, ...]
    """Parameters that ask for what no model here can do."""


def read_query(parameters: Parameters, catalogue: Catalogue, settings: Settings) -> Query:
    """Check and read all parameters.

    Raises:
        ServiceError: INVALID_REQUEST, UNSUPPORTED_LANGUAGE, NOT_FOUND; in DeepL's words where they
            are known.
    """
    given: _Given = grouped(
        # None and "" are what clients send for a parameter that is not used.
        (name, value)
        for name, value in parameters
        if name == "text" or value not in (None, "")
    )
    target, source = _read_languages(given, catalogue)
    texts = _read_texts(given, settings)
    _refuse_what_is_missing(given, source)
    style = _read_style(given)
    _flag(given, "show_billed_characters", default=True)
    model_type = _choice(given, "model_type", get_args(ModelType))
    rescoring = RESCORING[model_type] if model_type else Rescoring.usual(settings)
    if rescoring is Rescoring.ALWAYS and source:
        _check_rescored(source, target, catalogue)
    return Query(
        Job(texts, source, target, rescoring=rescoring, style=style),
        bool(model_type),
        tuple(_without_effect(given, style.format)),
    )


def one_string(parameters: Parameters, name: str) -> str:
    """The value of a parameter; empty if it is not given.

    Raises:
        ServiceError: INVALID_REQUEST, it has several, or is no string.
    """
    return _string(grouped(parameters), name)


def _read_languages(given: _Given, catalogue: Catalogue) -> tuple[str, str | None]:
    target = catalogue.language(_string(given, "target_lang"))
    if target is None:
        raise _unsupported("target_lang", Kind.UNSUPPORTED_LANGUAGE)
    if not (code := _string(given, "source_lang")):
        return target, None
    source = catalogue.language(code)
    if source is None:
        raise _unsupported("source_lang", Kind.UNSUPPORTED_LANGUAGE)
    if source != target and catalogue.way(source, target) is None:
        there_are = ", ".join(catalogue.targets(source)).upper() or "nothing"
        raise _unsupported(
            "target_lang",
            Kind.UNSUPPORTED_LANGUAGE,
            f" This server translates {source.upper()} to {there_are}.",
        )
    return target, source


def _read_texts(given: _Given, settings: Settings) -> list[str]:
    values = given.get("text", ())
    if not values:
        raise _invalid("Parameter 'text' not specified.", "text")
    most = min(MAX_TEXTS, settings.batch_limit)
    if len(values) > most:
        raise _invalid(f"Parameter 'text' has {len(values)} texts, the most are {most}.", "text")
    texts = [clean(each) for each in values if isinstance(each, str)]
    if len(texts) < len(values):
        raise _unsupported("text")
    for text in texts:
        if len(text) > settings.char_limit:
            message = f"Parameter 'text' has {len(text)} characters, the most in a text are "
            message = f"{message}{settings.char_limit}."
            raise ServiceError(Kind.TOO_LARGE, message, field="text")
    return texts


def _refuse_what_is_missing(given: _Given, source: str | None) -> None:
    """Refuse what would have to be honoured, or else the text would not be the one wanted."""
    if _choice(given, "formality", get_args(Formality)) in ("more", "less"):
        raise _invalid("'formality' is not supported for given 'target_lang'.", "formality")
    for name in REFUSED:
        if given.get(name):
            raise _unsupported(name)
    for name in ("glossary_id", "glossary_ids"):
        identities = given.get(name, ())
        if any(not isinstance(each, str) for each in identities):
            raise _unsupported(name)
        if identities and source is None:
            message = "Use of a glossary requires the source_lang parameter to be specified"
            raise _invalid(message, name)
        if identities:
            raise ServiceError(Kind.NOT_FOUND, "Glossary not found", field=name)


def _read_style(given: _Given) -> Style:
    tag_handling = _choice(given, "tag_handling", get_args(TagHandling))
    usual = "nonewlines" if tag_handling == "html" else "1"
    sentences = SENTENCES[_choice(given, "split_sentences", get_args(SplitSentences)) or usual]
    ignored, splitting, others = (_tags(given, name) for name in TAGS)
    if not tag_handling:
        return Style("text", sentences)
    kind: Format = "html" if tag_handling == "html" else "xml"
    return Style(kind, sentences, ignored, splitting, others)


def _without_effect(given: _Given, text_format: str) -> list[str]:
    """What is asked for and not done, by name."""
    asked_for = {
        "context": _string(given, "context"),
        "formality": _choice(given, "formality", get_args(Formality)).startswith("prefer_"),
        "outline_detection": not _flag(given, "outline_detection", default=True),
        "preserve_formatting": _flag(given, "preserve_formatting", default=False),
        "tag_handling_version": _choice(
            given, "tag_handling_version", get_args(TagHandlingVersion)
        ),
    } | {name: text_format == "text" and _tags(given, name) for name in TAGS}
    return [name for name, is_asked_for in asked_for.items() if is_asked_for]


def _check_rescored(source: str, target: str, catalogue: Catalogue) -> None:
    """Whether there is a model of better quality; of a language to be detected it is told later."""
    way = catalogue.way(source, target)
    if way and not catalogue.rescored(way):
        why = catalogue.why_not_rescored(way)
        raise _unsupported("model_type", hint=f" The {why}; prefer_quality_optimized goes without.")


def _tags(given: _Given, name: str) -> frozenset[str]:
    tags: list[str] = []
    for value in given.get(name, ()):
        if not isinstance(value, str):
            raise _unsupported(name)
        tags += (tag.strip() for tag in value.split(","))
    return frozenset(tag for tag in tags if tag)


def _string(given: _Given, name: str) -> str:
    values = given.get(name, ())
    if not values:
        return ""
    if len(values) > 1 or not isinstance(values[0], str):
        raise _unsupported(name)
    return values[0]


def _choice(given: _Given, name: str, allowed: Collection[str]) -> str:
    value = _string(given, name).lower()
    if value and value not in allowed:
        raise _unsupported(name)
    return value


def _flag(given: _Given, name: str, *, default: bool) -> bool:
    values = given.get(name, ())
    if len(values) == 1 and isinstance(values[0], bool):
        return values[0]
    value = _choice(given, name, get_args(Flag))
    return value in ("1", "true") if value else default


def _unsupported(name: str, kind: Kind = Kind.INVALID_REQUEST, hint: str = "") -> ServiceError:
    return ServiceError(kind, f"Value for '{name}' not supported.{hint}", field=name)


def _invalid(message: str, name: str) -> ServiceError:
    return ServiceError(Kind.INVALID_REQUEST, message, field=name)
