"""What the service counts and measures, for Prometheus to fetch.

Knows the name, unit and labels of every metric; whoever has something to count calls a method here
and touches no label. A label takes values from a bounded set only: templates of routes, pairs,
models, kinds of error and flags; never a text, a key or an address. Every `Metrics` keeps its own
figures, so that two apps in one process do not share them. Does not know HTTP.

Names, base units and suffixes follow the conventions of Prometheus and OpenMetrics.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
)
from prometheus_client.exposition import choose_encoder

from mt import __version__
from service.errors import Kind

OTHER_ROUTE = "other"
"""Requests that no route matched."""
OTHER_METHOD = "OTHER"
OPENMETRICS = "application/openmetrics-text"
METHODS = frozenset(
    {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"}
)

# At most twelve buckets each, the one above the last bound included. The time-outs of the service
# and of its clients lie between 5 and 10 seconds.
REQUEST_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
WAIT_S = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
SEGMENTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
CHARACTERS = (50, 100, 250, 500, 1000, 2000, 4000, 8000, 16_000, 32_000)


class ServedModel(Protocol):
    """What is told of a model."""

    @property
    def name(self) -> str: ...
    @property
    def sha256(self) -> str:
        """Of its weights."""

    @property
    def pair(self) -> str: ...


class Metrics:
    """The figures of one server, from 0."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._count_workers: Callable[[], Mapping[str, int]] = dict
        self._define_requests()
        self._define_work()
        self._define_texts()
        self._define_facts()

    # Requests

    def request_started(self) -> None:
        self._in_progress.inc()

    def request_finished(self, route: str, method: str, status: int, seconds: float) -> None:
        """A request has its whole answer, or will get no more of it.

        Args:
            route: the template of its route, such as "/v2/{name}"; never its path.
            method: any; one that HTTP does not define is counted as "OTHER".
        """
        self._in_progress.dec()
        self._requests.labels(route, known_method(method), status).inc()
        self._request_seconds.labels(route).observe(seconds)

    def rejected(self, kind: Kind) -> None:
        """A request was refused."""
        self._rejected.labels(kind.value).inc()

    # Work

    def batch_done(
        self, *, segments: int, characters: int, seconds: float, waited: Iterable[float]
    ) -> None:
        """A worker has translated a batch.

        Args:
            seconds: what the translation took.
            waited: seconds that each of the segments was in the queue.
        """
        self._batch_size.observe(segments)
        self._batch_characters.observe(characters)
        self._inference.observe(seconds)
        for each in waited:
            self._queue_wait.observe(each)

    def watch_queue(self, depth: Callable[[], float], seconds: Callable[[], float]) -> None:
        """Ask these for the segments that wait, and the seconds of work they are, at each fetch."""
        self._queue_depth.set_function(depth)
        self._queue_seconds.set_function(seconds)

    def watch_workers(self, count: Callable[[], Mapping[str, int]]) -> None:
        """Ask this for the number of workers in each state, at each fetch."""
        self._count_workers = count

    def worker_restarted(self) -> None:
        """A worker was lost and another takes its place."""
        self._restarts.inc()

    # Texts

    def translated(self, pair: str, *, source_characters: int, target_characters: int) -> None:
        """A text was translated.

        Args:
            pair: codes of a pair that is served, such as "de-en".
        """
        self._source_characters.labels(pair).inc(source_characters)
        self._target_characters.labels(pair).inc(target_characters)

    def cache_asked(self, *, hits: int, misses: int) -> None:
        """So many segments were looked for in the cache."""
        self._cache_hits.inc(hits)
        self._cache_misses.inc(misses)

    def memory_hit(self, segments: int = 1) -> None:
        """So many segments came from the translation memory."""
        self._memory_hits.inc(segments)

    def shared(self, segments: int = 1) -> None:
        """So many segments joined a computation that another request had begun."""
        self._shared.inc(segments)

    def text_failed(self, kind: Kind) -> None:
        """One of the texts of a request failed, alone or with others."""
        self._failed.labels(kind.value).inc()

    def flagged(self, flags: Iterable[str]) -> None:
        """A translation has these flags of `mt.flags`."""
        for flag in flags:
            self._flags.labels(flag).inc()

    # Facts

    def model_loaded(self, model: ServedModel, engine: str) -> None:
        """A model is served.

        Args:
            engine: what does its arithmetic.
        """
        self._models.labels(model.name, model.sha256, model.pair, engine).info({})

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """All figures as text, and its content type.

        Args:
            accept: the client's Accept header; OpenMetrics 1.0 if it names that, else the older
                text format, which everything reads.
        """
        self._workers.clear()
        for state, number in self._count_workers().items():
            self._workers.labels(state).set(number)
        # Not the header itself: versions that nobody knows would be read from it, and sent back.
        encode, content_type = choose_encoder(OPENMETRICS if OPENMETRICS in accept else "")
        return encode(self._registry), content_type

    def _define_requests(self) -> None:
        self._requests = self._counter(
            "mt_http_requests_total", "Requests answered or left.", "route", "method", "status"
        )
        self._request_seconds = Histogram(
            "mt_http_request_duration_seconds",
            "From a request's arrival to the end of its answer.",
            ("route",),
            buckets=REQUEST_S,
            registry=self._registry,
        )
        self._in_progress = self._gauge("mt_requests_in_progress", "Requests being answered.")
        self._rejected = self._counter(
            "mt_rejected_total", "Requests refused, for whatever reason.", "reason"
        )

    def _define_work(self) -> None:
        self._queue_wait = self._histogram(
            "mt_queue_wait_seconds", "What a segment waited for a worker.", WAIT_S
        )
        self._inference = self._histogram(
            "mt_inference_seconds", "What the translation of a batch took.", REQUEST_S
        )
        self._batch_size = self._histogram("mt_batch_size", "Segments in a batch.", SEGMENTS)
        self._batch_characters = self._histogram(
            "mt_batch_characters", "Source characters in a batch.", CHARACTERS
        )
        self._queue_depth = self._gauge("mt_queue_depth", "Segments that wait for a worker.")
        self._queue_seconds = self._gauge("mt_queue_seconds", "Work that waits, as estimated.")
        self._workers = self._gauge("mt_workers", "Model workers.", "state")
        self._restarts = self._counter("mt_worker_restarts_total", "Workers lost and replaced.")

    def _define_texts(self) -> None:
        self._source_characters = self._counter(
            "mt_source_characters_total", "Characters of texts translated.", "pair"
        )
        self._target_characters = self._counter(
            "mt_target_characters_total", "Characters of their translations.", "pair"
        )
        self._failed = self._counter(
            "mt_texts_failed_total", "Texts of answered requests that failed.", "reason"
        )
        self._cache_hits = self._counter("mt_cache_hits_total", "Segments found in the cache.")
        self._cache_misses = self._counter("mt_cache_misses_total", "Segments not found in it.")
        self._memory_hits = self._counter(
            "mt_memory_hits_total", "Segments found in the translation memory."
        )
        self._shared = self._counter(
            "mt_shared_total", "Segments that shared another request's computation."
        )
        self._flags = self._counter("mt_output_flags_total", "Flags on translations.", "flag")

    def _define_facts(self) -> None:
        self._models = Info(
            "mt_model",
            "Models served.",
            ("model", "sha256", "pair", "engine"),
            registry=self._registry,
        )
        build = Info("mt_build", "What is running.", registry=self._registry)
        build.info({"version": __version__, "python": platform.python_version()})
        ProcessCollector(registry=self._registry)  # process_resident_memory_bytes and the like

    def _counter(self, name: str, help_text: str, *labels: str) -> Counter:
        return Counter(name, help_text, labels, registry=self._registry)

    def _gauge(self, name: str, help_text: str, *labels: str) -> Gauge:
        return Gauge(name, help_text, labels, registry=self._registry)

    def _histogram(self, name: str, help_text: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(name, help_text, buckets=buckets, registry=self._registry)


def known_method(method: str) -> str:
    """The method, or "OTHER": a client may send any word there."""
    return method if method in METHODS else OTHER_METHOD
