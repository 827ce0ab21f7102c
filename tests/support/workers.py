"""Model workers that upper-case, with every failure and delay a test may want.

Knows what `service.workers.pool` asks of a worker, and nothing of processes: these live on the
event loop of the test. A segment's k-th candidate ends in `#k` (the best one in nothing) and has
the score 1 / 2 ** (k + 1), so that what a test expects can be worked out by hand.

    workers = StubWorkers()
    app = create_app(Settings(workers=1), catalogue=stub_catalogue(), start_worker=workers.start)
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mt.config import SearchConfig
from mt.errors import MTError
from mt.text.words import Links
from mt.translation import Candidate, SegmentTranslation
from service.errors import Kind, ServiceError
from service.texts.catalogue import Catalogue, Model
from service.workers.process import Done, WorkerLostError
from service.workers.work import Batch, Outcome


def stub_model(name: str = "de-en", **fields: object) -> Model:
    """A model without a folder; its name begins with its languages, "de-en-large" for example."""
    source, target = name.split("-")[:2]
    given: dict[str, object] = {
        "name": name,
        "folder": Path("no-such-folder") / name,
        "source": source,
        "target": target,
        "sha256": name.encode().hex().ljust(64, "0"),
        "search": SearchConfig(),
        "bleu": 31.5,
        "signature": "nrefs:1|case:mixed",
        "licence": "CC0-1.0",
        "card": f"# {name}\n",
    }
    return Model(**(given | fields))  # type: ignore[arg-type] # by name, as a test wants them


def stub_catalogue(*names: str) -> Catalogue:
    """Models by name, the default one first; "de-en" alone if there is no name."""
    return Catalogue([stub_model(name) for name in names or ("de-en",)])


@dataclass
class StubWorkers:
    """All workers of an app: what they are told to do, and what they have done.

    `start` is the app's `start_worker`.
    """

    convert: Callable[[str], str] = str.upper
    link: Callable[[str, str], Links] = lambda segment, text: ()
    """Links the words of a segment and its translation, where that is asked for."""
    flags: frozenset[str] = frozenset()
    """Of every translation."""
    fails: str | None = None
    """A segment with this in it fails alone."""
    kills: str | None = None
    """A worker that is handed a segment with this in it dies."""
    never_starts: MTError | None = None
    """What the start of a worker raises."""

    gate: asyncio.Event = field(default_factory=asyncio.Event)
    """Batches wait for it; set at first."""
    batches: list[Batch] = field(default_factory=list)
    """All batches handed out, in order."""
    stopped: int = 0
    """Batches that nobody wanted any more."""
    alive: list[StubWorker] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.gate.set()

    async def start(self) -> StubWorker:
        if self.never_starts:
            raise self.never_starts
        worker = StubWorker(self)
        self.alive.append(worker)
        return worker

    def hold(self) -> None:
        """Make the next batches wait until `release`."""
        self.gate.clear()

    def release(self) -> None:
        """Let batches through."""
        self.gate.set()

    @property
    def segments(self) -> list[str]:
        """All segments handed out, in order."""
        return [segment for batch in self.batches for segment in batch.segments]


class StubWorker:
    """One worker; a `service.workers.process.Worker`."""

    def __init__(self, workers: StubWorkers) -> None:
        self._workers = workers
        self._died = asyncio.Event()
        self._unwanted = asyncio.Event()

    @property
    def engines(self) -> Mapping[str, str]:
        return _AnyModel()

    async def translate(self, batch: Batch) -> Done:
        workers = self._workers
        workers.batches.append(batch)
        self._unwanted.clear()
        await self._first_of(workers.gate, self._unwanted, self._died)
        if workers.kills is not None and any(workers.kills in each for each in batch.segments):
            self.die()
        if self._died.is_set():
            raise WorkerLostError("the worker was told to die")
        return Done([self._outcome(each, batch) for each in batch.segments], 0.001)

    def stop(self) -> None:
        self._workers.stopped += 1
        self._unwanted.set()

    async def ended(self) -> None:
        await self._died.wait()

    async def end(self) -> None:
        self.die()

    def die(self) -> None:
        """As if killed, in the middle of a batch or between two."""
        self._died.set()
        if self in self._workers.alive:
            self._workers.alive.remove(self)

    def _outcome(self, segment: str, batch: Batch) -> Outcome:
        workers = self._workers
        if workers.fails is not None and workers.fails in segment:
            return ServiceError(Kind.INTERNAL, "internal error")
        text = workers.convert(segment)
        links = tuple(workers.link(segment, text)) if batch.options.links else ()
        candidates = (
            Candidate(text + (f"#{k}" if k else ""), (k + 1) * math.log(0.5), 1, links)
            for k in range(batch.options.n_best)
        )
        return SegmentTranslation(tuple(candidates), workers.flags)

    async def _first_of(self, *events: asyncio.Event) -> None:
        waits = [asyncio.ensure_future(each.wait()) for each in events]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()


class _AnyModel(Mapping[str, str]):
    """The engine of every model, whatever its name."""

    def __getitem__(self, model: str) -> str:
        return "stub"

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0
