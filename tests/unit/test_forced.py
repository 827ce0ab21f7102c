"""Forced decoding on tables: the numbers are those the table holds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mt.search import force, length_penalty, search
from support.scorers import Prefix, TableScorer, random_table, written

A, B = 1, 2

TABLE = written({(): [0.2, 0.5, 0.3], (A,): [0.4, 0.6, 0.0], (A, A): [0.7, 0.1, 0.2]})


def probabilities(targets: list[Prefix]) -> list[list[float]]:
    scorer = TableScorer([TABLE] * len(targets))
    found = force(scorer, scorer.start(), targets)
    return [[math.exp(gain) for gain in gains] for gains in found]


def test_every_token_and_the_end_have_the_probability_of_the_table() -> None:
    assert probabilities([(A, A)]) == [pytest.approx([0.5, 0.6, 0.7])]


def test_a_target_without_tokens_is_its_end() -> None:
    assert probabilities([()]) == [pytest.approx([0.2])]


def test_targets_of_any_lengths_go_together_in_their_order() -> None:
    found = probabilities([(A,), (A, A, B), (), (A, A)])
    assert found == [
        pytest.approx([0.5, 0.4]),
        pytest.approx([0.5, 0.6, 0.2, 1.0]),
        pytest.approx([0.2]),
        pytest.approx([0.5, 0.6, 0.7]),
    ]


def test_what_is_never_written_is_minus_infinity() -> None:
    scorer = TableScorer([TABLE])
    assert force(scorer, scorer.start(), [(A, B)])[0][1] == -math.inf


def test_targets_that_are_done_leave_the_batch() -> None:
    scorer = TableScorer([TABLE] * 3)
    force(scorer, scorer.start(), [(A,), (A, A), ()])
    assert scorer.rows_of_step == [(0, 1, 2), (0, 1), (1,)]


def test_no_targets_have_no_scores() -> None:
    assert probabilities([]) == []


def test_nonsense_from_the_scorer_is_an_error() -> None:
    scorer = TableScorer([lambda prefix: np.array([-1.0, math.nan])])
    with pytest.raises(ArithmeticError, match="step 0, row 0, is nan"):
        force(scorer, scorer.start(), [(A,)])


@given(
    st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=4),
    st.integers(1, 4),
    st.sampled_from([0.0, 1.0]),
)
@settings(max_examples=60)
def test_a_hypothesis_of_the_search_is_worth_what_the_search_said(
    seeds: list[int], beam_size: int, alpha: float
) -> None:
    scorer = TableScorer([random_table(seed, 5) for seed in seeds])
    limits = np.full(len(seeds), 6)
    found = search(scorer, scorer.start(), limits, beam_size=beam_size, alpha=alpha)
    gains = force(scorer, scorer.start(), [best.tokens for (best,) in found])
    for (best,), each in zip(found, gains, strict=True):
        counted = each if best.finished else each[:-1]
        assert sum(counted) == best.log_probability
        assert sum(counted) / length_penalty(len(counted), alpha) == best.score
