"""Segments that wait for a worker, bounded by the seconds of work they are.

Knows how long work takes, from the batches done so far, and in which order it is done: first come,
first served, segments of one model and equal options together. Does not know processes, texts or
HTTP. It belongs to the event loop: nothing here is for other threads.

How long something waits is told from all batches, before the first one by a guess. What is too
large for good is told from large batches alone, which take a quarter of the time a character that
single sentences take. Before there is one, large work is refused as any other: while the server is
busy. An idle one tries it, and so finds out.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mt.translation import SegmentTranslation
from service.errors import Kind, ServiceError
from service.workers.work import Batch, Options

SEGMENT_CHARACTERS = 10
"""What a segment costs whatever its length, in characters."""
FIRST_PACE = 2e-4
"""Seconds a character, before anything is known; a slow guess, soon forgotten."""
REMEMBERED_CHARACTERS = 20_000
"""The pace is that of about so many characters past."""
LARGE_BATCH = 1000
"""Characters from which on a batch takes about as long a character as any larger one."""


@dataclass(eq=False)
class Task:
    """A segment on its way through the queue, wanted by one request or more."""

    model: str
    options: Options
    segment: str
    effort: float = 1.0
    """What a character of it costs, in characters searched with the model's own options."""
    wanted: int = 0
    """Requests that wait for it; a task that nobody wants is not done."""
    queued: float = field(default_factory=time.monotonic)
    started: float = 0.0
    seconds: float = 0.0
    """What its batch took."""
    batch: Sequence[Task] = ()
    """All that it is worked on with; empty while it waits."""
    stop: Callable[[], None] | None = None
    """Ends the work on its batch."""
    future: asyncio.Future[SegmentTranslation] = field(default_factory=asyncio.Future)

    @property
    def cost(self) -> float:
        """In characters."""
        return cost_of(self.segment, self.effort)


