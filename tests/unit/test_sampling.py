"""Draws from tables: certain ones with a pencil, uncertain ones by counting many of them."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from mt.search import Hypothesis
from mt.search.sampling import _draw, sample
from support.scorers import Prefix, Table, TableScorer, written

A, B, C = 1, 2, 3
DRAWS = 4000

# Columns: end, A, B. After a prefix that is not listed, end is certain.
ONE_TOKEN = written({(): [0.5, 0.3, 0.2]})
CERTAIN = written({(): [0.0, 1.0, 0.0], (A,): [0.0, 0.0, 1.0]})
ENDLESS = written({(A,) * length: [0.0, 1.0, 0.0] for length in range(12)})


def draw(
    table: Table,
    *,
    draws: int = 1,
    temperature: float = 1.0,
    top_k: int = 0,
    alpha: float = 0.0,
    max_length: int = 10,
    key: tuple[int, ...] = (1, 2, 3),
) -> list[Hypothesis]:
    scorer = TableScorer([table])
    (found,) = sample(
        scorer,
        scorer.start(),
        np.array([max_length]),
        keys=[key],
        draws=draws,
        temperature=temperature,
        alpha=alpha,
        top_k=top_k,
    )
    return found


def shares(found: list[Hypothesis]) -> dict[Prefix, float]:
    counts = Counter(hypothesis.tokens for hypothesis in found)
    return {tokens: count / len(found) for tokens, count in counts.items()}


def near(probabilities: dict[Prefix, float]) -> object:
    """Four standard deviations of a share in DRAWS draws, at most."""
    return pytest.approx(probabilities, abs=4 * math.sqrt(0.25 / DRAWS))


def test_what_is_certain_is_drawn() -> None:
    (hypothesis,) = draw(CERTAIN)
    assert hypothesis == Hypothesis((A, B), 0.0, 0.0, finished=True)


def test_tokens_come_as_often_as_the_model_finds_them_probable() -> None:
    assert shares(draw(ONE_TOKEN, draws=DRAWS)) == near({(): 0.5, (A,): 0.3, (B,): 0.2})


def test_a_later_token_is_drawn_given_the_earlier_ones() -> None:
    table = written({(): [0.0, 0.5, 0.5], (A,): [0.8, 0.2, 0.0], (B,): [0.4, 0.0, 0.6]})
    expected = {(A,): 0.4, (A, A): 0.1, (B,): 0.2, (B, B): 0.3}
    assert shares(draw(table, draws=DRAWS)) == near(expected)


def test_temperature_raises_probabilities_to_the_power_of_its_inverse() -> None:
    # At 1/2 the squares 25 : 9 : 4; at 2 the square roots.
    found = draw(ONE_TOKEN, draws=DRAWS, temperature=0.5)
    assert shares(found) == near({(): 25 / 38, (A,): 9 / 38, (B,): 4 / 38})
    roots = np.sqrt([0.5, 0.3, 0.2])
    found = draw(ONE_TOKEN, draws=DRAWS, temperature=2.0)
    assert shares(found) == near(dict(zip([(), (A,), (B,)], roots / roots.sum(), strict=True)))


@pytest.mark.parametrize("temperature", [1e-3, 1e-300, 5e-324])
def test_a_temperature_near_zero_draws_the_most_probable_token(temperature: float) -> None:
    assert shares(draw(ONE_TOKEN, draws=50, temperature=temperature)) == {(): 1.0}
    # The first token there is would be drawn if all became 0.
    second = written({(): [0.3, 0.5, 0.2]})
    assert shares(draw(second, draws=50, temperature=temperature)) == {(A,): 1.0}


def test_top_k_draws_from_the_most_probable_tokens_alone() -> None:
    found = draw(ONE_TOKEN, draws=DRAWS, top_k=2)
    assert shares(found) == near({(): 5 / 8, (A,): 3 / 8})
    assert shares(draw(ONE_TOKEN, draws=50, top_k=1)) == {(): 1.0}


def test_top_k_of_a_vocabulary_that_is_not_sorted_as_a_whole() -> None:
    row = np.log(np.random.default_rng(1).dirichlet(np.ones(1000)))
    drawn = shares(draw(lambda prefix: row, draws=200, top_k=3, max_length=1))
    best = np.argsort(-row)[:3].tolist()
    assert {token for tokens in drawn for token in tokens} <= set(best)


@pytest.mark.parametrize("top_k", [3, 4])
def test_top_k_of_the_whole_vocabulary_or_more_is_all_of_it(top_k: int) -> None:
    assert draw(ONE_TOKEN, draws=50, top_k=top_k) == draw(ONE_TOKEN, draws=50)


def test_tokens_equal_to_the_last_of_top_k_are_drawn_too() -> None:
    table = written({(): [0.1, 0.5, 0.2, 0.2]}, vocabulary=4)
    expected = {(A,): 5 / 9, (B,): 2 / 9, (C,): 2 / 9}
    assert shares(draw(table, draws=DRAWS, top_k=2)) == near(expected)


def test_top_k_larger_than_what_may_be_written_is_no_harm() -> None:
    assert shares(draw(written({(): [0.0, 0.0, 1.0]}), draws=20, top_k=2)) == {(B,): 1.0}


def test_log_probability_and_score_are_those_of_the_model_itself() -> None:
    for hypothesis in draw(ONE_TOKEN, draws=50, temperature=0.3, top_k=2, alpha=1.0):
        assert math.exp(hypothesis.log_probability) == pytest.approx(
            {(): 0.5, (A,): 0.3}[hypothesis.tokens]
        )
        # (5 + 1) / 6 for the end alone, (5 + 2) / 6 for a token and the end
        penalty = 1.0 if hypothesis.tokens == () else 7 / 6
        assert hypothesis.score == pytest.approx(hypothesis.log_probability / penalty)


def test_a_hypothesis_of_max_length_tokens_may_still_write_end() -> None:
    (hypothesis,) = draw(CERTAIN, max_length=2)
    assert (hypothesis.tokens, hypothesis.finished) == ((A, B), True)


def test_a_hypothesis_cut_at_max_length_is_unfinished_and_scored_as_it_is() -> None:
    table = written({(A,) * length: [0.1, 0.9, 0.0] for length in range(12)})
    (hypothesis,) = draw(table, max_length=2, top_k=1, alpha=1.0)
    assert (hypothesis.tokens, hypothesis.finished) == ((A, A), False)
    # 0.9 * 0.9; the token drawn after them does not count
    assert hypothesis.log_probability == pytest.approx(math.log(0.81))
    assert hypothesis.score == pytest.approx(math.log(0.81) / (7 / 6))


def test_a_hypothesis_that_nothing_may_follow_is_dropped() -> None:
    table = written({(): [0.0, 0.5, 0.5], (A,): [0.0, 0.0, 0.0]})
    found = draw(table, draws=100)
    assert {hypothesis.tokens for hypothesis in found} == {(B,)}
    assert 20 < len(found) < 80
    assert draw(written({(): [0.0, 0.0, 0.0]}), draws=3) == []


def test_at_the_limit_it_is_closed_unfinished() -> None:
    table = written({(): [0.0, 1.0, 0.0], (A,): [0.0, 0.0, 0.0]})
    (hypothesis,) = draw(table, max_length=1)
    assert hypothesis == Hypothesis((A,), 0.0, 0.0, finished=False)


def test_what_has_no_probability_is_not_drawn_even_by_a_zero() -> None:
    with np.errstate(divide="ignore"):
        rows = np.log([[0.0, 0.5, 0.5], [0.0, 0.0, 1.0]])
    assert _draw(rows, np.array([0.0, 0.0]), 1.0, 0).tolist() == [A, B]
    assert _draw(rows, np.array([0.5, 1 - 2**-53]), 1.0, 0).tolist() == [B, B]


def test_the_same_key_draws_the_same_and_another_key_others() -> None:
    first = draw(ONE_TOKEN, draws=20)
    assert draw(ONE_TOKEN, draws=20) == first
    assert all(draw(ONE_TOKEN, draws=20, key=key) != first for key in [(2, 2, 3), (1, 2, 4), ()])


def test_rows_that_are_done_are_not_asked_for_any_more() -> None:
    scorer = TableScorer([ENDLESS, written({}), CERTAIN])
    sample(
        scorer, scorer.start(), np.array([3, 3, 3]), keys=[[1]] * 3, draws=2,
        temperature=1.0, alpha=0.0,
    )  # fmt: skip
    assert scorer.rows_of_step == [(0, 0, 1, 1, 2, 2), (0, 0, 2, 2), (0, 0, 2, 2), (0, 0)]


def test_no_sentences_give_no_results() -> None:
    scorer = TableScorer([])
    none = np.array([], dtype=np.int64)
    assert sample(scorer, scorer.start(), none, keys=[], draws=2, temperature=1.0, alpha=0.0) == []


def test_nonsense_from_the_scorer_is_an_error() -> None:
    def broken(prefix: Prefix) -> np.ndarray:
        return np.array([-1.0, -2.0, math.nan])

    with pytest.raises(ArithmeticError, match="step 0, row 0, is nan"):
        draw(broken)


@pytest.mark.parametrize(
    "wrong", [{"temperature": 0.0}, {"draws": 0}, {"top_k": -1}, {"alpha": -1.0}, {"max_length": 0}]
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(AssertionError):
        draw(ONE_TOKEN, **wrong)
