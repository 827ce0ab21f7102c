"""The models behind one queue: what the service has, how it is, and when it begins and ends.

Knows queue, pool and what becomes of them. Does not know what becomes of a text (`passage`), nor
requests or answers of HTTP: `routes` reads the one and writes the other.
"""

from __future__ import annotations

from collections.abc import Callable

from mt.errors import MTError
from service.errors import Kind, ServiceError
from service.settings import Settings
from service.telemetry.metrics import Metrics
from service.texts.cache import Cache
from service.texts.catalogue import Catalogue
from service.texts.jobs import Job, Outcome, Progress
from service.texts.memory import TranslationMemory
from service.texts.passage import Passage
from service.texts.sharing import Sharing
from service.texts.ways import Ways
from service.workers.pool import Pool, StartWorker
from service.workers.queue import WorkQueue, overloaded


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
        self.ways = Ways(catalogue)
        sharing = Sharing(self.queue, Cache(settings.cache_bytes), metrics)
        self._passage = Passage(self.ways, memory, sharing, metrics)
        self._metrics = metrics
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
        self._metrics.watch_queue(lambda: len(self.queue), lambda: self.queue.waiting_s)
        self._metrics.watch_workers(self.pool.count)
        self.pool.start()

    async def close(self, timeout_s: float) -> None:
        """Accept nothing more, finish what was accepted for so many seconds, end the workers."""
        self._closing = True
        await self.pool.close(timeout_s)

    def check_available(self) -> None:
        """Whether anything is translated now.

        Raises:
            ServiceError: UNAVAILABLE, starting, draining or failed; OVERLOADED, too much waits
                already.
        """
        status = self.status
        if status == "failed":  # for good, so nobody is asked to come again
            message = "the server has failed; its log says why"
            raise ServiceError(Kind.UNAVAILABLE, message)
        if status == "draining" or not self.queue.workers:
            raise ServiceError(
                Kind.UNAVAILABLE, f"the server is {status}; try again soon", retry_after_s=1
            )
        if (busy_s := self.queue.busy_s) is not None:
            raise overloaded(busy_s)

    async def translate(self, job: Job, progress: Progress | None = None) -> list[Outcome]:
        """As `Passage.translate`."""
        return await self._passage.translate(job, progress)

    def _begin(self) -> None:
        self._begun = True
        for model in self.catalogue.all:
            self._metrics.model_loaded(model, self.pool.engines[model.name])
        self._on_ready()

    def _fail(self, error: MTError) -> None:
        self._failed = True
        self._on_failure(error)
