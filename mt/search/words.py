"""The likeliest next words over any step-wise scorer: a word is as many tokens as it takes.

Knows log-probabilities, rows, and which tokens begin a word. Does not know LSTMs or tokenizers.

A word of tokens t_1 ... t_n comes next with the probability

    P(t_1) P(t_2 | t_1) ... P(t_n | t_1 ... t_n-1) P(boundary | t_1 ... t_n)

where the boundary is the end token or any token that begins another word. The first token may begin
a word, or go on in the one before. Nothing but the end token is a word of no tokens. All words
together have probability 1, and what is spelled alike in several ways counts as one.

A word is never likelier than its first tokens, so what is begun and already less likely than the
words asked for is dropped: those that are found are the likeliest there are, and their
probabilities lack no spelling but such as are less likely than the last of them.

Shapes: N rows (words that are begun), V vocabulary.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mt.search.scorer import Floats, Integers, LogProbabilities, S, Scorer, refuse_nonsense

ROWS = 64
"""Words that are gone on with at once."""
LONGEST = 50
"""Tokens that a word may have; of longer ones no notice is taken."""


def next_words(
    scorer: Scorer[S],
    state: S,
    previous: int,
    begins_word: NDArray[np.bool_],
    spell: Callable[[Sequence[int]], str],
    count: int,
    *,
    new: bool = False,
) -> list[tuple[str, float]]:
    """The likeliest next words, as `spell` writes them, and their probabilities, best first.

    Args:
        scorer: gives the log-probabilities.
        state: one row, before `previous` is fed.
        previous: the last token there is.
        begins_word: [V] of each token; not of the end token.
        spell: a word by its tokens.
        count: words wanted; fewer are found only where there are no more.
        new: a word begins for sure, and probabilities are given that.

    Raises:
        ArithmeticError: the scorer gave NaN or +inf; the message names step and row.
    """
    assert count >= 1, count
    found: defaultdict[str, float] = defaultdict(float)
    one = np.zeros(1, np.int64)
    stack = [_Begun([()], np.zeros(1), one + previous, one, state)]
    while stack:
        begun, rest = _likeliest(stack.pop(), _least(found, count))
        if not begun.words:
            continue
        stack.append(rest)
        values, after = scorer.step(begun.previous, begun.state.select(begun.rows))
        length = len(begun.words[0])
        refuse_nonsense(values, length)
        gains = _given(values, begins_word) if new and length == 0 else values
        totals = begun.totals[:, None] + gains
        ends = begins_word.copy() if length else np.zeros_like(begins_word)
        ends[scorer.end] = True
        for word, probability in zip(begun.words, np.exp(totals[:, ends]).sum(axis=1), strict=True):
            if probability > 0:
                found[spell(word)] += float(probability)
        totals[:, ends] = -np.inf
        if length < LONGEST:
            stack.append(_longer(begun, totals, after, _least(found, count)))
    return sorted(found.items(), key=lambda each: (-each[1], each[0]))[:count]


class _Begun(NamedTuple, Generic[S]):
    """Words that are begun, all of the same number of tokens."""

    words: list[tuple[int, ...]]
    totals: Floats
    """[N] log-probability of each."""
    previous: Integers
    """[N] the last token of each, which is not fed yet."""
    rows: Integers
    """[N] the row of `state` that each goes on from."""
    state: S

    def take(self, places: Integers) -> _Begun[S]:
        words = [self.words[place] for place in places.tolist()]
        return _Begun(
            words, self.totals[places], self.previous[places], self.rows[places], self.state
        )


def _least(found: Mapping[str, float], count: int) -> float:
    """The probability that a word has to exceed to be among the likeliest."""
    return heapq.nlargest(count, found.values())[-1] if len(found) >= count else 0.0


def _likeliest(begun: _Begun[S], least: float) -> tuple[_Begun[S], _Begun[S]]:
    """The ROWS likeliest words, and the rest of those that are likelier than `least`."""
    (worth,) = np.nonzero(np.exp(begun.totals) > least)
    order = worth[np.argsort(-begun.totals[worth], kind="stable")]
    return begun.take(order[:ROWS]), begun.take(order[ROWS:])


def _given(values: LogProbabilities, begins_word: NDArray[np.bool_]) -> Floats:
    """[N, V] the same where a word begins, which it does for sure."""
    begins = np.where(begins_word, values, -np.inf).astype(np.float64)
    given: Floats = begins - np.logaddexp.reduce(begins, axis=1, keepdims=True)
    return given


def _longer(begun: _Begun[S], totals: Floats, state: S, least: float) -> _Begun[S]:
    """Each word with each token that goes on in it, [N, V], where that is likelier than `least`."""
    rows, tokens = np.nonzero(np.exp(totals) > least)
    pairs = zip(rows.tolist(), tokens.tolist(), strict=True)
    words = [(*begun.words[row], token) for row, token in pairs]
    return _Begun(words, totals[rows, tokens], tokens, rows, state)
