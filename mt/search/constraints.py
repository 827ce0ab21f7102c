"""Rules on what a hypothesis may write, laid over any scorer.

Knows rows of log-probabilities and the tokens that led to them. Does not know beams or draws:
`Constrained` is a scorer itself, in which a token that may not be written has -inf, so search and
draws obey without knowing the rules. Every other token keeps the log-probability that the model
gives it: what is forbidden changes which hypotheses there are, not what one is worth.

    prefix       A hypothesis begins with these tokens (Wuebker et al. 2016). They are scored like
                 any others, and none of the rules below applies to them.
    length       A hypothesis of fewer than min_length tokens may not write the end token.
    repetition   No n-gram of tokens stands twice in a hypothesis (Paulus et al. 2018, 2.5): a token
                 that would complete one already there may not be written. Those of the prefix count
                 as there. The end token is no part of an n-gram.
    way out      Where these rules leave a hypothesis nothing to write, the end token is allowed.

Shapes: B sentences, N rows (hypotheses), V pieces, t tokens written so far, P longest prefix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from mt.search.scorer import Integers, LogProbabilities, S, Scorer


@dataclass(frozen=True, slots=True)
class ConstrainedState(Generic[S]):
    """The scorer's state, and for each row what the rules need to know of it."""

    inner: S
    sentences: Integers  # [N] the sentence of each row
    fed: Integers  # [N, t + 1] begin, then the tokens written; [N, 0] before the first step

    def select(self, rows: Integers) -> ConstrainedState[S]:
        """The state of these rows, in this order."""
        return ConstrainedState(self.inner.select(rows), self.sentences[rows], self.fed[rows])


class Constrained(Generic[S]):
    """A scorer that refuses what the rules at the top of this file forbid."""

    def __init__(
        self,
        scorer: Scorer[S],
        *,
        min_lengths: Integers,
        no_repeat_ngram_size: int = 0,
        prefixes: Sequence[Sequence[int]] | None = None,
    ) -> None:
        """Lay the rules over a scorer.

        Args:
            scorer: gives the log-probabilities.
            min_lengths: [B] fewest tokens of each sentence's hypotheses, end not counted.
            no_repeat_ngram_size: n of the n-grams that may not stand twice; 0 allows any.
            prefixes: tokens that each sentence's hypotheses begin with; none if left out.
        """
        prefixes = prefixes or [()] * len(min_lengths)
        assert len(prefixes) == len(min_lengths), (len(prefixes), len(min_lengths))
        assert no_repeat_ngram_size >= 0, no_repeat_ngram_size
        self.begin, self.end = scorer.begin, scorer.end
        self._scorer = scorer
        self._min_lengths = min_lengths
        self._ngram_size = no_repeat_ngram_size
        self._prefix_lengths = np.array([len(prefix) for prefix in prefixes], dtype=np.int64)
        self._prefixes = np.zeros((len(prefixes), max(map(len, prefixes), default=0)), np.int64)
        for row, prefix in zip(self._prefixes, prefixes, strict=True):
            row[: len(prefix)] = prefix

    def start(self, state: S) -> ConstrainedState[S]:
        """The scorer's state of one row a sentence -> the state before the first step."""
        count = len(self._min_lengths)
        return ConstrainedState(state, np.arange(count), np.empty((count, 0), dtype=np.int64))

    def step(
        self, previous: Integers, state: ConstrainedState[S]
    ) -> tuple[LogProbabilities, ConstrainedState[S]]:
        """As `Scorer.step`."""
        scores, inner = self._scorer.step(previous, state.inner)
        fed = np.concatenate([state.fed, previous[:, None]], axis=1)
        allowed = self._by_length_and_repetition(scores, state.sentences, fed[:, 1:])
        self._force(allowed, scores, state.sentences, step=fed.shape[1] - 1)
        return allowed, ConstrainedState(inner, state.sentences, fed)

    def _by_length_and_repetition(
        self, scores: LogProbabilities, sentences: Integers, written: Integers
    ) -> LogProbabilities:
        """[N, V] the scores, -inf where a rule other than the prefix forbids."""
        allowed = scores.copy()
        rows, tokens = _repeating(written, self._ngram_size)
        allowed[rows, tokens] = -np.inf
        early = written.shape[1] < self._min_lengths[sentences]
        allowed[early, self.end] = -np.inf
        stuck = early & ~(allowed > -np.inf).any(axis=1)
        allowed[stuck, self.end] = scores[stuck, self.end]
        return allowed

    def _force(
        self, allowed: LogProbabilities, scores: LogProbabilities, sentences: Integers, step: int
    ) -> None:
        """Leave a row that is still within its prefix the next token of it alone."""
        (rows,) = np.nonzero(step < self._prefix_lengths[sentences])
        if rows.size:
            tokens = self._prefixes[sentences[rows], step]
            allowed[rows] = -np.inf
            allowed[rows, tokens] = scores[rows, tokens]


def _repeating(written: Integers, size: int) -> tuple[Integers, Integers]:
    """Rows and tokens, [any] each: the token would complete an n-gram its row [N, t] has already.

    The last n - 1 tokens are compared with the first n - 1 of every n-gram written.
    """
    if size == 0 or written.shape[1] < size:
        nothing = np.empty(0, dtype=np.int64)
        return nothing, nothing
    ngrams = sliding_window_view(written, size, axis=1)  # [N, t - n + 1, n]
    last = written[:, None, written.shape[1] - size + 1 :]  # [N, 1, n - 1]
    rows, places = np.nonzero((ngrams[:, :, :-1] == last).all(axis=2))
    return rows, ngrams[rows, places, -1]
