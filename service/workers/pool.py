"""Keeps workers at work: starts them, hands them batches, replaces those that are lost.

Knows how many workers there are to be and what the queue has for them. Does not know what a worker
is, texts or HTTP.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

from mt.errors import MTError
from service.errors import Kind, ServiceError
from service.telemetry.metrics import Metrics
from service.workers.process import Worker, WorkerLostError
from service.workers.queue import Task, WorkQueue, as_batch
from service.workers.work import Outcome

log = logging.getLogger("mt.service")

StartWorker = Callable[[], Awaitable[Worker]]
RESTART_S = 1.0
"""Pause before a worker is started in place of one that did not even start."""
FIRST_STARTS = 5
"""After so many deaths at the start, and none that lived, no worker is expected to start at all."""
LOST = "the worker that translated this has died; please send it again"


class Pool:
    """A number of workers on one queue.

    Args:
        start_worker: starts one and waits until it can work; MTError if none ever will.
        size: workers to keep.
        batch_limit_s: seconds after which a worker that has not answered is taken for lost.
        on_ready: told when all workers are there for the first time.
        on_failure: told why, if it shows that no worker will ever start.
    """

    def __init__(
        self,
        queue: WorkQueue,
        start_worker: StartWorker,
        *,
        size: int,
        batch_limit_s: float,
        metrics: Metrics,
        on_ready: Callable[[], None],
        on_failure: Callable[[MTError], None],
    ) -> None:
        self.size = size
        self.engines: Mapping[str, str] = {}
        """What does the arithmetic of each model; empty until a worker is there."""
        self._queue = queue
        self._start_worker = start_worker
        self._batch_limit_s = batch_limit_s
        self._metrics = metrics
        self._on_ready: Callable[[], None] | None = on_ready
        self._on_failure = on_failure
        self._keepers: list[asyncio.Task[None]] = []
        self._closing = False
        self._lived = False
        """Whether a worker has ever come to work."""
        self._stillborn = 0

    def count(self) -> Mapping[str, int]:
        """Workers by state."""
        there = self._queue.workers
        return {"working": there, "starting": self.size - there}

    @property
    def complete(self) -> bool:
        """Whether all workers are there."""
        return self._queue.workers == self.size

    def start(self) -> None:
        """Start all workers, without waiting for them."""
        self._keepers = [asyncio.create_task(self._keep()) for _ in range(self.size)]

    async def close(self, timeout_s: float) -> None:
        """Have the queued work finished for so many seconds, then end the workers."""
        self._closing = True
        self._queue.close()
        if self._keepers:
            await asyncio.wait(self._keepers, timeout=timeout_s)
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        self._queue.abandon(ServiceError(Kind.UNAVAILABLE, "the server is shutting down"))

    async def _keep(self) -> None:
        while not self._closing:
            try:
                worker = await self._start_worker()
            except MTError as error:
                self._closing = True
                self._on_failure(error)
                return
            except (WorkerLostError, OSError) as error:  # the latter for want of memory or files
                log.error("a worker was lost while it started: %s", error)
                self._stillborn += 1
                if not self._lived and self._stillborn == FIRST_STARTS:
                    self._closing = True
                    self._on_failure(MTError("the workers die as they start; the log says how"))
                await asyncio.sleep(RESTART_S)
                continue
            self.engines = worker.engines
            self._lived = True
            self._queue.workers += 1
            if self.complete and self._on_ready:
                self._on_ready()
                self._on_ready = None
            try:
                await self._work(worker)
            except WorkerLostError as error:
                log.error("a worker is lost: %s; another takes its place", error)
                self._metrics.worker_restarted()
            finally:
                self._queue.workers -= 1
                await worker.end()

    async def _work(self, worker: Worker) -> None:
        """Raises: WorkerLostError. Returns once the queue is closed and empty."""
        ended = asyncio.create_task(worker.ended())
        try:
            while batch := await self._queue.take(worker.stop, ended):
                await self._translate(worker, batch)
            if ended.done():
                raise WorkerLostError("it has ended")
        finally:
            ended.cancel()

    async def _translate(self, worker: Worker, batch: Sequence[Task]) -> None:
        seconds = None
        try:
            async with asyncio.timeout(self._batch_limit_s):
                done = await worker.translate(as_batch(batch))
            if all(task.future.cancelled() for task in batch):
                return  # stopped, perhaps: its seconds tell nothing
            seconds = done.seconds
            for task, outcome in zip(batch, done.outcomes, strict=True):
                task.seconds = seconds
                _settle(task, outcome)
            self._metrics.batch_done(
                segments=len(batch),
                characters=sum(len(task.segment) for task in batch),
                seconds=seconds,
                waited=[task.started - task.queued for task in batch],
            )
        except TimeoutError as error:
            raise WorkerLostError("it does not answer") from error
        finally:
            self._queue.done(batch, seconds)
            for task in batch:  # nobody is left waiting, whatever happened
                _settle(task, ServiceError(Kind.UNAVAILABLE, LOST, retry_after_s=1))


def _settle(task: Task, outcome: Outcome) -> None:
    if task.future.done():
        return
    if isinstance(outcome, ServiceError):
        task.future.set_exception(outcome)
        # Looked at here, so that one nobody waits for any more is not reported by the loop.
        task.future.exception()
    else:
        task.future.set_result(outcome)
