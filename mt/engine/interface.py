"""What an engine is: a scorer for search that can also read sources.

Knows nothing of how one works, but what all promise: a row does not look at the rows beside it.
What int8 says of it is the same to the bit whatever they are. fp32, bf16 and cuda leave the order
of their sums to torch, which goes by the shape of the whole, so their numbers are the same but for
rounding: in fp32 in the seventh digit, in bf16 in the second or third of a log-probability, and
where two hypotheses are that close, another one may win.
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
