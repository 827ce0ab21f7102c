"""Which language a text is in, and which models lead from one language to another.

Knows the catalogue and what tells languages apart. Does not translate.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from mt.text.language import Detection, Detector
from service.errors import Kind, ServiceError
from service.texts.catalogue import Catalogue, Way, shortened

log = logging.getLogger("mt.service")


class Ways:
    """What can be said of languages before any text is translated."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._detector = _detector(catalogue.languages)

    def check(self, source: str | None, target: str) -> None:
        """Whether texts can be translated; their language is to be detected if source is None.

        Raises:
            ServiceError: as of `check_detects` or `find`.
        """
        if source is None:
            self.check_detects()
        elif source != target:
            self.find(source, target)

    def find(self, source: str, target: str) -> Way:
        """How to get from one language to another.

        Raises:
            ServiceError: UNSUPPORTED_LANGUAGE, there is no way.
        """
        if (way := self._catalogue.way(source, target)) is None:
            targets = ", ".join(self._catalogue.targets(source)) or "nothing"
            raise ServiceError(
                Kind.UNSUPPORTED_LANGUAGE,
                f"{shortened(target)} is not supported as target language of {source}; "
                f"this server translates {source} to {targets}",
                field="target",
            )
        return way

    def rescored(self, way: Way) -> Way:
        """The same way, with a model to rescore what each of its models writes.

        Raises:
            ServiceError: INVALID_REQUEST, there is none for one of them.
        """
        if (rescored := self._catalogue.rescored(way)) is None:
            message = self._catalogue.why_not_rescored(way)
            raise ServiceError(Kind.INVALID_REQUEST, message, field="rescore")
        return rescored

    def detect(self, text: str) -> Sequence[Detection]:
        """The languages served that a text may be in, likeliest first.

        Raises:
            ServiceError: as of `check_detects`.
        """
        return self._checked().rank(text)

    def source(self, text: str, target: str) -> Detection:
        """The language to translate a text from, as `Detector.source` finds it.

        Raises:
            ServiceError: as of `check_detects`.
        """
        return self._checked().source(text, target)

    def check_detects(self) -> None:
        """Whether languages can be detected.

        Raises:
            ServiceError: UNSUPPORTED_LANGUAGE, these cannot be told apart.
        """
        self._checked()

    def _checked(self) -> Detector:
        if self._detector is None:
            message = "the languages of this server cannot be told apart; name the source language"
            raise ServiceError(Kind.UNSUPPORTED_LANGUAGE, message, field="source")
        return self._detector


def _detector(languages: Sequence[str]) -> Detector | None:
    try:
        return Detector(languages)
    except ValueError as error:
        log.warning("languages cannot be detected: %s", error)
        return None
