"""What the service does with texts, whichever wire they came by.

Knows the order of the steps: cut into segments, tell the language, find the way, look into the
translation memory, have the rest translated, put together. Does not know requests or answers of
HTTP: `routes` reads the one and writes the other.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

from mt.errors import MTError
from mt.language import Detection, Detector
from mt.translation import SegmentTranslation, given, join
from service.errors import Kind, ServiceError
from service.settings import Settings
from service.telemetry.metrics import Metrics
from service.texts.cache import Cache
from service.texts.catalogue import Catalogue, Way, shortened
from service.texts.cutting import Cut, Style, cut
from service.texts.jobs import Answer, Job, Outcome, Progress, Segment
from service.texts.memory import TranslationMemory
from service.texts.sharing import Done, Found, Origin, Sharing
from service.workers.pool import Pool, StartWorker
from service.workers.queue import WorkQueue, overloaded
from service.workers.work import Options

log = logging.getLogger("mt.service")

CUT_ASIDE = 20_000
"""Characters from which on texts are cut on a thread of their own, after a millisecond or two."""
MARKUP_EFFORT = 10
"""What it costs to cut a character of markup, in characters of plain text."""


@dataclass
class _Piece:
    """A text on its way."""

    text: str
    cut: Cut
    source: str
    detection: Detection | None = None
    way: Way | None = None
    refusal: ServiceError | None = None
    """Why there is no way."""
    found: dict[int, Found | ServiceError] = field(default_factory=dict)


class TranslationService:
    """The models behind one queue.

    Args:
        start_worker: as of `service.workers.pool`.
        on_ready: told when the service is ready for the first time.
        on_failure: told why it will never be ready.
    """

    def __init__(
        self,
        settings: Settings,
        catalogue: Catalogue,
        memory: TranslationMemory,
        start_worker: StartWorker,
        metrics: Metrics,
        *,
        on_ready: Callable[[], None],
        on_failure: Callable[[MTError], None],
    ) -> None:
        self.settings = settings
        self.catalogue = catalogue
        self.queue = WorkQueue(
            batch_characters=settings.batch_characters,
            max_wait_s=settings.max_wait_s,
            deadline_s=settings.deadline_s,
        )
        self.pool = Pool(
            self.queue,
            start_worker,
            size=settings.workers,
            batch_limit_s=2 * settings.deadline_s,
            metrics=metrics,
            on_ready=self._begin,
            on_failure=self._fail,
        )
        self._on_ready = on_ready
        self._on_failure = on_failure
        self._memory = memory
        self._sharing = Sharing(self.queue, Cache(settings.cache_bytes), metrics)
        self._metrics = metrics
        self._detector = _detector(catalogue.languages)
        self._begun = self._closing = self._failed = False

    @property
    def status(self) -> str:
        """`ready`, or what stands in the way: starting, restarting, draining or failed."""
        if self._failed:
            return "failed"
        if self._closing:
            return "draining"
        if self.pool.complete:
            return "ready"
        return "restarting" if self._begun else "starting"

    @property
    def max_alternatives(self) -> int:
        """How many alternatives may be asked for, whatever the languages."""
        # A beam holds no more hypotheses than its size, the best one among them.
        beam = min(model.search.beam_size for model in self.catalogue.models)
        return min(self.settings.max_alternatives, beam - 1)

    def start(self) -> None:
        """Start the workers, without waiting for them."""
        self._metrics.watch_queue(lambda: len(self.queue), lambda: self.queue.wait_s)
        self._metrics.watch_workers(self.pool.count)
        self.pool.start()

    async def close(self, timeout_s: float) -> None:
        """Accept nothing more, finish what was accepted for so many seconds, end the workers."""
        self._closing = True
        await self.pool.close(timeout_s)

    def check_available(self) -> None:
        """Whether anything is translated now.

        Raises:
            ServiceError: UNAVAILABLE, starting or draining; OVERLOADED, too much waits already.
        """
        status = self.status
        if status in ("draining", "failed") or not self.queue.workers:
            raise ServiceError(
                Kind.UNAVAILABLE, f"the server is {status}; try again soon", retry_after_s=1
            )
        if (busy_s := self.queue.busy_s) is not None:
            raise overloaded(busy_s)

    def check_detects(self) -> None:
        """Whether languages can be detected.

        Raises:
            ServiceError: UNSUPPORTED_LANGUAGE, these cannot be told apart.
        """
        if self._detector is None:
            message = "the languages of this server cannot be told apart; name the source language"
            raise ServiceError(Kind.UNSUPPORTED_LANGUAGE, message, field="source")

    def detect(self, text: str) -> Sequence[Detection]:
        """The languages served that a text may be in, likeliest first.

        Raises:
            ServiceError: as of `check_detects`.
        """
        self.check_detects()
        assert self._detector is not None
        return self._detector.rank(text)

    def check_way(self, source: str | None, target: str) -> None:
        """Whether texts can be translated; their language is to be detected if source is None.

        Raises:
            ServiceError: as of `check_detects` or `find_way`.
        """
        if source is None:
            self.check_detects()
        elif source != target:
            self.find_way(source, target)

    def find_way(self, source: str, target: str) -> Way:
        """How to get from one language to another.

        Raises:
            ServiceError: UNSUPPORTED_LANGUAGE, there is no way.
        """
        if (way := self.catalogue.way(source, target)) is None:
            targets = ", ".join(self.catalogue.targets(source)) or "nothing"
            raise ServiceError(
                Kind.UNSUPPORTED_LANGUAGE,
                f"{shortened(target)} is not supported as target language of {source}; "
                f"this server translates {source} to {targets}",
                field="target",
            )
        return way

    async def translate(self, job: Job, progress: Progress | None = None) -> list[Outcome]:
        """Translate texts, in their order.

        A text without letters, or already in the target language, comes back unchanged; only a
        question without letters goes to the model that answers. If the caller is cancelled, the
        texts give their places in the queue back.

        Raises:
            ServiceError: TOO_LARGE, OVERLOADED; UNSUPPORTED_LANGUAGE, languages cannot be detected.
        """
        effort = 1 if job.style.format == "text" else MARKUP_EFFORT
        if effort * sum(map(len, job.texts)) > CUT_ASIDE:
            pieces = await asyncio.to_thread(self._prepare, job)
        else:
            pieces = self._prepare(job)
        ways = dict.fromkeys(piece.way for piece in pieces if piece.way)
        if len(ways) == 1:
            await self._translate_by(next(iter(ways)), pieces, job.options, progress)
        else:
            each = (self._translate_by(way, pieces, job.options, progress) for way in ways)
            await _together(*each)
        return [_answer(piece) for piece in pieces]

    def _prepare(self, job: Job) -> list[_Piece]:
        return [self._piece(text, job) for text in job.texts]

    def _piece(self, text: str, job: Job) -> _Piece:
        source, detection = job.source, None
        if source is None:
            detection = self.detect(_words(text, job.style))[0]
            source = detection.language
        answers = job.model is not None and job.model.task == "answer"
        style = dataclasses.replace(job.style, letterless=answers)
        piece = _Piece(text, cut(text, source, style), source, detection)
        if not piece.cut.segments:
            return piece
        if job.model is not None:
            piece.way = Way((job.model,))
        elif source != job.target:
            try:
                piece.way = self.find_way(source, job.target)
            except ServiceError as error:  # of a text whose language was detected
                piece.refusal = error
        if piece.way and piece.way.unsplit:
            piece.cut = cut(text, source, dataclasses.replace(style, sentences="whole"))
        return piece

    async def _translate_by(
        self, way: Way, pieces: Sequence[_Piece], options: Options, progress: Progress | None
    ) -> None:
        """Translate the segments of all texts that go one way."""

        def note(number: int, place: int, outcome: Found | ServiceError) -> None:
            pieces[number].found[place] = outcome
            if progress and isinstance(outcome, Found):
                segment = pieces[number].cut.segments[place]
                progress(number, place, Segment(segment, outcome, way))

        unknown: list[tuple[int, int]] = []
        for number, piece in enumerate(pieces):
            for place, segment in enumerate(piece.cut.segments if piece.way == way else ()):
                known = self._remembered(way, segment)
                if known is None:
                    unknown.append((number, place))
                else:
                    note(number, place, Found(given(known), Origin.MEMORY))
                    self._metrics.memory_hit()
        segments = [pieces[number].cut.segments[place] for number, place in unknown]
        await self._search(
            way, options, segments, lambda index, outcome: note(*unknown[index], outcome)
        )

    def _remembered(self, way: Way, segment: str) -> str | None:
        """What the memory has; it holds translations, which are no answers."""
        if way.models[0].task != "translate":
            return None
        return self._memory.find(way.source, way.target, segment)

    async def _search(
        self, way: Way, options: Options, segments: Sequence[str], done: Done
    ) -> None:
        if way.pivot is None:
            await self._sharing.translate(way.models[0], options, segments, done=done)
            return
        first, second = way.models
        middle = await self._sharing.translate(first, Options(), segments, hops=2)
        halfway: list[tuple[int, Found]] = []
        for index, outcome in enumerate(middle):
            if isinstance(outcome, Found):
                halfway.append((index, outcome))
            else:
                done(index, outcome)

        def done_twice(place: int, outcome: Found | ServiceError) -> None:
            index, before = halfway[place]
            done(index, _after(before, outcome) if isinstance(outcome, Found) else outcome)

        texts = [before.translation.text for _, before in halfway]
        await self._sharing.translate(second, options, texts, hops=0, done=done_twice)

    def _begin(self) -> None:
        self._begun = True
        for model in (*self.catalogue.models, *self.catalogue.answering):
            self._metrics.model_loaded(model, self.pool.engines[model.name])
        self._on_ready()

    def _fail(self, error: MTError) -> None:
        self._failed = True
        self._on_failure(error)


async def _together(*work: Coroutine[Any, Any, None]) -> None:
    """Do all at once; if one fails, or the caller is cancelled, none goes on."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