class WorkQueue:
    """The tasks that wait.

    Args:
        batch_characters: the cost of a batch; a larger task goes alone.
        max_wait_s: seconds of work that may wait.
        deadline_s: seconds within which a request has to be answered.
    """

    def __init__(self, *, batch_characters: int, max_wait_s: float, deadline_s: float) -> None:
        self.workers = 0
        """Workers that share the work, kept by `service.workers.pool`."""
        self._batch_characters = batch_characters
        self._max_wait_s = max_wait_s
        self._deadline_s = deadline_s
        self._tasks: deque[Task] = deque()  # some of them left by all who wanted them
        self._wanted = 0  # the others
        self._waiting = 0.0  # cost of the tasks that wait
        self._in_work, self._batches = 0.0, 0  # cost and number of the batches in work
        self._pace = _Pace(FIRST_PACE * 1000, 1000.0)
        self._large: dict[str, _Pace] = defaultdict(_Pace)  # of large batches, by model
        self._takers = 0  # calls of take that have no batch yet
        self._idle: deque[asyncio.Future[None]] = deque()  # those of them that sleep
        self._closed = False

    def __len__(self) -> int:
        return self._wanted

    @property
    def empty(self) -> bool:
        """Whether nothing waits and nothing is in work."""
        return not self._wanted and not self._batches

    @property
    def wait_s(self) -> float:
        """Seconds until what is here is done, as far as can be told."""
        return self._seconds(self._waiting + self._in_work, self._pace.value)

    @property
    def waiting_s(self) -> float:
        """Seconds of work that no worker has begun, as far as can be told."""
        return self._seconds(self._waiting, self._pace.value)

    @property
    def busy_s(self) -> int | None:
        """Whole seconds to wait before anything more is accepted, or None if something is."""
        late = self.wait_s - self._max_wait_s
        return self._come_again_s(late) if late > 0 else None

    def admit(self, cost: float, characters: int) -> None:
        """Whether work of that cost can be done in time.

        Args:
            cost: as of `Task`s, the sum.
            characters: how long its segments are, for what a client is told.

        Raises:
            ServiceError: TOO_LARGE, it could not be done by an idle server either; OVERLOADED.
        """
        # By the quickest model: it is not said whose work this is, and others may be slower.
        paces = [pace.value for pace in self._large.values()]
        least_s = self._seconds(cost, min(paces, default=0.0))
        if least_s > self._deadline_s and cost > self._batch_characters:
            fitting = int(characters * self._deadline_s / least_s)
            raise ServiceError(
                Kind.TOO_LARGE,
                f"this takes about {least_s:.0f} s of the {self._deadline_s:g} s there are; "
                f"send at most about {fitting} characters at once",
            )
        done_s = self.wait_s + self._seconds(cost, self._pace.value)
        late = max(self.wait_s - self._max_wait_s, done_s - self._deadline_s)
        if late > 0 and not self.empty:
            raise overloaded(self._come_again_s(late))

    def put(self, tasks: Sequence[Task]) -> None:
        """Queue admitted tasks."""
        self._tasks.extend(tasks)
        self._wanted += len(tasks)
        self._waiting += sum(task.cost for task in tasks)
        self._wake(len(tasks))

    def leave(self, task: Task) -> None:
        """A request does not want a task any more; a batch that nobody wants is stopped."""
        task.wanted -= 1
        if task.wanted or task.future.done():
            return
        if not task.started:
            task.future.cancel()  # taken out when its turn comes
            self._wanted -= 1
            self._waiting = self._waiting - task.cost if self._wanted else 0.0
        elif task.stop and not any(each.wanted for each in task.batch):
            for each in task.batch:
                each.future.cancel()  # so that nobody comes to want it after all
            task.stop()

    async def take(
        self,
        stop: Callable[[], None] | None = None,
        gone: asyncio.Future[None] | None = None,
    ) -> list[Task]:
        """The next batch, as soon as there is one; empty once the queue is closed and empty.

        Args:
            stop: told when nobody wants any of the batch any more, whose futures are cancelled
                then; without it the batch is done all the same.
            gone: once it is done nobody can work on a batch any more, and none is given.
        """
        gone = gone or asyncio.get_running_loop().create_future()
        self._takers += 1
        try:
            batch: list[Task] = []
            while not gone.done() and not (batch := self._next_batch()) and not self._closed:
                await self._woken(gone)
            if gone.done():
                self._wake(1)  # whoever was not woken, because this one was
            for task in batch:
                task.batch, task.stop = batch, stop
            return batch
        finally:
            self._takers -= 1

    def done(self, batch: Sequence[Task], seconds: float | None) -> None:
        """A batch is out of work; its seconds, if it succeeded, tell of the pace."""
        cost = sum(task.cost for task in batch)
        self._batches -= 1
        self._in_work = self._in_work - cost if self._batches else 0.0
        if seconds is not None:
            self._pace.note(cost, seconds)
            # The next task did not fit into a full batch, which so may be half empty.
            if cost >= min(LARGE_BATCH, self._batch_characters / 2):
                self._large[batch[0].model].note(cost, seconds)

    def close(self) -> None:
        """Let `take` return without a batch once there is nothing to take."""
        self._closed = True
        self._wake(len(self._idle))

    def abandon(self, error: ServiceError) -> None:
        """Fail all that waits."""
        for task in self._tasks:
            if not task.future.done():
                task.future.set_exception(error)
        self._tasks.clear()
        self._wanted, self._waiting = 0, 0.0

    def _seconds(self, cost: float, pace: float) -> float:
        """What work takes if all workers share it."""
        return cost * pace / max(1, self.workers)

    def _come_again_s(self, late: float) -> int:
        """Whole seconds; whatever waits is done or given up by its deadline."""
        return max(1, math.ceil(min(late, self._deadline_s)))

    def _next_batch(self) -> list[Task]:
        """First come, first served, among those like the first; idle workers share the rest."""
        batch: list[Task] = []
        others: list[Task] = []
        cost, most = 0.0, self._share()
        while self._tasks and (not batch or cost < most):
            task = self._tasks.popleft()
            if task.future.done():  # cancelled
                continue
            if batch and (task.model, task.options) != (batch[0].model, batch[0].options):
                others.append(task)
                continue
            if batch and cost + task.cost > self._batch_characters:
                others.append(task)
                break
            batch.append(task)
            cost += task.cost
        self._tasks.extendleft(reversed(others))
        self._wanted -= len(batch)
        self._waiting = self._waiting - cost if self._wanted else 0.0
        if batch:
            self._in_work += cost
            self._batches += 1
        now = time.monotonic()
        for task in batch:
            task.started = now
        return batch

    def _share(self) -> float:
        return min(self._batch_characters, self._waiting / self._takers)

    async def _woken(self, gone: asyncio.Future[None]) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._idle.append(turn)

        def wake(gone: asyncio.Future[None]) -> None:
            if not turn.done():
                turn.set_result(None)

        gone.add_done_callback(wake)
        try:
            await turn
        except asyncio.CancelledError:
            # Woken and cancelled at once: the next in line is to be woken instead.
            if turn.done() and not turn.cancelled():
                self._wake(1)
            raise
        finally:
            gone.remove_done_callback(wake)

    def _wake(self, count: int) -> None:
        while count > 0 and self._idle:
            turn = self._idle.popleft()
            if not turn.done():
                turn.set_result(None)
                count -= 1


def cost_of(segment: str, effort: float) -> float:
    """What a segment costs, in characters."""
    return (SEGMENT_CHARACTERS + len(segment)) * effort


def overloaded(retry_after_s: int) -> ServiceError:
    """What a request is told for which there is no time."""
    return ServiceError(
        Kind.OVERLOADED,
        f"the server is busy; try again in {retry_after_s} s",
        retry_after_s=retry_after_s,
    )


def as_batch(tasks: Sequence[Task]) -> Batch:
    """What a worker is told of tasks; they share model and options."""
    return Batch(tasks[0].model, tasks[0].options, tuple(task.segment for task in tasks))


@dataclass
class _Pace:
    """Seconds that characters take, by those of late."""

    seconds: float = 0.0
    characters: float = 0.0

    def note(self, cost: float, seconds: float) -> None:
        kept = math.exp(-cost / REMEMBERED_CHARACTERS)
        self.seconds = kept * self.seconds + seconds
        self.characters = kept * self.characters + cost

    @property
    def value(self) -> float:
        """Seconds a character; at least one was noted."""
        return self.seconds / self.characters
