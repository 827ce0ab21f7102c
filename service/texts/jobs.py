"""What a request wants of the service, and what becomes of it: records, whatever the wire.

Knows names and meanings. Does not know how anything is done.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from mt.text.language import Detection
from mt.translation import Alternative
from service.errors import ServiceError
from service.settings import Settings
from service.texts.catalogue import Model, Way
from service.texts.cutting import Style
from service.texts.sharing import Found, Origin
from service.workers.work import Options

AUTO = "auto"
"""What clients call the source language of texts whose language is to be detected."""


class Rescoring(Enum):
    """Whether models that translate back have a say in a translation."""

    NEVER = auto()
    WHERE_POSSIBLE = auto()
    """Where they are served."""
    ALWAYS = auto()
    """A text for which they are not served fails."""

    @classmethod
    def usual(cls, settings: Settings) -> Rescoring:
        """Where a request does not say."""
        return cls.WHERE_POSSIBLE if settings.rescore else cls.NEVER


@dataclass(frozen=True)
class Job:
    """What a request wants."""

    texts: Sequence[str]
    source: str | None
    """A language served; None has the language of each text detected."""
    target: str
    model: Model | None = None
    """The model to use, which gives both languages; None finds a way."""
    options: Options = field(default_factory=Options)
    rescoring: Rescoring = Rescoring.NEVER
    style: Style = field(default_factory=Style)


@dataclass(frozen=True)
class Segment:
    """One segment of a text, translated."""

    source: str
    found: Found
    way: Way

    @property
    def written_by(self) -> Way:
        """The models behind the translation; none of what the memory had."""
        return Way(()) if self.found.origin is Origin.MEMORY else self.way


@dataclass(frozen=True)
class Answer:
    """A text as the client gets it."""

    text: str
    source: str
    """The language it was taken for."""
    score: float = 1.0
    flags: frozenset[str] = frozenset()
    alternatives: tuple[Alternative, ...] = ()
    """Further translations, best first; empty for a text that came back unchanged."""
    detection: Detection | None = None
    """Only where the source language was to be detected."""
    way: Way | None = None
    """None for a text that came back unchanged: one without letters, or in the target language."""
    segments: tuple[Segment, ...] = ()


Outcome = Answer | ServiceError
"""Each text succeeds or fails by itself."""
Progress = Callable[[int, int, Segment], None]
"""Told text, segment within it, and the segment, as soon as it is translated."""
