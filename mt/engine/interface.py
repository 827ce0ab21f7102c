"""What an engine is: a scorer for search that can also read sources.

Knows nothing of how one works.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from mt.search import S, Scorer


class Engine(Scorer[S], Protocol[S]):
    """A scorer that can also read sources."""

    name: str
    """For people and records: one of `mt.engine.ENGINES`, or what several are put together to."""

    @property
    def environment(self) -> Mapping[str, Any]:
        """What else the last digits of its numbers may depend on: versions and threads."""
        ...

    def start(self, sources: Sequence[Sequence[int]], *, shortlist: int = 0) -> S:
        """Token ids of B sources, without special tokens -> the state before the first step.

        Args:
            shortlist: as `SearchConfig.shortlist`.

        Raises:
            ConfigError: a shortlist is asked for, and the model has no lexical table.
        """
        ...
