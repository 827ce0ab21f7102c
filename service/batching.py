"""One queue and one worker thread: the texts of all requests share the calls of one translator.

Knows in which order texts are planned, searched and finished, and that each text succeeds or
fails on its own. Does not know HTTP, languages or models: the translator is a protocol.

A text is planned into sources, one token sequence per segment; a source's size is counted in
pieces, its tokens. The worker fills a batch with sources, first come first served, whatever
text or request they belong to:

    submit -> inbox (texts) -> plan -> pool (sources) -> search -> finish -> future

There is no waiting for company: an idle worker starts at once, and whatever arrives while it
is busy goes together into its next batch.
"""

from __future__ import annotations

import functools
import itertools
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from mt.config import SearchConfig
from mt.errors import InputError

log = logging.getLogger("mt.service")

CHARACTERS_PER_PIECE = 4
"""Guess by which a text is counted against the bound until it is planned."""
JOIN_S = 0.5
"""Seconds that `close` gives the thread to end once nobody waits for it any more."""


class Plan(Protocol):
    """A text split and tokenised."""

    @property
    def sources(self) -> Sequence[Sequence[int]]:
        """Token ids of each segment to search; empty for a text with nothing to translate."""


class Alternative(Protocol):
    """Another translation of a text."""

    @property
    def text(self) -> str: ...


class Translation(Protocol):
    """A translated text."""

    @property
    def text(self) -> str: ...
    @property
    def alternatives(self) -> Sequence[Alternative]: ...


P = TypeVar("P", bound=Plan)
H = TypeVar("H")


class Translator(Protocol[P, H]):
    """What the service needs of a model; `mt.Translator` is one. H is a hypothesis."""

    @property
    def name(self) -> str: ...
    @property
    def source_language(self) -> str: ...
    @property
    def target_language(self) -> str: ...
    @property
    def search_config(self) -> SearchConfig: ...
    @property
    def engine(self) -> str: ...

    def plan(self, text: str) -> P:
        """Split and tokenise. Raises: InputError."""

    def search(self, sources: Sequence[Sequence[int]], *, n_best: int = 1) -> Sequence[Sequence[H]]:
        """The best hypotheses of each source, best first."""

    def finish(self, plan: P, results: Sequence[Sequence[H]]) -> Translation:
        """Join the hypotheses of a plan's sources into a text."""


class RefusedError(Exception):
    """No further text is accepted now; the message says why."""

    def __init__(self, reason: str, retry_after_s: int) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class TextFailedError(Exception):
    """The translator raised on this text; the traceback is in the log."""


@dataclass(eq=False)
class _Text(Generic[P, H]):
    """A text on its way through the worker."""

    text: str
    n_best: int
    future: Future[Translation] = field(default_factory=Future)
    plan: P | None = None
    results: dict[int, Sequence[H]] = field(default_factory=dict)

    @property
    def sources(self) -> Sequence[Sequence[int]]:
        assert self.plan is not None
        return self.plan.sources


@dataclass(frozen=True)
class _Source(Generic[P, H]):
    """One segment of a planned text."""

    owner: _Text[P, H]
    index: int

    @property
    def tokens(self) -> Sequence[int]:
        return self.owner.sources[self.index]


