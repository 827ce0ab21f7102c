"""Digits of the source, and no others, in what a hypothesis writes: a rule laid over any scorer.

Knows rows of log-probabilities and, of each sentence, which tokens fit (`mt.search.digit_rule`).
Does not know texts. That a number comes next, and where, and whether as a word, is the model's to
say; which number it is, the rule's. So probability stays where it is as far as it can:

    shares       Among tokens that begin alike up to their first digit ("▁19" and "▁20"; ":30",
                 ":45" and ":" itself) those that fit have the probability of all, each in
                 proportion to its own. Where none fits it is lost, as is that of all digits once
                 the source has no number left.
    within       In a number that is not finished the tokens that fit have all there is.
    others       All other tokens keep their own.
    way out      Where this leaves a hypothesis nothing to write, it does not hold for one step.

(Lexical constraints make a search write what they name, Hokamp and Liu 2017; this asks for nothing.
A source without digits has no rule: a number that it has in words may be written in digits.)

Shapes: N rows (hypotheses), V tokens, D of them that the rule knows, G groups of these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic

import numpy as np
from numpy.typing import NDArray

from mt.search.digit_rule import Choice, DigitRule, Numerals
from mt.search.scorer import Integers, LogProbabilities, S, Scorer


@dataclass(frozen=True, slots=True)
class CopyingState(Generic[S]):
    """The scorer's state, and for each row its sentence and place."""

    inner: S
    sentences: Integers  # [N]
    places: Integers  # [N] before the token fed next

    def select(self, rows: Integers) -> CopyingState[S]:
        """The state of these rows, in this order."""
        return CopyingState(self.inner.select(rows), self.sentences[rows], self.places[rows])


class CopyingDigits(Generic[S]):
    """A scorer whose digits follow the rules of their sentences."""

    def __init__(self, scorer: Scorer[S], rules: Sequence[DigitRule]) -> None:
        """Lay rules, one a sentence and all of the same `Numerals`, over a scorer."""
        self.begin, self.end = scorer.begin, scorer.end
        self._scorer = scorer
        self._rules = rules
        self._numerals = rules[0].numerals
        assert all(rule.numerals is self._numerals for rule in rules)

    def start(self, state: S) -> CopyingState[S]:
        """The scorer's state of one row a sentence -> the state before the first step."""
        # Begin is no digit: it leaves a hypothesis where it starts.
        starts = np.array([rule.start for rule in self._rules])
        return CopyingState(state, np.arange(len(self._rules)), starts)

    def step(
        self, previous: Integers, state: CopyingState[S]
    ) -> tuple[LogProbabilities, CopyingState[S]]:
        """As `Scorer.step`."""
        scores, inner = self._scorer.step(previous, state.inner)
        rules = [self._rules[sentence] for sentence in state.sentences.tolist()]
        fed = zip(rules, state.places.tolist(), previous.tolist(), strict=True)
        places = [rule.after(place, token) for rule, place, token in fed]
        choices = [rule.choice(place) for rule, place in zip(rules, places, strict=True)]
        after = CopyingState(inner, state.sentences, np.array(places))
        return _shared(scores, choices, self._numerals), after


def _shared(
    scores: LogProbabilities, choices: Sequence[Choice], numerals: Numerals
) -> LogProbabilities:
    """[N, V], N choices -> [N, V] the log-probabilities under the rule."""
    fits, unfinished, spent = map(np.array, zip(*choices, strict=True))
    known = scores[:, numerals.tokens]  # [N, D]
    fitting = np.where(fits, known, -np.inf).astype(known.dtype)
    alike = np.logaddexp.reduceat(known, numerals.starts, axis=1)  # [N, G]
    fit_alike = np.logaddexp.reduceat(fitting, numerals.starts, axis=1)
    more = _less(alike, np.where(spent[:, None], alike, fit_alike))

    ruled = scores.copy()
    ruled[:, numerals.tokens] = fitting + np.repeat(more, numerals.sizes, axis=1)
    within = fitting[unfinished]
    ruled[unfinished] = -np.inf
    whole = np.logaddexp.reduce(within, axis=1, keepdims=True)
    ruled[np.ix_(unfinished, numerals.tokens)] = _less(within, whole, nothing=-np.inf)
    stuck = ~(ruled > -np.inf).any(axis=1)
    ruled[stuck] = scores[stuck]
    return ruled


def _less(
    one: NDArray[np.floating], other: NDArray[np.floating], nothing: float = 0
) -> NDArray[np.floating]:
    """The difference of log-probabilities, or `nothing` where the other is impossible."""
    difference = np.full_like(one, nothing)
    possible = np.broadcast_to(other > -np.inf, one.shape)
    np.subtract(one, other, out=difference, where=possible)
    return difference
