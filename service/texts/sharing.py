"""One computation for all who want the same segment, before and while it runs.

Knows the cache, the queue and the tasks in between. Does not know texts, languages or HTTP.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import NamedTuple

from mt.translation import SegmentTranslation
from service.errors import ServiceError
from service.telemetry.metrics import Metrics
from service.texts.cache import Cache
from service.texts.catalogue import Model
from service.workers.queue import Task, WorkQueue, cost_of
from service.workers.work import Options


class Origin(StrEnum):
    """Where a translation comes from."""

    MODEL = "model"
    SHARED = "shared"
    """From a model, for another request that wanted the same at the same time."""
    CACHE = "cache"
    MEMORY = "memory"
    """From the translation memory."""


class Load(NamedTuple):
    """What segments cost that are to be translated, and how long they are, in characters."""

    cost: float = 0.0
    characters: int = 0


class Found(NamedTuple):
    """The translation of a segment."""

    translation: SegmentTranslation
    origin: Origin
    waited_s: float = 0.0
    """In the queue."""
    searched_s: float = 0.0
    """In a batch, with others."""


RESCORED_EFFORT = 2.1
"""What a translation costs that another model rescores, in translations that none does."""
SEGMENTS_A_TURN = 500
"""Segments looked at before others get their turn on the event loop, a few milliseconds."""
Key = tuple[str, Options, str]
"""What makes two wishes the same: the model's name, options, exact segment. No hash of weights:
folders of the same weights may have other options of their own."""
Outcome = Found | ServiceError
"""Each segment succeeds or fails by itself."""
Done = Callable[[int, Outcome], None]
"""Told the index of each segment and its outcome as soon as they are there, in order."""


class JointWork:
    """The work of one request in so many parts, admitted as a whole or not at all.

    Args:
        queue: says whether it can be done in time.
        parts: how many there are; each says once what it will cost.
    """

    def __init__(self, queue: WorkQueue, parts: int) -> None:
        self._queue = queue
        self._missing = parts
        self._load = Load()
        self._admitted: asyncio.Future[None] = asyncio.Future()

    async def admit(self, load: Load) -> None:
        """Say what a part will cost, and wait until all have.

        Raises:
            ServiceError: TOO_LARGE or OVERLOADED.
        """
        whole = self._load
        self._load = Load(whole.cost + load.cost, whole.characters + load.characters)
        self._missing -= 1
        if not self._missing:
            self._decide()
        await self._admitted

    def _decide(self) -> None:
        try:
            if self._load.cost:
                self._queue.admit(*self._load)
        except ServiceError as error:
            self._admitted.set_exception(error)
        else:
            self._admitted.set_result(None)


class Sharing:
    """Translates segments, each at most once at a time."""

    def __init__(self, queue: WorkQueue, cache: Cache, metrics: Metrics) -> None:
        self._queue = queue
        self._cache = cache
        self._metrics = metrics
        self._open: dict[Key, Task] = {}

    def in_parts(self, parts: int) -> JointWork:
        """A request that comes in so many calls of `translate`, or so many at a time."""
        return JointWork(self._queue, parts)

    async def translate(
        self,
        model: Model,
        options: Options,
        segments: Sequence[str],
        *,
        work: JointWork | None,
        hops: int = 1,
        done: Done | None = None,
    ) -> list[Outcome]:
        """Translate segments by one model, in their order.

        If the caller is cancelled, what nobody else wants gives its place in the queue back.

        Args:
            work: what this is a part of; None if it was admitted before.
            hops: how often segments like these will come with this request, for what is admitted.

        Raises:
            ServiceError: TOO_LARGE or OVERLOADED.
        """
        effort = model_effort(model, options)
        keys = [(model.name, options, segment) for segment in segments]
        with self._wanted() as tasks:
            kept, load = await self._find(keys, effort, tasks)
            if work is not None:
                await work.admit(load._replace(cost=hops * load.cost))
            own = await self._begin(model, effort, keys, kept, tasks)
            joined = sum(task not in own for task in tasks.values())
            self._count(len(keys) - len(tasks), len(tasks), joined)
            outcomes: list[Outcome] = []
            for index, each in enumerate(kept):
                if each is not None:
                    outcomes.append(Found(each, Origin.CACHE))
                else:
                    origin = Origin.MODEL if tasks[index] in own else Origin.SHARED
                    outcomes.append(await _outcome(tasks[index], origin))
                if done:
                    done(index, outcomes[-1])
                await give_way(index)
        return outcomes

    def _kept(self, key: Key) -> SegmentTranslation | None:
        """What the cache has; words that are linked too do no harm."""
        model, options, segment = key
        linked = model, options._replace(links=True), segment
        return self._cache.get(key) or (None if options.links else self._cache.get(linked))

    async def _find(
        self, keys: Sequence[Key], effort: float, tasks: dict[int, Task]
    ) -> tuple[list[SegmentTranslation | None], Load]:
        """What the cache has of each segment; and the load of those that are to be begun.

        Joins the tasks of segments in flight, and makes none.
        """
        kept: list[SegmentTranslation | None] = []
        new: set[Key] = set()
        cost, characters = 0.0, 0
        for index, key in enumerate(keys):
            kept.append(self._kept(key))
            if kept[-1] is None:
                if (task := self._in_flight(key)) is not None:
                    _join(task, tasks, index)
                elif key not in new:
                    new.add(key)
                    cost += cost_of(key[-1], effort)
                    characters += len(key[-1])
            await give_way(index)
        return kept, Load(cost, characters)

    async def _begin(
        self,
        model: Model,
        effort: float,
        keys: Sequence[Key],
        kept: Sequence[SegmentTranslation | None],
        tasks: dict[int, Task],
    ) -> set[Task]:
        """Queue the segments that are neither kept nor joined; returns their tasks."""
        own: set[Task] = set()
        for index, key in enumerate(keys):
            if kept[index] is None and index not in tasks:
                task = self._in_flight(key)
                if task is None:
                    task = self._open[key] = Task(model.name, key[1], key[-1], effort)
                    task.future.add_done_callback(functools.partial(self._end, key, task))
                    self._queue.put([task])
                    own.add(task)
                _join(task, tasks, index)
            await give_way(index)
        return own

    def _in_flight(self, key: Key) -> Task | None:
        task = self._open.get(key)
        return None if task is None or task.future.done() else task  # done: cancelled a moment ago

    def _end(self, key: Key, task: Task, future: asyncio.Future[SegmentTranslation]) -> None:
        if self._open.get(key) is task:
            del self._open[key]
        if not future.cancelled() and future.exception() is None:
            self._cache.put(key, task.segment, future.result())

    @contextmanager
    def _wanted(self) -> Iterator[dict[int, Task]]:
        """Tasks by the index of their segment; those joined meanwhile are left at the end."""
        tasks: dict[int, Task] = {}
        try:
            yield tasks
        finally:
            for task in tasks.values():
                self._queue.leave(task)

    def _count(self, kept: int, tasks: int, joined: int) -> None:
        self._metrics.cache_asked(hits=kept, misses=tasks)
        self._metrics.shared(joined)


async def give_way(index: int) -> None:
    """Let others have their turn on the event loop, once in so many segments."""
    if (index + 1) % SEGMENTS_A_TURN == 0:
        await asyncio.sleep(0)


def model_effort(model: Model, options: Options) -> float:
    """What a character costs under some options, in characters under the model's own."""
    own = model.search.beam_size
    search = dict(options.search)
    drawn = options.n_best if search.get("temperature", model.search.temperature) else 0
    beam = float(max(drawn, search.get("beam_size", own)) / own)
    return beam * RESCORED_EFFORT if options.rescorer else beam


def _join(task: Task, tasks: dict[int, Task], index: int) -> None:
    task.wanted += 1
    tasks[index] = task


async def _outcome(task: Task, origin: Origin) -> Outcome:
    try:
        # Shielded, since others may want it after this request has gone.
        translation = await asyncio.shield(task.future)
    except ServiceError as error:
        return error
    return Found(translation, origin, task.started - task.queued, task.seconds)