class Batcher(Generic[P, H]):
    """Translates texts handed in by any thread on one worker thread.

    Args:
        translator: used by the worker thread only.
        batch_pieces: most pieces in one call of `search`; a larger source goes alone.
        max_waiting_pieces: pieces that may wait before `submit` refuses.
    """

    def __init__(
        self, translator: Translator[P, H], *, batch_pieces: int, max_waiting_pieces: int
    ) -> None:
        self._translator = translator
        self._batch_pieces = batch_pieces
        self._max_waiting_pieces = max_waiting_pieces
        self._inbox: deque[_Text[P, H]] = deque()
        self._pool: deque[_Source[P, H]] = deque()  # the worker's own
        # Unresolved texts, each with its pieces that are not yet in a search.
        self._open: dict[_Text[P, H], int] = {}
        self._waiting_pieces = 0  # sum of self._open, kept so that submit is quick
        self._searched_pieces, self._search_s = 0, 0.0
        self._closing = self._stopped = False
        self._changed = threading.Condition()  # guards all of the above but the pool
        # A daemon, so that a search that never returns cannot keep the process alive.
        self._thread = threading.Thread(target=self._run, name="translator", daemon=True)

    # --- For other threads ---------------------------------------------------------------

    def start(self) -> None:
        """Start the worker; to be called once, before the first `submit`."""
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the worker runs."""
        return self._thread.is_alive() and not self._stopped

    @property
    def closing(self) -> bool:
        """Whether `close` was called."""
        return self._closing

    @property
    def waiting_pieces(self) -> int:
        """Pieces not yet in a search; a text not yet planned counts by its characters."""
        return self._waiting_pieces

    def submit(self, texts: Sequence[str], *, n_best: int = 1) -> list[Future[Translation]]:
        """Queue texts, all or none; a future that is cancelled frees its place at once.

        A future fails with InputError for a text that cannot be accepted, TextFailedError if the
        translator raised on it, or RefusedError if the worker stopped.

        Raises:
            RefusedError: too much is waiting, or the worker is closing or dead.
        """
        entries: list[_Text[P, H]] = [_Text(text, n_best) for text in texts]
        pieces = [1 + len(text) // CHARACTERS_PER_PIECE for text in texts]
        with self._changed:
            self._admit(sum(pieces))
            self._inbox.extend(entries)
            self._open.update(zip(entries, pieces, strict=True))
            self._waiting_pieces += sum(pieces)
            self._changed.notify_all()
        for entry in entries:
            entry.future.add_done_callback(functools.partial(self._forget, entry))
        return [entry.future for entry in entries]

    def close(self, timeout_s: float) -> None:
        """Refuse new texts, finish those accepted, stop the worker.

        Returns at the latest `timeout_s` + JOIN_S seconds later; what is unfinished then fails.
        """
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._open, timeout_s)
        self._thread.join(JOIN_S)
        self._stop("the server is shutting down")

    def _admit(self, pieces: int) -> None:
        if self._closing:
            raise RefusedError("the server is shutting down", self._wait_s())
        if self._stopped:
            raise RefusedError("the translation worker has stopped", self._wait_s())
        # A request larger than the bound would otherwise never be accepted, however idle we are.
        if self._waiting_pieces and self._waiting_pieces + pieces > self._max_waiting_pieces:
            raise RefusedError("the server is busy: too much text is waiting", self._wait_s())

    def _wait_s(self) -> int:
        # The pace of the searches so far, applied to what is waiting.
        pace = self._search_s / max(1, self._searched_pieces)
        return max(1, math.ceil(self._waiting_pieces * pace))

    # --- The worker thread ---------------------------------------------------------------

    def _run(self) -> None:
        try:
            while self._wait_for_work():
                self._plan_next_batch()
                batch = self._take_batch()
                if batch:
                    self._search(batch)
        except BaseException:
            # Failures of a text are caught where they occur: this is the end of the worker.
            log.critical("the translation worker died", exc_info=True)
        finally:
            self._stop("the translation worker has stopped")

    def _wait_for_work(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._inbox or self._pool or self._closing)
            return bool(self._inbox or self._pool)

    def _plan_next_batch(self) -> None:
        # No further than the next batch needs: a waiting text is smaller than its plan.
        planned = sum(len(source.tokens) for source in self._pool)
        while planned < self._batch_pieces and (entry := self._next_text()):
            self._plan(entry)
            sources = [] if entry.future.done() else range(len(entry.sources))
            self._pool.extend(_Source(entry, index) for index in sources)
            planned += sum(len(entry.sources[index]) for index in sources)

    def _next_text(self) -> _Text[P, H] | None:
        with self._changed:
            while self._inbox:
                entry = self._inbox.popleft()
                if not entry.future.done():
                    return entry
        return None

    def _plan(self, entry: _Text[P, H]) -> None:
        try:
            entry.plan = self._translator.plan(entry.text)
        except Exception as error:
            self._fail(entry, error)
            return
        self._count_waiting(entry)
        if not entry.sources:
            self._finish(entry)

    def _take_batch(self) -> list[_Source[P, H]]:
        batch: list[_Source[P, H]] = []
        pieces = 0
        while self._pool:
            source = self._pool[0]
            if not source.owner.future.done():  # else: cancelled, or failed in an earlier batch
                pieces += len(source.tokens)
                if batch and pieces > self._batch_pieces:
                    break
                batch.append(source)
            self._pool.popleft()
        return batch

    def _search(self, batch: list[_Source[P, H]]) -> None:
        by_text = [list(own) for _, own in itertools.groupby(batch, lambda source: source.owner)]
        for own in by_text:
            self._count_waiting(own[0].owner, taken=own[-1].index + 1)
        try:
            self._search_together(batch)
        except Exception as error:
            if len(by_text) == 1:
                self._fail(batch[0].owner, error)
                return
            log.warning("a batch failed; its %d texts are tried one by one", len(by_text))
            for own in by_text:
                try:
                    self._search_together(own)
                except Exception as own_error:
                    self._fail(own[0].owner, own_error)

    def _search_together(self, batch: list[_Source[P, H]]) -> None:
        started = time.monotonic()
        n_best = max(source.owner.n_best for source in batch)
        results = self._translator.search([source.tokens for source in batch], n_best=n_best)
        assert len(results) == len(batch), "search answers every source"
        with self._changed:
            self._search_s += time.monotonic() - started
            self._searched_pieces += sum(len(source.tokens) for source in batch)
        for source, hypotheses in zip(batch, results, strict=True):
            entry = source.owner
            entry.results[source.index] = hypotheses[: entry.n_best]
            if len(entry.results) == len(entry.sources):
                self._finish(entry)

    def _finish(self, entry: _Text[P, H]) -> None:
        assert entry.plan is not None
        results = [entry.results[index] for index in range(len(entry.sources))]
        try:
            translation = self._translator.finish(entry.plan, results)
        except Exception as error:
            self._fail(entry, error)
            return
        with suppress(InvalidStateError):  # cancelled meanwhile
            entry.future.set_result(translation)

    # --- Bookkeeping ---------------------------------------------------------------------

    def _fail(self, entry: _Text[P, H], error: Exception) -> None:
        if not isinstance(error, InputError):
            log.error("a text failed", exc_info=error)
            error = TextFailedError("the translator raised on this text")
        with suppress(InvalidStateError):
            entry.future.set_exception(error)

    def _count_waiting(self, entry: _Text[P, H], taken: int = 0) -> None:
        """Count the pieces of all but the first `taken` sources, which are in a search."""
        pieces = sum(len(source) for source in entry.sources[taken:])
        with self._changed:
            if entry in self._open:
                self._waiting_pieces += pieces - self._open[entry]
                self._open[entry] = pieces

    def _forget(self, entry: _Text[P, H], _: Future[Translation]) -> None:
        with self._changed:
            self._waiting_pieces -= self._open.pop(entry, 0)
            self._changed.notify_all()

    def _stop(self, reason: str) -> None:
        """Accept nothing more, and let nobody wait for what will not come."""
        with self._changed:
            self._stopped = True
            abandoned = list(self._open)
            retry_after_s = self._wait_s()
        for entry in abandoned:
            with suppress(InvalidStateError):
                entry.future.set_exception(RefusedError(reason, retry_after_s))
