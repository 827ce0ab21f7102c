"""The library as many processes of one thread each, to hold a server's model workers against.

Knows how to share texts out and to time the slowest share. Does not know servers.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.benchmarks.timing import seconds_of

if TYPE_CHECKING:
    from mt import Translator


class Library:
    """Translators in processes of their own.

    Args:
        model: folder of the model; none is the bundled one.
        processes: how many.
        cpus: the processors they may use.
    """

    def __init__(self, model: Path | None, processes: int, cpus: Collection[int]) -> None:
        # A pool of one each: then every process gets its share, whichever is ready first.
        self._pools = [
            ProcessPoolExecutor(
                1,
                mp_context=get_context("spawn"),
                initializer=_load,
                initargs=(model, set(cpus)),
            )
            for _ in range(processes)
        ]

    def translate(self, texts: Sequence[str]) -> float:
        """Translate texts, each process its share of them; returns the seconds of the slowest."""
        count = len(self._pools)
        shares = [texts[number::count] for number in range(min(count, len(texts)))]
        futures = [
            pool.submit(_translate, share)
            for pool, share in zip(self._pools, shares, strict=False)  # fewer texts than processes
        ]
        return max(future.result() for future in futures)

    def close(self) -> None:
        """End the processes."""
        for pool in self._pools:
            pool.shutdown()


_translator: Translator
"""Of one of the processes."""


def _load(model: Path | None, cpus: Collection[int]) -> None:
    global _translator
    os.sched_setaffinity(0, cpus)
    from scripts.loading import load_translator
    from scripts.options import Decoding

    _translator = load_translator([model] if model else [], Decoding(threads=1))


def _translate(texts: Sequence[str]) -> float:
    return seconds_of(lambda: _translator.translate(texts))
