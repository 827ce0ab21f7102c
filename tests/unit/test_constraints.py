"""Rules over tables of four tokens: what they leave to be written can be found with a pencil.

The scorer's rows are read-only, so rules that wrote into them would raise.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from mt.search import Constrained, Hypothesis, search
from support.scorers import Prefix, Table, TableScorer, written

A, B, C = 1, 2, 3


def always(*probabilities: float) -> Table:
    """The same probabilities (end, A, B, C) whatever was written."""
    with np.errstate(divide="ignore"):
        row = np.log(probabilities)
    return lambda prefix: row


STUTTER = always(0.1, 0.6, 0.2, 0.1)  # A A A A ... until the limit


def find(
    table: Table,
    *,
    min_length: int = 0,
    size: int = 0,
    prefix: Prefix = (),
    beam_size: int = 1,
    max_length: int = 6,
) -> Hypothesis:
    scorer = TableScorer([table])
    rules = Constrained(
        scorer,
        min_lengths=np.array([min_length]),
        no_repeat_ngram_size=size,
        prefixes=[prefix],
    )
    state = rules.start(scorer.start())
    ((best,),) = search(rules, state, np.array([max_length]), beam_size=beam_size, alpha=0.0)
    return best


# Length


def test_end_is_not_written_before_the_least_length() -> None:
    table = always(0.7, 0.2, 0.1, 0.0)
    assert find(table).tokens == ()
    best = find(table, min_length=3)
    assert (best.tokens, best.finished) == ((A, A, A), True)


def test_what_is_forbidden_does_not_change_what_the_rest_is_worth() -> None:
    best = find(always(0.7, 0.2, 0.1, 0.0), min_length=2)
    assert math.exp(best.log_probability) == pytest.approx(0.2 * 0.2 * 0.7)


def test_a_least_length_at_the_limit_leaves_one_length() -> None:
    best = find(always(0.7, 0.2, 0.1, 0.0), min_length=4, max_length=4)
    assert (best.tokens, best.finished) == ((A, A, A, A), True)


# Repetition


@pytest.mark.parametrize(
    ("size", "tokens"),
    [
        (1, (A, B)),  # A, then B (0.2), then C and end (0.1 each): the lower id is end
        (2, (A, A, B, A)),  # A A A, A B A A and A B A B would repeat A A, A A and A B
        (3, (A, A, A, B, A, A)),  # A A A A would repeat A A A
        (7, (A, A, A, A, A, A)),  # the limit comes first
    ],
)
def test_no_ngram_stands_twice(size: int, tokens: Prefix) -> None:
    assert find(STUTTER, size=size).tokens == tokens


def test_ngrams_may_not_overlap_themselves() -> None:
    # A A A holds the bigram A A twice.
    assert find(STUTTER, size=2, max_length=3).tokens == (A, A, B)


def test_each_hypothesis_has_repetitions_of_its_own() -> None:
    table = written({(): [0.0, 0.6, 0.4], (A,): [0.2, 0.8, 0.0], (B,): [0.1, 0.9, 0.0]})
    # A may not be followed by A (0.48), but B may be (0.36).
    assert find(table, size=1, beam_size=2).tokens == (B, A)


# Way out


def test_end_is_allowed_where_nothing_else_is_left() -> None:
    best = find(always(0.1, 0.6, 0.3, 0.0), size=1, min_length=5)
    assert (best.tokens, best.finished) == ((A, B), True)


# Prefix


def test_every_hypothesis_begins_with_the_prefix_which_is_scored() -> None:
    table = written({(): [0.5, 0.4, 0.1], (B,): [0.2, 0.3, 0.5], (B, B): [0.9, 0.1, 0.0]})
    best = find(table, prefix=(B,))
    assert best.tokens == (B, B)
    assert math.exp(best.log_probability) == pytest.approx(0.1 * 0.5 * 0.9)


def test_a_prefix_of_the_whole_limit_may_still_end() -> None:
    best = find(STUTTER, prefix=(C, C), max_length=2, beam_size=4)
    assert (best.tokens, best.finished) == ((C, C), True)


def test_a_prefix_may_repeat_itself_but_what_follows_may_not_repeat_it() -> None:
    table = always(0.05, 0.2, 0.15, 0.6)
    # No C after C C C, which would be C C again: A. Then C, of which C C and C A are there: B.
    assert find(table, prefix=(C, C, C), size=2).tokens == (C, C, C, A, C, B)


def test_a_prefix_that_the_model_never_writes_leaves_no_hypothesis() -> None:
    scorer = TableScorer([always(0.5, 0.5, 0.0, 0.0)])
    rules = Constrained(scorer, min_lengths=np.array([0]), prefixes=[(B,)])
    state = rules.start(scorer.start())
    assert search(rules, state, np.array([3]), beam_size=2, alpha=0.0) == [[]]


# Sentences


def test_each_sentence_has_its_own_prefix_and_least_length() -> None:
    scorer = TableScorer([always(0.7, 0.2, 0.1, 0.0)] * 4)
    rules = Constrained(scorer, min_lengths=np.array([0, 2, 0, 3]), prefixes=[(), (), (B, B), (B,)])
    state = rules.start(scorer.start())
    found = search(rules, state, np.array([5] * 4), beam_size=2, alpha=0.0)
    assert [best.tokens for (best,) in found] == [(), (A, A), (B, B), (B, A, A)]


def test_without_prefixes_none_is_forced() -> None:
    scorer = TableScorer([STUTTER])
    rules = Constrained(scorer, min_lengths=np.array([0]))
    state = rules.start(scorer.start())
    ((best,),) = search(rules, state, np.array([2]), beam_size=1, alpha=0.0)
    assert best.tokens == (A, A)


def test_as_many_prefixes_as_sentences_are_needed() -> None:
    with pytest.raises(AssertionError):
        Constrained(TableScorer([STUTTER]), min_lengths=np.array([0]), prefixes=[(A,), (B,)])
