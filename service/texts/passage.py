"""What becomes of the texts of a job, whichever wire they came by.

Knows the order of the steps: cut into segments, tell the language, find the way, look into the
translation memory, have the rest translated, put together. Does not know queues, workers or HTTP.
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

from mt.text.language import Detection
from mt.translation import SegmentTranslation, given, join
from service.aside import aside_if
from service.errors import ServiceError
from service.telemetry.metrics import Metrics
from service.texts.catalogue import Way
from service.texts.cutting import Cut, cut, read_markup
from service.texts.jobs import Answer, Job, Outcome, Progress, Rescoring, Segment
from service.texts.memory import TranslationMemory
from service.texts.sharing import Done, Found, JointWork, Origin, Sharing, give_way
from service.texts.ways import Ways
from service.workers.work import Options

CUT_ASIDE = 20_000
"""Characters from which on texts are cut on a thread of their own, after a millisecond or two."""
MARKUP_EFFORT = 10
"""What it costs to cut a character of markup, in characters of plain text."""


class Passage:
    """The steps from a job to its outcomes.

    Args:
        ways: between the languages served.
        memory: finished translations.
        sharing: has translated what the memory lacks.
    """

    def __init__(
        self, ways: Ways, memory: TranslationMemory, sharing: Sharing, metrics: Metrics
    ) -> None:
        self._ways = ways
        self._memory = memory
        self._sharing = sharing
        self._metrics = metrics

    async def translate(self, job: Job, progress: Progress | None = None) -> list[Outcome]:
        """Translate texts, in their order.

        A text without letters, or already in the target language, comes back unchanged; only a
        question without letters goes to the model that answers. If the caller is cancelled, the
        texts give their places in the queue back.

        Raises:
            ServiceError: TOO_LARGE, OVERLOADED; UNSUPPORTED_LANGUAGE, languages cannot be detected.
        """
        effort = 1 if job.style.format == "text" else MARKUP_EFFORT
        large = effort * sum(map(len, job.texts)) > CUT_ASIDE
        pieces = await aside_if(large, self._prepare, job)
        kinds = dict.fromkeys((piece.way, piece.cut.wants_links) for piece in pieces if piece.way)
        work = self._sharing.in_parts(len(kinds))
        parts = [self._translate_alike(kind, pieces, job.options, work, progress) for kind in kinds]
        if len(parts) == 1:
            await parts[0]
        else:
            await _together(*parts)
        return await aside_if(large, _answers, pieces)

    def _prepare(self, job: Job) -> list[_Piece]:
        return [self._piece(text, job) for text in job.texts]

    def _piece(self, text: str, job: Job) -> _Piece:
        source, detection = job.source, None
        markup = read_markup(text, job.style)
        if source is None:
            words = text if markup is None else " ".join(markup.texts)
            detection = self._ways.source(words, job.target)
            source = detection.language
        answers = job.model is not None and job.model.task == "answer"
        style = dataclasses.replace(job.style, letterless=answers)
        piece = _Piece(text, cut(text, source, style, markup), source, detection)
        if not piece.cut.segments:
            return piece
        if job.model is not None:
            piece.way = Way((job.model,))
        elif source != job.target:
            try:
                piece.way = self._ways.find(source, job.target)
            except ServiceError as error:  # of a text whose language was detected
                piece.refusal = error
        if piece.way and job.rescoring is not Rescoring.NEVER:
            try:
                piece.way = self._ways.rescored(piece.way)
            except ServiceError as error:
                if job.rescoring is Rescoring.ALWAYS:
                    piece.way, piece.refusal = None, error
        if piece.way and piece.way.unsplit:
            piece.cut = cut(text, source, dataclasses.replace(style, sentences="whole"), markup)
        return piece

    async def _translate_alike(
        self,
        kind: tuple[Way, bool],
        pieces: Sequence[_Piece],
        options: Options,
        work: JointWork,
        progress: Progress | None,
    ) -> None:
        """Translate the segments of all texts that go one way, and want links of words or not."""
        way, links = kind

        def note(number: int, place: int, outcome: Found | ServiceError) -> None:
            pieces[number].found[place] = outcome
            if progress and isinstance(outcome, Found):
                segment = pieces[number].cut.segments[place]
                progress(number, place, Segment(segment, outcome, way))

        unknown: list[tuple[int, int]] = []
        looked_at = itertools.count()
        for number, piece in enumerate(pieces):
            alike = (piece.way, piece.cut.wants_links) == kind
            for place, segment in enumerate(piece.cut.segments if alike else ()):
                await give_way(next(looked_at))
                known = self._remembered(way, segment)
                if known is None:
                    unknown.append((number, place))
                else:
                    note(number, place, Found(given(known), Origin.MEMORY))
                    self._metrics.memory_hit()
        segments = [pieces[number].cut.segments[place] for number, place in unknown]
        options = options._replace(links=links)
        await self._search(
            way, options, segments, work, lambda index, outcome: note(*unknown[index], outcome)
        )

    def _remembered(self, way: Way, segment: str) -> str | None:
        """What the memory has; it holds translations, which are no answers."""
        if way.models[0].task != "translate":
            return None
        return self._memory.find(way.source, way.target, segment)

    async def _search(
        self, way: Way, options: Options, segments: Sequence[str], work: JointWork, done: Done
    ) -> None:
        if way.pivot is None:
            options = _by_rescorer(options, way, 0)
            await self._sharing.translate(way.models[0], options, segments, work=work, done=done)
            return
        first, second = way.models
        usual = _by_rescorer(Options(links=options.links), way, 0)
        middle = await self._sharing.translate(first, usual, segments, work=work, hops=2)
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
        options = _by_rescorer(options, way, 1)
        await self._sharing.translate(second, options, texts, work=None, done=done_twice)


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


def _by_rescorer(options: Options, way: Way, leg: int) -> Options:
    """The options for the model of a way at that place."""
    return options._replace(rescorer=way.rescorers[leg].name) if way.rescorers else options


async def _together(*work: Coroutine[Any, Any, None]) -> None:
    """Do all at once; if one fails, or the caller is cancelled, none goes on."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


def _after(first: Found, second: Found) -> Found:
    """The translation of a translation: its flags are those of both, its time is the sum."""
    middle = first.translation.candidates[0]
    candidates = []
    for candidate in second.translation.candidates:
        onward = dict(candidate.links)
        candidates.append(
            candidate._replace(
                log_probability=candidate.log_probability + middle.log_probability,
                length=candidate.length + middle.length,
                links=tuple((n, onward[m]) for n, m in middle.links if m in onward),
            )
        )
    flags = first.translation.flags | second.translation.flags
    return Found(
        SegmentTranslation(tuple(candidates), flags),
        second.origin if second.origin == first.origin else Origin.MODEL,
        first.waited_s + second.waited_s,
        first.searched_s + second.searched_s,
    )


def _answers(pieces: Sequence[_Piece]) -> list[Outcome]:
    return [_answer(piece) for piece in pieces]


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
