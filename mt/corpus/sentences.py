"""Tokenised sentences, and pairs of them, as arrays.

Knows ids and where each sentence starts. Does not know text, or whether an array lies in memory or
is mapped from a file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from mt.corpus.filters import FilterReport

_BLOCK = 1 << 17
"""Sentences handled at once where there may be millions."""


@dataclass(frozen=True, eq=False)
class Sentences:
    """Token ids of many sentences, one after the other in one array."""

    ids: NDArray[np.int32]
    starts: NDArray[np.int64]
    """[sentences + 1]; sentence n is ids[starts[n]:starts[n + 1]]."""

    @classmethod
    def of(cls, rows: Sequence[Sequence[int]]) -> Sentences:
        lengths = np.fromiter(map(len, rows), np.int64, len(rows))
        starts = np.concatenate(([0], np.cumsum(lengths)))
        ids = np.fromiter(chain.from_iterable(rows), np.int32, int(starts[-1]))
        return cls(ids, starts)

    @classmethod
    def joined(cls, parts: Sequence[Sentences]) -> Sentences:
        """The sentences of all parts, one part behind the other."""
        lengths = np.concatenate([part.lengths for part in parts])
        starts = np.concatenate(([0], np.cumsum(lengths, dtype=np.int64)))
        return cls(np.concatenate([part.ids for part in parts]), starts)

    @cached_property
    def lengths(self) -> NDArray[np.int32]:
        """[sentences]; made when first asked for."""
        return np.diff(self.starts).astype(np.int32)

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, number: int) -> NDArray[np.int32]:
        return self.ids[self.starts[number] : self.starts[number + 1]]

    def take(self, numbers: NDArray[np.integer]) -> Sentences:
        """The sentences of the given numbers, in their order."""
        starts = np.zeros(len(numbers) + 1, np.int64)
        np.cumsum(self.starts[numbers + 1] - self.starts[numbers], out=starts[1:])
        ids = np.empty(starts[-1], np.int32)
        for block in range(0, len(numbers), _BLOCK):  # else the places are twice as large as ids
            bounds = starts[block : block + _BLOCK + 1]
            moved = self.starts[numbers[block : block + _BLOCK]] - bounds[:-1]
            places = np.repeat(moved, np.diff(bounds)) + np.arange(bounds[0], bounds[-1])
            ids[bounds[0] : bounds[-1]] = self.ids[places]
        return Sentences(ids, starts)

    def reversed(self) -> Sentences:
        """The same sentences, each from its last token to its first."""
        places = np.arange(self.starts[0], self.starts[-1])
        turned = np.repeat(self.starts[:-1] + self.starts[1:] - 1, np.diff(self.starts)) - places
        return Sentences(self.ids[turned], self.starts - self.starts[0])


@dataclass(frozen=True, eq=False)
class Corpus:
    """Tokenised pairs ready for batching."""

    source: Sentences
    target: Sentences
    report: FilterReport
    texts: tuple[Sequence[str], Sequence[str]] | None = None
    """The kept pairs as text, where epochs are made of it."""
    reverse_target: bool = False
    """Batches have the targets last token first, as a right-to-left model writes them. Here they
    are in the order of the text all the same, which whatever changes them may rely on."""

    def __len__(self) -> int:
        return len(self.source)
