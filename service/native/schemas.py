"""The bodies of the native wire, as clients and the OpenAPI document see them.

Knows names, types and ranges. Does not know what they do: a search option is defined in
`mt.config.SearchConfig`, and has its description and range from there.
"""

from __future__ import annotations

import copy
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, create_model

from mt.config import SearchConfig, Task
from service.descriptions import of_server
from service.errors import Kind
from service.native.fields import Body, ModelName, Source, Target, Texts
from service.parameters import clean
from service.texts.cutting import Format, Sentences
from service.texts.sharing import Origin

NOT_PER_REQUEST = (
    *("max_source_pieces", "batch_rows", "batch_tokens"),
    *("min_length", "min_length_ratio", "max_length_extra", "max_length_ratio"),
)
"""Search options that are the server's business: they bound its memory, and its time."""


def _search_fields() -> dict[str, Any]:
    """The fields of SearchConfig that a request may set, none of which it has to."""
    fields = {}
    for name, defined in SearchConfig.model_fields.items():
        if name not in NOT_PER_REQUEST:
            field = copy.copy(defined)
            field.default = None
            fields[name] = (defined.annotation, field)
    fields["beam_size"][1].json_schema_extra = of_server(maximum="max_beam_size")
    return fields


_Fields = create_model("_Fields", __base__=Body, **_search_fields())


class SearchOptions(_Fields):
    """How a translation is looked for; what is not given is as the model has it."""


class TranslateRequest(Body):
    """What to translate, and how."""

    model_config = ConfigDict(
        title="TranslateRequest",
        json_schema_extra={
            "examples": [
                {"texts": "Ein Hund läuft. Er bellt."},
                {"texts": ["Guten Tag!", "Ein Hund läuft."], "source": "auto", "target": "en"},
                {
                    "texts": "<p>Ein <b>Hund</b> läuft.</p>",
                    "source": "de",
                    "target": "en",
                    "format": "html",
                    "n_best": 3,
                    "search": {"beam_size": 8},
                },
            ]
        },
    )

    texts: Texts
    """A text, or a list of texts."""
    source: Source | None = None
    """Language of the texts; null or "auto" has that of each text detected, unless a model decides:
    then null is its source, and "auto" refused. Upper case and a region ("de-DE") do no harm."""
    target: Target | None = None
    """Language to translate to; written like `source`."""
    model: ModelName | None = None
    """Name of the model to use. It gives both languages, and refuses others. If neither `model`
    nor `target` is given, it is the server's default model."""
    format: Format = "text"
    """Markup of html and xml stays as it is; the text within is translated."""
    sentences: Sentences | None = None
    """split: line ends and ends of sentences both end a segment, the unit of translation. unwrap: a
    single line end between lines with letters counts as a space, but not in <pre>. whole: each text
    is one segment. null: unwrap for html, where a line end is white space, split for text and xml.
    """
    n_best: int = Field(1, ge=1, json_schema_extra=of_server(maximum="max_n_best"))
    """Translations of each text: the best one and n_best - 1 alternatives. There may be fewer. No
    more than the beam size, unless they are drawn (`temperature`)."""
    rescore: bool | None = None
    """Whether the model that translates back has a say in which hypothesis of the beam is taken (Li
    and Jurafsky 2016); true is refused where it is not served (`rescored_by` of a model), and where
    there is nothing to choose: of draws, or a beam of one. null is as the server has it."""
    search: SearchOptions = SearchOptions()


class AnswerRequest(Body):
    """What to answer, and by which model."""

    model_config = ConfigDict(
        title="AnswerRequest",
        json_schema_extra={
            "examples": [
                {"questions": "How are you?"},
                {
                    "story": "Mary went to the office. John moved to the kitchen.",
                    "questions": ["Where is Mary?", "Where is John?"],
                },
            ]
        },
    )

    questions: Texts
    """A question, or a list of questions. None knows of the others."""
    story: Annotated[str, AfterValidator(clean)] | None = None
    """What all of them are about; it is put behind each, and counted with each by the limits of
    characters."""
    model: Annotated[str, AfterValidator(clean)] | None = None
    """Name of the model to use, one of `/v1/models` whose task is to answer; without one, the first
    of them."""


class ErrorDetail(Body):
    """What went wrong."""

    code: Kind
    """For programs."""
    message: str = Field(examples=["target: zz is not supported"])
    """For people."""
    field: str | None = Field(examples=["target"])
    """The field at fault, where there is one."""
    request_id: str = Field(examples=["8f14e45fceea167a5a36dedd4bea2543"])
    """As in the header X-Request-ID and in the server's log."""


class NativeErrorBody(Body):
    """The body of every answer that is not a success, and the place of a text that failed."""

    error: ErrorDetail


REFUSALS: dict[int | str, dict[str, Any]] = {
    code: {"model": NativeErrorBody}
    for code in (400, 401, 403, 404, 408, 413, 415, 429, 500, 503, 504)
}
"""How a route that works for a client says that it may fail."""


