"""Left-to-right beam search over any step-wise scorer.

Knows log-probabilities and rows. Does not know LSTMs, tokenizers or devices: a scorer maps
(previous tokens, state) to (log-probabilities, new state), so a test can script one with a table.

Looked for is the hypothesis y of the highest

    score(y) = log P(y | source) / ((5 + |y|) / 6) ** alpha        (Wu et al. 2016, eq. 14)

where |y| counts the scored tokens, the end token among them. At every step a sentence ranks all
continuations of its live hypotheses by log-probability (Sutskever et al. 2014, 3.2). An end token
among the best K continuations finishes a hypothesis; the best K continuations that are not the
end token live on. K = 1 is greedy search. A sentence is done at the first of these:

    enough    K of its hypotheses are finished.
    settled   No live hypothesis can beat the n-th best finished one any more. A log-probability
              L <= 0 can only fall, and the longest hypothesis allowed has the largest penalty, so
              L / penalty(max_length + 1) bounds every score to come (compare Huang et al. 2017).
              With no live hypothesis left the bound is -inf.
    limit     Its hypotheses had max_length tokens, and one more step has let them write the end
              token, if that ranked among the best K as ever. A hypothesis that did not is closed
              unfinished, with the score of what it has.

A finished hypothesis ranks above an unfinished one, whatever their scores, so a translation cut
short comes first only where there is no whole one. Equal scores rank by discovery: earlier step
first, then the better log-probability, the earlier row and the scorer's order of tokens. A
hypothesis that nothing may follow is dropped, unless it is at the limit.

A sentence ranks only its own rows and leaves the batch when done, so its result does not depend on
its neighbours, as far as the scorer's numbers do not (`mt.engine.interface`).

Search knows no rule on what may be written: one that forbids tokens is laid over the scorer, as
`mt.search.constraints` does.

Shapes: B sentences, A of them not yet done; K beam size, W live rows a sentence (1 at the first
step, K from the second on, or as many as a tiny vocabulary offers); N = A * W, a sentence's rows
are neighbours; V vocabulary, C = min(K + 1, V) continuations of a row, R = min(K + W, W * C)
candidates of a sentence; t tokens written so far.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from mt.search.best import best_of_each
from mt.search.hypothesis import Hypothesis, length_penalty
from mt.search.scorer import (
    Floats,
    Integers,
    LogProbabilities,
    S,
    Scorer,
    TopScorer,
    refuse_nonsense,
)


def search(
    scorer: Scorer[S],
    state: S,
    max_lengths: Integers,
    *,
    beam_size: int,
    alpha: float,
    n_best: int = 1,
) -> list[list[Hypothesis]]:
    """The n best hypotheses of each sentence, best first; the rules are at the top of this file.

    Args:
        scorer: gives the log-probabilities; its `step_top` is used if it has one.
        state: one row a sentence, before the first token.
        max_lengths: [B] most tokens a hypothesis may have, end not counted; at least 1.
        beam_size: K, the live hypotheses of a sentence.
        alpha: exponent of the length penalty, at least 0.
        n_best: hypotheses wanted of a sentence, at most `beam_size`.

    Returns:
        A list for each sentence, in the order of `max_lengths`: fewer than `n_best` only where the
        search met no more, none only where the scorer left no hypothesis possible.

    Raises:
        ArithmeticError: the scorer gave NaN or +inf; the message names step and row.
    """
    assert max_lengths.ndim == 1, max_lengths.shape
    assert (max_lengths >= 1).all(), max_lengths
    assert 1 <= n_best <= beam_size, (n_best, beam_size)
    assert alpha >= 0, alpha
    penalties = [length_penalty(n, alpha) for n in range(max_lengths.max(initial=0) + 2)]
    rules = _Rules(scorer.begin, scorer.end, beam_size, n_best, np.array(penalties))
    step_top = scorer.step_top if isinstance(scorer, TopScorer) else partial(_step_top, scorer)

    beams = _start(max_lengths, rules)
    found: list[list[Hypothesis]] = [[] for _ in max_lengths]
    while beams.sentences.size:
        candidates, state = _continue(beams, state, step_top, rules)
        for sentence, hypothesis in _closed(beams, candidates, rules):
            found[sentence].append(hypothesis)
        beams, rows = _advance(beams, candidates, rules)
        if rows.size:
            state = state.select(rows)
    # Sorting is stable: equals stay in the order in which they were found.
    return [sorted(each, key=lambda h: (not h.finished, -h.score))[:n_best] for each in found]


_StepTop: TypeAlias = Callable[[Integers, S, int], tuple[Integers, LogProbabilities, S]]


@dataclass(frozen=True, slots=True)
class _Rules:
    """What stays the same for the whole search."""

    begin: int
    end: int
    beam_size: int
    n_best: int
    penalties: Floats  # [longest + 2] length penalty of 0, 1, 2, ... scored tokens


@dataclass(frozen=True, slots=True)
class _Beams:
    """The live hypotheses of all sentences not yet done; each has t tokens."""

    sentences: Integers  # [A] place of the sentence in the result
    max_lengths: Integers  # [A]
    tokens: Integers  # [A, W, t]
    log_probabilities: Floats  # [A, W] best first; -inf is a dead row, which can never win
    finished_scores: Floats  # [A, K] of the best finished hypotheses, best first; -inf where none

    @property
    def length(self) -> int:
        return int(self.tokens.shape[2])

    def select(self, sentences: NDArray[np.bool_]) -> _Beams:
        return _Beams(
            self.sentences[sentences],
            self.max_lengths[sentences],
            self.tokens[sentences],
            self.log_probabilities[sentences],
            self.finished_scores[sentences],
        )


@dataclass(frozen=True, slots=True)
class _Candidates:
    """The best continuations of each sentence, best first."""

    parents: Integers  # [A, R] row within the sentence, 0 to W - 1
    tokens: Integers  # [A, R]
    log_probabilities: Floats  # [A, R] of all tokens up to this one
    finish: NDArray[np.bool_]  # [A, at most K] the candidate is one of the best K and writes end


def _start(max_lengths: Integers, rules: _Rules) -> _Beams:
    """One empty hypothesis a sentence."""
    count = len(max_lengths)
    return _Beams(
        sentences=np.arange(count),
        max_lengths=max_lengths,
        tokens=np.empty((count, 1, 0), dtype=np.int64),
        log_probabilities=np.zeros((count, 1)),
        finished_scores=np.full((count, rules.beam_size), -np.inf),
    )


def _continue(
    beams: _Beams, state: S, step_top: _StepTop[S], rules: _Rules
) -> tuple[_Candidates, S]:
    """Score one more token for every row and rank the continuations of each sentence.

    The best K + 1 tokens of a row are enough: at most one of them is end, so K others are there,
    and no more than K live on. Of a sentence the best K + W are enough: at most W are end.
    """
    count, width = beams.log_probabilities.shape
    previous = beams.tokens[:, :, -1] if beams.length else np.full((count, width), rules.begin)
    ids, values, state = step_top(previous.ravel(), state, rules.beam_size + 1)
    refuse_nonsense(values, step=beams.length)

    last = values.reshape(count, width, -1)  # of any precision; the sums are of float64
    totals = (beams.log_probabilities[:, :, None] + last).reshape(count, -1)
    order = np.argsort(-totals, axis=1, kind="stable")[:, : rules.beam_size + width]
    sentence = np.arange(count)[:, None]
    tokens = ids.reshape(count, -1)[sentence, order]
    log_probabilities = totals[sentence, order]
    finish = (tokens == rules.end) & (log_probabilities > -np.inf)
    parents = order // last.shape[2]
    return _Candidates(parents, tokens, log_probabilities, finish[:, : rules.beam_size]), state


def _closed(
    beams: _Beams, candidates: _Candidates, rules: _Rules
) -> Iterator[tuple[int, Hypothesis]]:
    """The hypotheses that leave their beams at this step, each with its sentence.

    First those that write end, then those cut off: at the limit and not among the first.
    """
    place, rank = np.nonzero(candidates.finish)
    row = candidates.parents[place, rank]
    totals = candidates.log_probabilities[place, rank]
    yield from _hypotheses(beams, place, row, totals, rules, finished=True)

    at_limit = beams.max_lengths == beams.length
    cut = at_limit[:, None] & (beams.log_probabilities > -np.inf)
    cut[place, row] = False
    place, row = np.nonzero(cut)
    totals = beams.log_probabilities[place, row]
    yield from _hypotheses(beams, place, row, totals, rules, finished=False)


def _hypotheses(
    beams: _Beams, place: Integers, row: Integers, totals: Floats, rules: _Rules, *, finished: bool
) -> Iterator[tuple[int, Hypothesis]]:
    """Live hypotheses, [n] by place and row, turned into results: once in the life of each."""
    scores = totals / rules.penalties[beams.length + finished]
    sentences, tokens = beams.sentences[place].tolist(), beams.tokens[place, row].tolist()
    for sentence, written, total, score in zip(
        sentences, tokens, totals.tolist(), scores.tolist(), strict=True
    ):
        yield sentence, Hypothesis(tuple(written), total, score, finished)


def _advance(beams: _Beams, candidates: _Candidates, rules: _Rules) -> tuple[_Beams, Integers]:
    """The beams one token longer without the sentences that are done, and each row's parent.

    Where fewer than K others than end are left, candidates that write end fill up as dead rows.
    """
    count, width = beams.log_probabilities.shape
    sentence = np.arange(count)[:, None]
    ends = candidates.tokens == rules.end
    survivors = np.argsort(ends, axis=1, kind="stable")[:, : rules.beam_size]
    parents = candidates.parents[sentence, survivors]
    tokens = candidates.tokens[sentence, survivors]
    grown = _Beams(
        beams.sentences,
        beams.max_lengths,
        np.concatenate([beams.tokens[sentence, parents], tokens[:, :, None]], axis=2),
        np.where(ends, -np.inf, candidates.log_probabilities)[sentence, survivors],
        _finished_scores(beams, candidates, rules),
    )
    going = ~_done(grown, rules)
    return grown.select(going), (sentence * width + parents)[going].ravel()


def _finished_scores(beams: _Beams, candidates: _Candidates, rules: _Rules) -> Floats:
    """[A, K] best scores of finished hypotheses, those of this step included."""
    totals = candidates.log_probabilities[:, : rules.beam_size]
    scores = np.where(candidates.finish, totals, -np.inf) / rules.penalties[beams.length + 1]
    both = np.concatenate([beams.finished_scores, scores], axis=1)
    return -np.sort(-both, axis=1)[:, : rules.beam_size]


def _done(beams: _Beams, rules: _Rules) -> NDArray[np.bool_]:
    """[A] the sentences that need no further step: enough, settled, or past the limit."""
    enough = beams.finished_scores[:, -1] > -np.inf
    bound: Floats = beams.log_probabilities.max(axis=1) / rules.penalties[beams.max_lengths + 1]
    settled = bound <= beams.finished_scores[:, rules.n_best - 1]
    past_limit = beams.length > beams.max_lengths
    return enough | settled | past_limit


def _step_top(
    scorer: Scorer[S], previous: Integers, state: S, k: int
) -> tuple[Integers, LogProbabilities, S]:
    """`TopScorer.step_top` for a scorer that has only `step`."""
    values, state = scorer.step(previous, state)
    return *best_of_each(values, k), state
