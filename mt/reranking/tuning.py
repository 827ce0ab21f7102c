"""Weights of rescoring by coordinate search: one after the other, over a grid, while it helps.

Knows numbers and a function of them, such as BLEU of validation text. Does not know what they are
weights of.
Each weight in turn takes the value of its grid that scores highest while the others stay; rounds
end when one has changed nothing. What is found is a maximum along every axis, not of all
combinations: line search in the manner of Och (2003), on a grid instead of exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple


class Tuned(NamedTuple):
    """The weights found."""

    weights: dict[str, float]
    score: float
    start: float
    """The score of the weights that the search began with."""
    tried: int
    """Combinations of weights that were scored."""


def tune(
    score: Callable[[Mapping[str, float]], float],
    start: Mapping[str, float],
    grids: Mapping[str, Sequence[float]],
) -> Tuned:
    """Find weights that score high.

    Args:
        score: of a combination of weights; higher is better. Asked once for each.
        start: the first combination; a change has to score higher.
        grids: values to try for each weight that may change.
    """
    known: dict[tuple[float, ...], float] = {}

    def scored(weights: Mapping[str, float]) -> float:
        key = tuple(weights.values())
        if key not in known:
            known[key] = score(weights)
        return known[key]

    best = dict(start)
    changed = True
    while changed:
        changed = False
        for name, values in grids.items():
            for value in values:
                if scored(best | {name: value}) > scored(best):
                    best, changed = best | {name: value}, True
    return Tuned(best, scored(best), scored(start), len(known))