def _words(text: str, style: Style) -> str:
    """What the language of a text is told from: all of it but markup."""
    return text if style.format == "text" else " ".join(cut(text, "", style).segments)


def _after(first: Found, second: Found) -> Found:
    """The translation of a translation: its flags are those of both, its time is the sum."""
    candidates = tuple(
        candidate._replace(
            log_probability=candidate.log_probability
            + first.translation.candidates[0].log_probability,
            length=candidate.length + first.translation.candidates[0].length,
        )
        for candidate in second.translation.candidates
    )
    flags = first.translation.flags | second.translation.flags
    return Found(
        SegmentTranslation(candidates, flags),
        second.origin if second.origin == first.origin else Origin.MODEL,
        first.waited_s + second.waited_s,
        first.searched_s + second.searched_s,
    )


def _answer(piece: _Piece) -> Outcome:
    if piece.refusal:
        return piece.refusal
    unchanged = Answer(piece.text, piece.source, detection=piece.detection)
    if piece.way is None:
        return unchanged
    segments = []
    for place, source in enumerate(piece.cut.segments):
        found = piece.found[place]
        if isinstance(found, ServiceError):
            return found
        segments.append(Segment(source, found, piece.way))
    joined = join(piece.cut.frame, [segment.found.translation for segment in segments])
    return dataclasses.replace(
        unchanged,
        text=joined.text,
        score=joined.score,
        flags=joined.flags,
        alternatives=joined.alternatives,
        way=piece.way,
        segments=tuple(segments),
    )


def _detector(languages: Sequence[str]) -> Detector | None:
    try:
        return Detector(languages)
    except ValueError as error:
        log.warning("languages cannot be detected: %s", error)
        return None
