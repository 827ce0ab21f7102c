"""An engine that asks before each step whether to go on.

Knows neither who asks nor why: what the question raises ends the search, wherever it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mt.engine.interface import Engine
from mt.search import Integers, LogProbabilities, S, TopScorer


def watchful(engine: Engine[S], check: Callable[[], None]) -> Engine[S]:
    """The same engine, which calls `check` before it reads sources and before each step."""
    if isinstance(engine, TopScorer):
        return _WatchfulTop(engine, check)
    return _Watchful(engine, check)


class _Watchful(Engine[S]):
    def __init__(self, engine: Engine[S], check: Callable[[], None]) -> None:
        self.begin, self.end, self.name = engine.begin, engine.end, engine.name
        self._engine = engine
        self._check = check

    @property
    def environment(self) -> Mapping[str, Any]:
        return self._engine.environment

    def start(self, sources: Sequence[Sequence[int]], *, shortlist: int = 0) -> S:
        self._check()
        return self._engine.start(sources, shortlist=shortlist)

    def step(self, previous: Integers, state: S) -> tuple[LogProbabilities, S]:
        self._check()
        return self._engine.step(previous, state)


class _WatchfulTop(_Watchful[S]):
    _engine: TopScorer[S]  # type: ignore[assignment] # an engine that is one, too

    def step_top(
        self, previous: Integers, state: S, k: int
    ) -> tuple[Integers, LogProbabilities, S]:
        self._check()
        return self._engine.step_top(previous, state, k)
