"""The bodies of DeepL's wire, as clients and the OpenAPI document see them.

Knows names and types. Does not check requests: DeepL's own messages are part of its wire, so
`service.deepl.parameters` reads what comes.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from service.deepl.parameters import (
    MAX_TEXTS,
    Flag,
    ModelType,
    SplitSentences,
    TagHandling,
    TagHandlingVersion,
)
from service.descriptions import of_server

Text = Annotated[str, Field(json_schema_extra=of_server(maxLength="char_limit"))]
SourceCode = Annotated[str, Field(json_schema_extra=of_server(enum="deepl_sources"))]
Tags = list[str] | str
"""A list, or one string with commas."""


class Message(BaseModel):
    """The body of every answer that is not a success."""

    message: str = Field(examples=["Value for 'target_lang' not supported."])


class TranslateTextBody(BaseModel):
    """Parameters of POST /v2/translate, as JSON or form; a form repeats `text`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"text": ["Ein Hund läuft."], "target_lang": "EN-GB"},
                {
                    "text": ['Bitte <x id="1"></x> lesen!'],
                    "source_lang": "DE",
                    "target_lang": "EN-US",
                    "tag_handling": "xml",
                    "ignore_tags": ["x"],
                },
            ]
        }
    )

    text: Annotated[list[Text], Field(min_length=1, max_length=MAX_TEXTS)] | Text = Field(
        description="The texts."
    )
    target_lang: str = Field(
        description="Code to translate to, in any case; regions are allowed.",
        json_schema_extra=of_server(enum="deepl_targets"),
    )
    source_lang: SourceCode | Literal[""] | None = Field(
        None, description="Code of the texts; left out, each text's language is detected."
    )
    split_sentences: SplitSentences | None = Field(
        None,
        description="0: a text is one sentence. 1: sentences and lines end where they do; the "
        "default. nonewlines: a single line end is a space; the default for HTML.",
    )
    tag_handling: TagHandling | None = Field(
        None, description="Tags stay as they are; the text between them is translated."
    )
    ignore_tags: Tags | None = Field(
        None, description="Elements that are left as they are, with all they hold."
    )
    model_type: ModelType | None = Field(
        None,
        description="A translation is of better quality if the model that translates back has a "
        "say in it, for twice the time. `quality_optimized` is refused where there is no "
        "such model.",
    )
    formality: Literal["default", "prefer_more", "prefer_less"] | None = Field(
        None, description="Without effect. `more` and `less` are refused."
    )
    splitting_tags: Tags | None = Field(
        None, description="Every tag splits, but those that mean words in HTML; so do these."
    )
    non_splitting_tags: Tags | None = Field(
        None, description="Tags that may stand inside a sentence, as <b> and <a> of HTML do."
    )
    outline_detection: bool | Flag | None = Field(None, description="Without effect.")
    preserve_formatting: bool | Flag | None = Field(None, description="Without effect.")
    tag_handling_version: TagHandlingVersion | None = Field(None, description="Without effect.")
    context: str | None = Field(
        None, description="Without effect: the models read one sentence at a time."
    )
    show_billed_characters: bool | Flag | None = Field(None, description="Always shown.")
    auth_key: str | None = Field(None, description="Where the server asks for keys.")


class TextTranslation(BaseModel):
    """One text, translated."""

    detected_source_language: str = Field(
        description="The language asked for, or else detected.", examples=["DE"]
    )
    text: str = Field(examples=["A dog is running."])
    billed_characters: int = Field(description="Characters of the source text.", examples=[15])
    model_type_used: str | None = Field(None, description="Only if `model_type` is given.")
    segments_from_translation_memory: int | None = Field(
        None,
        description="Sentences that this server's translation memory had; left out if none. "
        "Not in DeepL's own answers.",
    )


class TranslateTextAnswer(BaseModel):
    """Answer of POST /v2/translate."""

    translations: list[TextTranslation] = Field(description="In the order of the texts.")


class UsageAnswer(BaseModel):
    """What a key has translated and may translate."""

    character_count: int = Field(description="Characters so far.")
    character_limit: int = Field(description="10^12 if there is no limit.")


class SourceLanguage(BaseModel):
    """A language to translate from."""

    language: str = Field(examples=["DE"])
    name: str = Field(examples=["German"])


class TargetLanguage(SourceLanguage):
    """A language to translate to."""

    supports_formality: bool = False


class GlossaryPairs(BaseModel):
    """Language pairs that glossaries may have; none."""

    supported_languages: list[str] = []


class Glossaries(BaseModel):
    """The glossaries kept; none."""

    glossaries: list[str] = []
