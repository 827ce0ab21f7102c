"""Ancestral sampling over any step-wise scorer: hypotheses drawn token by token.

Knows log-probabilities and rows, as `mt.search` does. Does not know LSTMs, tokenizers or devices.

At each step a hypothesis y draws its next token w with a probability proportional to

    P(w | y, source) ** (1 / temperature)             (Holtzman et al. 2020, 3.3)

among the top_k most probable tokens (Fan et al. 2018, 5.4); any that equal the last of them are
among them too. Temperature 1 without top_k draws from the model as it is. A hypothesis ends with
the end token. One that has max_length tokens draws once more, and is closed unfinished, with the
score of what it has, if that is not the end token. One that nothing may follow is dropped, unless
it is at the limit. Log-probability and score are those that `mt.search` would give the same tokens:
the model's own, whatever temperature and top_k.

Each draw of a sentence has random numbers of its own, made from the sentence's key and the number
of the draw. So a result does not depend on the batch, on its order or on how many draws are wanted,
as far as the scorer's numbers do not (`mt.engine.interface`), and comes again.

Shapes: B sentences; M hypotheses, those of a sentence neighbours; N of them still being drawn; V
vocabulary; T longest limit.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mt.search.hypothesis import Hypothesis, length_penalty
from mt.search.scorer import Floats, Integers, LogProbabilities, S, Scorer, refuse_nonsense


def sample(
    scorer: Scorer[S],
    state: S,
    max_lengths: Integers,
    *,
    keys: Sequence[Sequence[int]],
    draws: int,
    temperature: float,
    alpha: float,
    top_k: int = 0,
) -> list[list[Hypothesis]]:
    """Draw hypotheses of each sentence; the rules are at the top of this file.

    Args:
        scorer: gives the log-probabilities.
        state: one row a sentence, before the first token.
        max_lengths: [B] most tokens a hypothesis may have, end not counted; at least 1.
        keys: what decides the random numbers of each sentence: any non-negative integers.
        draws: hypotheses wanted of a sentence; equal ones may be among them.
        temperature: above 0.
        alpha: exponent of the length penalty, at least 0; it decides scores, not draws.
        top_k: tokens to draw from; 0 draws from all.

    Returns:
        A list for each sentence, in the order of `max_lengths`: its hypotheses in the order of
        drawing, fewer than `draws` only where one was dropped.

    Raises:
        ArithmeticError: the scorer gave NaN or +inf; the message names step and row.
    """
    assert (max_lengths >= 1).all(), max_lengths
    assert draws >= 1, draws
    assert temperature > 0, temperature
    assert alpha >= 0, alpha
    assert top_k >= 0, top_k
    limits = np.repeat(max_lengths, draws)
    uniform = _uniform(keys, max_lengths, draws)
    tokens, gains = np.zeros(uniform.shape, dtype=np.int64), np.zeros(uniform.shape)
    scored = np.zeros(len(limits), dtype=np.int64)  # [M] tokens that count; 0 is not closed yet

    rows, previous, step = np.arange(len(limits)), np.full(len(limits), scorer.begin), 0
    state = state.select(rows // draws)
    while rows.size:
        values, state = scorer.step(previous, state)
        refuse_nonsense(values, step)
        drawn = _draw(values, uniform[rows, step], temperature, top_k)
        gained = values[np.arange(len(rows)), drawn]
        tokens[rows, step], gains[rows, step] = drawn, gained

        possible = gained > -np.inf
        ends = possible & (drawn == scorer.end)
        cut = ~ends & (limits[rows] == step)
        scored[rows[ends]], scored[rows[cut]] = step + 1, step
        on = possible & ~ends & ~cut
        rows, previous, step = rows[on], drawn[on], step + 1
        state = state.select(np.flatnonzero(on))
    found = _hypotheses(tokens, gains.cumsum(axis=1), scored, scorer.end, alpha)
    return [
        list(filter(None, found[place : place + draws])) for place in range(0, len(found), draws)
    ]


def _uniform(keys: Sequence[Sequence[int]], max_lengths: Integers, draws: int) -> Floats:
    """[M, T + 1] numbers in [0, 1), each row from a generator of its own."""
    numbers = np.zeros((len(keys) * draws, max_lengths.max(initial=0) + 1))
    for row, place in enumerate(np.repeat(np.arange(len(keys)), draws).tolist()):
        generator = np.random.default_rng([row % draws, *keys[place]])
        numbers[row, : max_lengths[place] + 1] = generator.random(max_lengths[place] + 1)
    return numbers


def _draw(values: LogProbabilities, uniform: Floats, temperature: float, top_k: int) -> Integers:
    """[N, V] log-probabilities, [N] numbers in [0, 1) -> [N] tokens, by the inverse of the
    cumulative distribution; a token of -inf only for a row that has nothing else."""
    if 0 < top_k < values.shape[1]:
        last = np.partition(values, -top_k, axis=1)[:, -top_k, None]
        values = np.where(values < last, -np.inf, values)
    best = np.nan_to_num(values.max(axis=1, keepdims=True), neginf=0.0)
    with np.errstate(over="ignore"):  # a very low temperature leaves the best alone
        weights = np.exp((values - best).astype(np.float64) / temperature)
    cumulative = weights.cumsum(axis=1)
    # The first place past the number is one where the sum has just grown: its weight is not 0.
    drawn: Integers = (cumulative > uniform[:, None] * cumulative[:, -1:]).argmax(axis=1)
    return drawn


def _hypotheses(
    tokens: Integers, totals: Floats, scored: Integers, end: int, alpha: float
) -> list[Hypothesis | None]:
    """The results, [M]: None for one that was dropped."""
    found: list[Hypothesis | None] = []
    for row, sums, length in zip(tokens.tolist(), totals.tolist(), scored.tolist(), strict=True):
        if length == 0:
            found.append(None)
            continue
        finished, total = row[length - 1] == end, sums[length - 1]
        written = tuple(row[: length - finished])
        found.append(Hypothesis(written, total, total / length_penalty(length, alpha), finished))
    return found
