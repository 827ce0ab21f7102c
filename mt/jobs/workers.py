"""Several processes that do tasks side by side; results come out in the order of the tasks.

Knows order, and what to do when a worker dies. Does not know what a task is, or how a process is
spoken to (`mt.jobs.worker`).

A thread of this process sits before each worker: it takes the next task, has it done, and starts
another worker when one has died.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Generic, NamedTuple, Self, TypeVar, cast

from mt.errors import JobError
from mt.jobs.worker import Worker, WorkerLostError

TASKS_A_WORKER = 2
"""Tasks under way for each worker, those whose results wait for their turn among them: one to do,
and one for when it is done. More would only take memory."""
MAX_DEATHS = 3
"""Workers that may die of one task; then it is the task that is to blame."""

Task = TypeVar("Task")
Result = TypeVar("Result")

_Order = Future[tuple[Task, Result]]
"""A task that is taken and, once it is done, its result."""


class Death(NamedTuple):
    """The end of a worker that nobody asked for."""

    task: Any
    """What it was to do."""
    process_id: int
    cause: str
    """How it ended: "killed by SIGKILL", for example."""


class Workers(Generic[Task, Result]):
    """Processes that do tasks; a context manager, and once it is left they are gone.

    Args:
        count: processes at work at once. Each is started when there is a task for it.
        prepare: called once in each process; what it returns does a task there. It, the tasks and
            the results are pickled on their way.
        on_death: told at once, in another thread, of each worker that has died and whose task is
            done again.
    """

    def __init__(
        self,
        count: int,
        prepare: Callable[[], Callable[[Task], Result]],
        on_death: Callable[[Death], None],
    ) -> None:
        self._count, self._prepare, self._on_death = count, prepare, on_death
        self._orders: SimpleQueue[_Order[Task, Result]] = SimpleQueue()
        self._room = threading.Semaphore(count * TASKS_A_WORKER)
        # Held to take a task, since the order of tasks is that of `_orders`.
        self._taking = threading.Lock()
        self._all_taken = False
        # Held to start a worker and to end one, so that none is started once all have ended.
        self._hiring = threading.Lock()
        self._workers: dict[int, Worker] = {}
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._hiring:
            self._closed = True
            for worker in self._workers.values():
                worker.end()
        self._room.release(self._count)  # for the threads that wait for it

    def map(self, tasks: Iterator[Task]) -> Iterator[tuple[Task, Result]]:
        """Each task with its result, in order. To be called once.

        Tasks are taken ahead, by other threads, at most `TASKS_A_WORKER` for each worker.

        Raises:
            JobError: `MAX_DEATHS` workers have died of a task.
            Exception: what was raised by taking a task, by preparing for it or by doing it. The
                results of all tasks before it have come out by then.
        """
        for place in range(self._count):
            threading.Thread(target=self._do_tasks, args=(place, tasks), daemon=True).start()
        while True:
            try:
                done = self._orders.get().result()
            except StopIteration:
                return
            yield done
            self._room.release()

    def _do_tasks(self, place: int, tasks: Iterator[Task]) -> None:
        while (taken := self._take(tasks)) is not None:
            task, order = taken
            try:
                order.set_result((task, self._do(place, task)))
            except Exception as error:
                order.set_exception(error)

    def _take(self, tasks: Iterator[Task]) -> tuple[Task, _Order[Task, Result]] | None:
        """The next task, once there is room for it, and its order; None if there are no more."""
        self._room.acquire()
        with self._taking:
            if self._all_taken or self._closed:
                self._room.release()  # for the next thread that waits for it
                return None
            order: _Order[Task, Result] = Future()
            self._orders.put(order)
            try:
                return next(tasks), order
            except Exception as error:  # StopIteration among them: it is the last order
                self._all_taken = True
                order.set_exception(error)
                return None

    def _do(self, place: int, task: Task) -> Result:
        deaths = 0
        while True:
            worker = self._worker(place)
            try:
                return cast(Result, worker.do(task))
            except WorkerLostError:
                death = self._bury(place, task)
            deaths += 1
            if deaths == MAX_DEATHS:
                raise JobError(f"{task}: {deaths} processes died of it (the last: {death.cause})")
            self._on_death(death)

    def _worker(self, place: int) -> Worker:
        """The worker at a place, a new one if it has none."""
        with self._hiring:
            if self._closed:
                raise CancelledError
            if place not in self._workers:
                self._workers[place] = Worker(self._prepare)
            return self._workers[place]

    def _bury(self, place: int, task: Task) -> Death:
        with self._hiring:
            if self._closed:  # it was ended on purpose
                raise CancelledError
            worker = self._workers.pop(place)
            return Death(task, worker.process_id, worker.end())
