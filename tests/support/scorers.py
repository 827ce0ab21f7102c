"""Scorers made of tables, so that a test of search can be checked with a pencil.

Knows one table a sentence, from the tokens written so far to the log-probabilities of the next.
Does not know mt.search: a scorer is whatever has `begin`, `end` and `step`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Prefix = tuple[int, ...]
Table = Callable[[Prefix], NDArray[np.floating[Any]]]
"""The tokens written so far -> [V] log-probabilities of the next one."""

BEGIN = 99
"""Outside every vocabulary used here: it is fed once and can never be written."""
END = 0


@dataclass(frozen=True)
class TableState:
    """For each row the sentence it belongs to and every token fed so far, begin included."""

    sentences: tuple[int, ...]
    fed: tuple[Prefix, ...]

    def select(self, rows: NDArray[np.int64]) -> TableState:
        picked = rows.tolist()
        return TableState(
            tuple(self.sentences[row] for row in picked), tuple(self.fed[row] for row in picked)
        )


@dataclass
class TableScorer:
    """Reads log-probabilities from `tables`, one a sentence, and notes which rows it was asked."""

    tables: Sequence[Table]
    begin: int = BEGIN
    end: int = END
    rows_of_step: list[tuple[int, ...]] = field(default_factory=list)
    """The sentence of every row, for each step so far."""

    def start(self) -> TableState:
        """One row a sentence, nothing fed yet."""
        count = len(self.tables)
        return TableState(tuple(range(count)), ((),) * count)

    def step(
        self, previous: NDArray[np.int64], state: TableState
    ) -> tuple[NDArray[np.floating[Any]], TableState]:
        assert previous.shape == (len(state.fed),), "one previous token for each row of the state"
        self.rows_of_step.append(state.sentences)
        fed = tuple((*row, token) for row, token in zip(state.fed, previous.tolist(), strict=True))
        assert all(row[0] == self.begin for row in fed), "the first token fed is begin"
        after = TableState(state.sentences, fed)
        rows = [self.tables[s](row[1:]) for s, row in zip(state.sentences, fed, strict=True)]
        values = np.stack(rows)
        values.flags.writeable = False  # they stay the scorer's: search may not write into them
        return values, after


@dataclass
class TopTableScorer(TableScorer):
    """The same, but it also picks the best tokens of each row itself, and notes how many."""

    asked_for: list[int] = field(default_factory=list)
    """The k of each step so far."""

    def step_top(
        self, previous: NDArray[np.int64], state: TableState, k: int
    ) -> tuple[NDArray[np.int64], NDArray[np.floating[Any]], TableState]:
        self.asked_for.append(k)
        rows, state = self.step(previous, state)
        # NaN counts as the largest value; the stable sort keeps the lower of equal ids first.
        ids = np.argsort(np.where(np.isnan(rows), -np.inf, -rows), axis=1, kind="stable")[:, :k]
        return ids, np.take_along_axis(rows, ids, axis=1), state


def written(probabilities: Mapping[Prefix, Sequence[float]], vocabulary: int = 3) -> Table:
    """A table written out as probabilities; after a prefix it does not list, end is certain."""

    def table(prefix: Prefix) -> NDArray[np.float64]:
        certain_end = [float(token == END) for token in range(vocabulary)]
        with np.errstate(divide="ignore"):  # log 0 is -inf: the token may not be written
            row: NDArray[np.float64] = np.log(probabilities.get(prefix, certain_end))
        return row

    return table


def random_table(seed: int, vocabulary: int, *, bans: bool = False) -> Table:
    """Log-probabilities drawn for each prefix by itself, all different; `bans` adds -inf."""

    @cache
    def table(prefix: Prefix) -> NDArray[np.float64]:
        random = np.random.default_rng([seed, len(prefix), *prefix])
        logits = 2 * random.standard_normal(vocabulary)
        row: NDArray[np.float64] = logits - np.logaddexp.reduce(logits)
        return np.where(bans & (random.random(vocabulary) < 0.3), -np.inf, row)

    return table


def coarse_table(seed: int, vocabulary: int) -> Table:
    """Quarters from 0 down to -1.5, and -inf, for each prefix by itself: full of equal sums.

    Not normalised, which search does not ask for; sums of quarters are exact in floating point.
    """

    @cache
    def table(prefix: Prefix) -> NDArray[np.float64]:
        random = np.random.default_rng([seed, len(prefix), *prefix])
        row = -random.integers(0, 7, vocabulary) / 4
        return np.where(random.random(vocabulary) < 0.2, -np.inf, row)

    return table
