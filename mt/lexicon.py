"""Which pieces of the target a piece of the source is likely to become.

Knows token ids, and how the table is learned from parallel text: by IBM Model 1 (Brown et al. 1993,
4.1). Does not know what it is for; search may leave all other pieces out of account (a vocabulary
shortlist; Jean et al. 2015, 3.2; L'Hostis et al. 2016).

Shapes: V and W pieces of the source and the target, P partners of a piece, F frequent pieces, C
cells: a target position and a source position of the same pair.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mt.tokens import END, PAD

Integers: TypeAlias = NDArray[np.integer[Any]]

MOST_PIECES = 1 << 16
"""Of a vocabulary: ids are stored in 16 bits."""
PARTNERS = 40
"""Partners kept of each source piece, the likeliest first."""
FREQUENT = 500
"""Target pieces that may always be written, those that stand most often in the text."""

_ITERATIONS = 5
"""Passes of expectation maximisation, as many as Model 1 commonly gets."""
_MOST_CELLS = 10_000_000
"""Under 1 GB at work; of a larger text as many pairs as give so many, evenly spread."""


class Lexicon(NamedTuple):
    """The table."""

    frequent: NDArray[np.uint16]
    """[F] target pieces, the end token among them."""
    partners: NDArray[np.uint16]
    """[V, P] target pieces of each source piece, the likeliest first, then PAD."""

    def allowed(self, source: Sequence[int], count: int) -> NDArray[np.int64]:
        """Ids, in order, that a translation of these source ids may use.

        Args:
            count: partners of each piece, at most P; the frequent pieces come on top.
        """
        allowed = np.zeros(MOST_PIECES, dtype=bool)  # looked through sooner than ids are sorted
        allowed[self.frequent] = True
        allowed[self.partners[list(source), :count]] = True
        allowed[PAD] = False
        return np.flatnonzero(allowed)

    def checked(self, source_size: int, target_size: int) -> Lexicon:
        """The same table.

        Raises:
            ValueError: it is not one for vocabularies of these sizes.
        """
        shapes = (self.frequent.ndim, self.partners.shape[:-1]) == (1, (source_size,))
        if not shapes or any(a.dtype != np.uint16 or a.max(initial=0) >= target_size for a in self):
            raise ValueError("the lexicon does not fit the vocabularies")
        return self


class Side(NamedTuple):
    """One language of a text: the ids of all its sentences in one array."""

    ids: Integers
    starts: Integers
    """[sentences + 1]; sentence n is ids[starts[n]:starts[n + 1]]."""


def learn_lexicon(source: Side, target: Side, source_size: int, target_size: int) -> Lexicon:
    """Learn which pieces translate which, from parallel sentences.

    Args:
        source: side translated from, without special tokens; target likewise.
        source_size: pieces of that vocabulary, at most MOST_PIECES; target_size likewise.
    """
    assert max(source_size, target_size) <= MOST_PIECES, (source_size, target_size)
    counts = np.bincount(target.ids, minlength=target_size)
    counts[END] = len(target.ids) + 1  # closes every sentence
    frequent = np.argsort(-counts, kind="stable")[:FREQUENT]
    source, target = _sample(source, target)
    cells = _cells(source, target)
    keys, key_of_cell = np.unique(
        cells.sources * target_size + target.ids[cells.positions], return_inverse=True
    )
    source_of_key, target_of_key = keys // target_size, keys % target_size
    probability = np.ones(len(keys))
    for _ in range(_ITERATIONS):
        share = probability[key_of_cell]
        share /= np.bincount(cells.positions, share, minlength=len(target.ids))[cells.positions]
        expected = np.bincount(key_of_cell, share, minlength=len(keys))
        probability = expected / np.bincount(source_of_key, expected)[source_of_key]
    partners = _best(source_of_key, target_of_key, probability, source_size)
    return Lexicon(np.sort(frequent).astype(np.uint16), partners)


class _Cells(NamedTuple):
    sources: NDArray[np.int64]
    """[C] source piece; PAD stands for none, which explains what has no counterpart."""
    positions: NDArray[np.int64]
    """[C] place in the ids of the target."""


def _sample(source: Side, target: Side) -> tuple[Side, Side]:
    cells = (np.diff(source.starts) + 1) * np.diff(target.starts)
    pairs = len(cells)
    wanted = max(1, min(pairs, int(pairs * _MOST_CELLS / max(1, cells.sum()))))
    numbers = np.arange(wanted) * pairs // wanted
    return _chosen(source, numbers), _chosen(target, numbers)


def _chosen(side: Side, numbers: NDArray[np.int64]) -> Side:
    if len(numbers) == len(side.starts) - 1:
        return side
    parts = [side.ids[side.starts[n] : side.starts[n + 1]] for n in numbers]
    return Side(np.concatenate(parts), np.cumsum([0, *map(len, parts)]))


def _cells(source: Side, target: Side) -> _Cells:
    """Every target position of a pair beside every source position of it, and beside none."""
    source_lengths, target_lengths = np.diff(source.starts), np.diff(target.starts)
    # With a place for none in front of each sentence.
    ids = np.insert(source.ids.astype(np.int64), source.starts[:-1], PAD)
    starts = source.starts[:-1] + np.arange(len(source_lengths))
    widths = np.repeat(source_lengths + 1, target_lengths)  # of each target position
    positions = np.repeat(np.arange(len(widths)), widths)
    first = np.cumsum(widths) - widths
    offsets = np.arange(len(positions)) - first[positions]
    return _Cells(ids[np.repeat(starts, target_lengths)[positions] + offsets], positions)


def _best(
    source: NDArray[np.int64],
    target: NDArray[np.int64],
    probability: NDArray[np.float64],
    source_size: int,
) -> NDArray[np.uint16]:
    order = np.lexsort((target, -probability, source))
    source, target = source[order], target[order]
    rank = np.arange(len(source)) - np.searchsorted(source, source)
    kept = (rank < PARTNERS) & (source != PAD)
    partners = np.full((source_size, PARTNERS), PAD, np.uint16)
    partners[source[kept], rank[kept]] = target[kept]
    return partners
