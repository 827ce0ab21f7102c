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
from service.workers.queue import Task, WorkQueue
from service.workers.work import Options


class Origin(StrEnum):
    """Where a translation comes from."""

    MODEL = "model"
    SHARED = "shared"
    """From a model, for another request that wanted the same at the same time."""
    CACHE = "cache"
    MEMORY = "memory"
    """From the translation memory."""


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
Key = tuple[str, Options, str]
"""What makes two wishes the same: the SHA-256 of the model's weights, options, exact segment."""
Outcome = Found | ServiceError
"""Each segment succeeds or fails by itself."""
Done = Callable[[int, Outcome], None]
"""Told the index of each segment and its outcome as soon as they are there, in order."""


class Sharing:
    """Translates segments, each at most once at a time."""

    def __init__(self, queue: WorkQueue, cache: Cache, metrics: Metrics) -> None:
        self._queue = queue
        self._cache = cache
        self._metrics = metrics
        self._open: dict[Key, Task] = {}

    async def translate(
        self,
        model: Model,
        options: Options,
        segments: Sequence[str],
        *,
        hops: int = 1,
        done: Done | None = None,
    ) -> list[Outcome]:
        """Translate segments by one model, in their order.

        If the caller is cancelled, what nobody else wants gives its place in the queue back.

        Args:
            hops: how often segments like these will come with this request, for what is admitted;
                0 if they were admitted before.

        Raises:
            ServiceError: TOO_LARGE or OVERLOADED.
        """
        keys = [(model.sha256, options, segment) for segment in segments]
        kept = [self._kept(key) for key in keys]
        tasks, new = self._tasks(model, options, keys, kept)
        if hops and new:
            self._queue.admit(hops * sum(task.cost for task in new.values()))
        self._begin(new)
        self._count(sum(each is not None for each in kept), len(tasks), len(new))
        own = set(new.values())
        outcomes: list[Outcome] = []
        with self._wanted(list(tasks.values())):
            for index, each in enumerate(kept):
                if each is not None:
                    outcomes.append(Found(each, Origin.CACHE))
                else:
                    origin = Origin.MODEL if tasks[index] in own else Origin.SHARED
                    outcomes.append(await _outcome(tasks[index], origin))
                if done:
                    done(index, outcomes[-1])
        return outcomes

    def _kept(self, key: Key) -> SegmentTranslation | None:
        """What the cache has; words that are linked too do no harm."""
        identity, options, segment = key
        linked = identity, options._replace(links=True), segment
        return self._cache.get(key) or (None if options.links else self._cache.get(linked))

    def _tasks(
        self,
        model: Model,
        options: Options,
        keys: Sequence[Key],
        kept: Sequence[SegmentTranslation | None],
    ) -> tuple[dict[int, Task], dict[Key, Task]]:
        """The task of each segment that is not kept, by index; and those of them that are new, by
        their keys."""
        effort = model_effort(model, options)
        tasks: dict[int, Task] = {}
        new: dict[Key, Task] = {}
        for index, key in enumerate(keys):
            if kept[index] is not None:
                continue
            task = new.get(key) or self._open.get(key)
            if task is None or task.future.done():  # done: cancelled a moment ago
                task = new[key] = Task(model.name, options, key[-1], effort)
            tasks[index] = task
        return tasks, new

    def _begin(self, new: dict[Key, Task]) -> None:
        self._open.update(new)
        for key, task in new.items():
            task.future.add_done_callback(functools.partial(self._end, key, task))
        self._queue.put(list(new.values()))

    def _end(self, key: Key, task: Task, future: asyncio.Future[SegmentTranslation]) -> None:
        if self._open.get(key) is task:
            del self._open[key]
        if not future.cancelled() and future.exception() is None:
            self._cache.put(key, task.segment, future.result())

    @contextmanager
    def _wanted(self, tasks: Sequence[Task]) -> Iterator[None]:
        for task in tasks:
            task.wanted += 1
        try:
            yield
        finally:
            for task in tasks:
                self._queue.leave(task)

    def _count(self, kept: int, tasks: int, new: int) -> None:
        self._metrics.cache_asked(hits=kept, misses=tasks)
        self._metrics.shared(tasks - new)


def model_effort(model: Model, options: Options) -> float:
    """What a character costs under some options, in characters under the model's own."""
    own = model.search.beam_size
    search = dict(options.search)
    drawn = options.n_best if search.get("temperature", model.search.temperature) else 0
    beam = float(max(drawn, search.get("beam_size", own)) / own)
    return beam * RESCORED_EFFORT if options.rescorer else beam


async def _outcome(task: Task, origin: Origin) -> Outcome:
    try:
        # Shielded, since others may want it after this request has gone.
        translation = await asyncio.shield(task.future)
    except ServiceError as error:
        return error
    return Found(translation, origin, task.started - task.queued, task.seconds)
