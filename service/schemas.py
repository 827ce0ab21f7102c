"""The bodies of requests and answers, as clients and the OpenAPI document see them.

Knows names and types. Does not check requests: LibreTranslate's own error messages are part of
its wire, so `routes.libretranslate` reads its parameters itself.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from service.descriptions import of_server

_LENGTH = of_server(maxLength="char_limit")
Text = Annotated[str, Field(min_length=1, json_schema_extra=_LENGTH)]
Texts = Annotated[
    list[Annotated[str, Field(json_schema_extra=_LENGTH)]],
    Field(min_length=1, json_schema_extra=of_server(maxItems="batch_limit")),
]
Source = Annotated[str, Field(json_schema_extra=of_server(enum="languages_or_auto"))]
Target = Annotated[str, Field(json_schema_extra=of_server(enum="languages"))]
Count = Annotated[int, Field(ge=0, json_schema_extra=of_server(maximum="max_alternatives"))]


class ErrorBody(BaseModel):
    """The body of every answer that is not a success."""

    error: str = Field(examples=["Invalid request: missing q parameter"])


class TranslateBody(BaseModel):
    """Parameters of POST /translate, as JSON, form or query string."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"q": "Ein Hund läuft.", "source": "de", "target": "en"},
                {"q": ["Guten Tag!", "Good day!"], "source": "auto", "target": "en"},
            ]
        }
    )

    q: Text | Texts = Field(description="The text or, in JSON only, a list of texts.")
    source: Source = Field(description="Language code of the texts, or `auto`.")
    target: Target = Field(description="Language code to translate to.")
    format: Literal["text", "html", ""] | None = Field(
        "text",
        description="Tags of `html` stay as they are; the text between is translated. "
        "A line end in it is white space, but in `<pre>`.",
    )
    alternatives: Count | Literal[""] | None = Field(
        0, description="Further translations to return."
    )
    api_key: str | None = Field("", description="Where the server asks for keys.")


class DetectedLanguage(BaseModel):
    """The language a text seems to be written in."""

    confidence: int = Field(ge=0, le=100, examples=[97])
    language: str = Field(examples=["de"])


class TranslateAnswer(BaseModel):
    """Answer of POST /translate; each field is a list if `q` is one, absent if not asked for."""

    translatedText: str | list[str] = Field(examples=["A dog is running."])  # noqa: N815 - wire
    detectedLanguage: DetectedLanguage | list[DetectedLanguage] | None = None  # noqa: N815 - wire
    alternatives: list[str] | list[list[str]] | None = None


class DetectBody(BaseModel):
    """Parameters of POST /detect, as JSON, form or query string."""

    q: Text = Field(examples=["Ein Hund läuft."])
    api_key: str | None = Field("", description="Where the server asks for keys.")


class Language(BaseModel):
    """A language and those it is translated to."""

    code: str = Field(examples=["de"])
    name: str = Field(examples=["German"])
    targets: list[str] = Field(examples=[["de", "en"]])


class LanguageChoice(BaseModel):
    """A language as a user interface shows it."""

    code: str
    name: str


class LanguageDefaults(BaseModel):
    """The languages a user interface starts with."""

    source: LanguageChoice
    target: LanguageChoice


class FrontendSettings(BaseModel):
    """What a LibreTranslate user interface asks before it starts."""

    charLimit: int  # noqa: N815 - wire
    frontendTimeout: int = Field(500, description="Milliseconds.")  # noqa: N815 - wire
    apiKeys: bool = False  # noqa: N815 - wire
    keyRequired: bool = False  # noqa: N815 - wire
    suggestions: bool = False
    filesTranslation: bool = False  # noqa: N815 - wire
    supportedFilesFormat: list[str] = []  # noqa: N815 - wire
    language: LanguageDefaults


class Health(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """Whether texts are translated now."""

    status: str = Field(examples=["ready", "starting", "restarting", "draining", "failed"])
    model: str | None = Field(None, description="Name of the default model; only when ready.")
    engine: str | None = Field(None, description="What does its arithmetic; only when ready.")
    models: list[str] = Field(
        [], description="Names of all models, of those that answer questions too; only when ready."
    )
    workers: int = Field(0, description="Processes that translate; only when ready.")