class AlternativeText(Body):
    """Another translation."""

    text: str
    score: float = Field(ge=0, le=1)
    """As that of the best one."""


class ModelReference(Body):
    """A model, to the bit."""

    name: str = Field(examples=["de-en"])
    sha256: str = Field(examples=["9ffe1a9cbc" + 54 * "0"])
    """Of its weights."""
    engine: str | None = Field(examples=["int8"])
    """What does its arithmetic; null while no worker is there."""


class Provenance(Body):
    """Where the translation of a segment comes from."""

    origin: Origin
    """model: translated for this request. shared: for another one, at the same time. cache: for an
    earlier one. memory: the translation memory had it."""
    models: list[ModelReference]
    """The models behind it, in the order of their use: two for a pivot, none for the memory."""
    rescored_by: list[ModelReference]
    """Those that had a say in which hypothesis was taken, one for each of the models; or none."""


class SegmentResult(Body):
    """A segment of a text: a sentence, as a rule."""

    source: str = Field(examples=["Ein Hund läuft."])
    translation: str = Field(examples=["A dog is running."])
    score: float = Field(ge=0, le=1, examples=[0.71])
    """Geometric mean of the probabilities of the tokens written."""
    flags: list[str] = Field(examples=[[]])
    """Reasons for a closer look, such as "repeated", or "numbers" where the translation lacks
    digits of the source; `mt.flags` defines each."""
    provenance: Provenance


class TextResult(Body):
    """A text, translated."""

    text: str = Field(examples=["A dog is running."])
    score: float = Field(ge=0, le=1, examples=[0.71])
    """Over all segments as over one; 1 for a text that came back unchanged."""
    flags: list[str] = Field(examples=[[]])
    """Those of its segments."""
    source: str = Field(examples=["de"])
    """Language it was translated from."""
    confidence: int | None = Field(ge=0, le=100, examples=[97])
    """Percent, if the language was detected, else null."""
    target: str = Field(examples=["en"])
    pivot: str | None = Field(examples=[None])
    """The language in between, if no model translates directly."""
    alternatives: list[AlternativeText] = Field(examples=[[]])
    segments: list[SegmentResult]
    """Empty for a text that came back unchanged: one without letters, or in the target language."""


class TranslateResult(Body):
    """One entry for each text, in their order."""

    translations: list[TextResult | NativeErrorBody]


class AnswerText(Body):
    """The answer to a question."""

    text: str = Field(examples=["office"])
    score: float = Field(ge=0, le=1, examples=[0.71])
    """Geometric mean of the probabilities of the tokens written."""
    flags: list[str] = Field(examples=[[]])
    """Reasons for a closer look, such as "unknown_characters"; `mt.flags` defines each."""


class AnswerResult(Body):
    """One entry for each question, in their order."""

    model: ModelReference
    """What answered."""
    answers: list[AnswerText | NativeErrorBody]


class SegmentEvent(Body):
    """A segment is translated."""

    type: Literal["segment"] = "segment"
    text: int = Field(ge=0)
    """Which of the texts, from 0."""
    index: int = Field(ge=0)
    """Which of its segments, from 0."""
    segment: SegmentResult


class ResultEvent(TranslateResult):
    """All texts are translated; the last event."""

    type: Literal["result"] = "result"


class ErrorEvent(NativeErrorBody):
    """The translation was given up; the last event."""

    type: Literal["error"] = "error"


class ModelDetails(ModelReference):
    """A model that is served."""

    task: Task = Field(examples=["translate"])
    """What it does: "translate", or "answer" for `/v1/answer`."""
    source: str = Field(examples=["de"])
    target: str = Field(examples=["en"])
    default: bool
    """Whether it is used where a request names neither a model nor a language."""
    rescored_by: str | None = Field(examples=["en-de"])
    """Name of the model that can rescore its translations (`rescore`), if there is one."""
    bleu: float | None = Field(examples=[31.4])
    """Of the validation text, by greedy search."""
    signature: str = Field(examples=["nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0"])
    """SacreBLEU's, of that figure."""
    licence: str = Field(examples=["CC-BY-2.0"])
    """Of the training text."""
    card: str = Field(examples=["# de-en"])
    """A page of Markdown for people."""


class ModelList(Body):
    """The models that are served: the default one first, those that answer questions last."""

    models: list[ModelDetails]


class LanguageName(Body):
    """A language that is served."""

    code: str = Field(examples=["de"])
    name: str = Field(examples=["German"])


class LanguagePair(Body):
    """A way from one language to another."""

    source: str = Field(examples=["de"])
    target: str = Field(examples=["en"])
    pivot: str | None = Field(examples=[None])
    """The language in between, if no model translates directly."""
    models: list[str] = Field(examples=[["de-en"]])
    """Names of the models used, in their order."""


class LanguageList(Body):
    """The languages that are served, and the ways between them."""

    languages: list[LanguageName]
    pairs: list[LanguagePair]
