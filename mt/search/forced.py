"""Forced decoding: what a scorer says of hypotheses that are given to it.

Knows log-probabilities and rows, as `mt.search` does, and picks nothing: every next token is told
beforehand, and what a row is asked is how likely that one is. Works on any scorer, so a hypothesis
gets the log-probability that search would have given it with the same one. Of an engine that is the
model's own: where rules were laid over it, as by `copy_digits`, search had the rules' numbers.

Shapes: B sentences, N of them not yet at their end, T the longest target, its end included.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mt.search.scorer import Floats, Integers, S, Scorer, refuse_nonsense


def force(scorer: Scorer[S], state: S, targets: Sequence[Sequence[int]]) -> list[tuple[float, ...]]:
    """The log-probability of each token of each target, then that of the end token after it.

    Args:
        scorer: gives the log-probabilities.
        state: one row a target, before the first token.
        targets: tokens without begin and end.

    Returns:
        For each target, in order, one number more than it has tokens; -inf stands for a token that
        the scorer never writes.

    Raises:
        ArithmeticError: the scorer gave NaN or +inf; the message names step and row.
    """
    lengths = np.array([len(target) + 1 for target in targets], dtype=np.int64)
    tokens = np.full((len(targets), lengths.max(initial=0)), scorer.end)  # [B, T]
    for row, target in zip(tokens, targets, strict=True):
        row[: len(target)] = target
    gained: Floats = np.zeros(tokens.shape)

    rows: Integers = np.arange(len(targets))  # [N]
    previous = np.full(len(targets), scorer.begin)
    for step in range(tokens.shape[1]):
        values, state = scorer.step(previous, state)
        refuse_nonsense(values, step)
        gained[rows, step] = values[np.arange(len(rows)), tokens[rows, step]]
        on = lengths[rows] > step + 1
        rows, state = rows[on], state.select(np.flatnonzero(on))
        previous = tokens[rows, step]
    rows_of_floats: list[list[float]] = gained.tolist()
    return [tuple(r[:length]) for r, length in zip(rows_of_floats, lengths, strict=True)]
