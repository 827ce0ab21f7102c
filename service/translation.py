"""What the service does with texts, whichever wire format they came by.

Knows which languages are served, which texts come back unchanged, and whether the server is
ready. Does not know requests or answers of HTTP: `routes` reads the one and writes the other.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from mt.errors import InputError
from mt.language import Detection, Detector, has_letters
from service.batching import Batcher, Translation, Translator
from service.settings import Settings

log = logging.getLogger("mt.service")

AUTO = "auto"
"""Source language of texts whose language is to be detected, each on its own."""
WARM_UP_TEXT = "A first sentence, which makes the translator allocate what it needs."


@dataclass(frozen=True)
class Answer:
    """A text as the client gets it."""

    text: str
    alternatives: tuple[str, ...] = ()
    """Further translations, best first; empty for a text that came back unchanged."""
    detection: Detection | None = None
    """Only where the source language was to be detected."""


class TranslationService:
    """One translator behind one queue. A second model would be chosen by its pair here."""

    def __init__(self, settings: Settings, translator: Translator[Any, Any]) -> None:
        self.settings = settings
        self.model_name = translator.name
        self.engine = translator.engine
        self.source_language = translator.source_language
        self.target_language = translator.target_language
        # A beam holds no more hypotheses than its size, the best one among them.
        beam_size = translator.search_config.beam_size
        self.max_alternatives = min(settings.max_alternatives, beam_size - 1)
        self.batcher = Batcher(
            translator,
            batch_pieces=settings.batch_pieces,
            max_waiting_pieces=settings.max_waiting_pieces,
        )
        self._detector = _load_detector(self.languages)
        self.warm_up: Future[Translation] | None = None
        """The first translation, from `start` on."""

    @property
    def languages(self) -> tuple[str, ...]:
        """Codes of the languages served, the source language first."""
        return tuple(dict.fromkeys((self.source_language, self.target_language)))

    @property
    def status(self) -> str:
        """`ready`, or what stands in the way: starting, draining, stopped or failed."""
        if self.batcher.closing:
            return "draining"
        if self.warm_up is None:
            return "starting"
        if not self.batcher.alive:
            return "stopped"
        if not self.warm_up.done():
            return "starting"
        return "failed" if self.warm_up.exception() else "ready"

    def start(self) -> None:
        """Start the worker and have it translate something, after which we are ready."""
        self.batcher.start()
        [self.warm_up] = self.batcher.submit([WARM_UP_TEXT])

    def close(self) -> None:
        """Finish what was accepted, for as long as a client may still be waiting for it."""
        self.batcher.close(self.settings.deadline_s)

    def check_pair(self, source: str, target: str) -> None:
        """Whether texts can be translated from `source`, which may be AUTO, to `target`.

        Raises:
            InputError: they cannot.
        """
        for code, known in ((source, (*self.languages, AUTO)), (target, self.languages)):
            if code not in known:
                raise InputError(f"{code} is not supported")
        served = f"this server translates {self.source_language} to {self.target_language}"
        if source == AUTO and self._detector is None:
            raise InputError(f"{AUTO} is not supported for these languages; {served}")
        if source not in (self.source_language, target, AUTO):
            raise InputError(f"{source} is not supported as source language; {served}")
        if target not in (self.target_language, source):
            raise InputError(f"{target} is not supported as target language; {served}")

    async def translate(
        self, texts: Sequence[str], source: str, target: str, *, alternatives: int = 0
    ) -> list[Answer]:
        """Translate texts, in their order.

        A text without letters, or already in the target language, comes back unchanged. If the
        caller is cancelled, the texts give their places in the queue back.

        Raises:
            InputError: the pair is not served, or a text cannot be accepted.
            RefusedError: the queue is full, or the server is shutting down.
            TextFailedError: the translator raised on a text.
        """
        self.check_pair(source, target)
        detections: Sequence[Detection | None] = [None] * len(texts)
        if source == AUTO:
            detections = await self._detect(texts)
        languages = [detection.language if detection else source for detection in detections]
        todo = [
            index
            for index, (text, language) in enumerate(zip(texts, languages, strict=True))
            if language != target and has_letters(text)
        ]
        translations = await self._search([texts[index] for index in todo], 1 + alternatives)
        answers = [Answer(text, (), found) for text, found in zip(texts, detections, strict=True)]
        for index, found in zip(todo, translations, strict=True):
            further = tuple(alternative.text for alternative in found.alternatives)
            answers[index] = Answer(found.text, further, detections[index])
        return answers

    async def _detect(self, texts: Sequence[str]) -> list[Detection]:
        detector = self._detector
        assert detector is not None, "check_pair comes first"
        return await asyncio.to_thread(lambda: [detector.detect(text) for text in texts])

    async def _search(self, texts: Sequence[str], n_best: int) -> list[Translation]:
        futures = self.batcher.submit(texts, n_best=n_best) if texts else []
        try:
            return await asyncio.gather(*map(asyncio.wrap_future, futures))
        finally:
            for future in futures:  # no effect on those done
                future.cancel()


def _load_detector(languages: Sequence[str]) -> Detector | None:
    try:
        return Detector(languages)
    except ValueError as error:
        log.warning("source language auto is not available: %s", error)
        return None
