"""The best few of many numbers, row by row.

Knows numbers in memory, and in which order equal ones come. Does not know what they are for, or
other places that numbers may be in: a scorer that has them elsewhere is a `TopScorer`.
"""

from __future__ import annotations

import numpy as np

from mt.search.scorer import Integers, LogProbabilities


def best_of_each(values: LogProbabilities, k: int) -> tuple[Integers, LogProbabilities]:
    """[N, V] -> places and values of the C = min(k, V) largest of each row, [N, C] each.

    They fall along a row, NaN before all others; of equal ones the lower place comes first. Where
    nothing but -inf is left in a row, a place may come again, but with -inf.
    """
    # One pass a rank: for the few ranks of a beam faster than a partition or torch's topk, and
    # argmax is exact about equals, of which half-precision numbers are full, and NaN.
    rest, rows = values.copy(), np.arange(len(values))
    places = np.empty((len(values), min(k, values.shape[1])), dtype=np.int64)
    best = np.empty(places.shape, dtype=values.dtype)
    for rank in range(places.shape[1]):
        places[:, rank] = picked = rest.argmax(axis=1)
        best[:, rank] = rest[rows, picked]
        rest[rows, picked] = -np.inf
    return places, best
