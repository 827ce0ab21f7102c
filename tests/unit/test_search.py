"""Search on tables of three tokens: every expected number can be found with a pencil."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from mt.search import Hypothesis, length_penalty, search
from support.scorers import Prefix, Table, TableScorer, TopTableScorer, written

A, B = 1, 2

# Columns: end, A, B. After a prefix that is not listed, end is certain.
MISLEADING = written(
    {
        (): [0.0, 0.6, 0.4],
        (A,): [0.4, 0.3, 0.3],  # A end: 0.6 * 0.4 = 0.24
        (B,): [0.9, 0.1, 0.0],  # B end: 0.4 * 0.9 = 0.36
    }
)
SHORT_OR_LONG = written(
    {
        (): [0.0, 0.5, 0.5],
        (A,): [0.6, 0.4, 0.0],  # A end: 0.5 * 0.6 = 0.3
        (A, A): [0.0, 1.0, 0.0],
        (B,): [0.0, 0.0, 1.0],
        (B, B): [0.0, 0.0, 1.0],
        (B, B, B): [0.52, 0.0, 0.48],  # B B B end: 0.5 * 0.52 = 0.26
    }
)
END_OR_ON = written({(): [0.6, 0.4, 0.0], (A,): [1.0, 0.0, 0.0]})
ENDLESS = written({(A,) * length: [0.1, 0.9, 0.0] for length in range(12)})


def find(
    table: Table, *, beam_size: int, alpha: float = 0.0, max_length: int = 10, n_best: int = 1
) -> list[Hypothesis]:
    scorer = TableScorer([table])
    limits = np.array([max_length])
    (found,) = search(
        scorer, scorer.start(), limits, beam_size=beam_size, alpha=alpha, n_best=n_best
    )
    return found


def tokens(found: list[Hypothesis]) -> list[tuple[int, ...]]:
    return [hypothesis.tokens for hypothesis in found]


def probabilities(found: list[Hypothesis]) -> list[float]:
    return [math.exp(hypothesis.log_probability) for hypothesis in found]


def test_greedy_search_is_misled_by_the_better_first_token() -> None:
    found = find(MISLEADING, beam_size=1)
    assert tokens(found) == [(A,)]
    assert probabilities(found) == pytest.approx([0.24])


def test_a_beam_of_two_keeps_the_worse_first_token_and_wins() -> None:
    found = find(MISLEADING, beam_size=2)
    assert tokens(found) == [(B,)]
    assert probabilities(found) == pytest.approx([0.36])


def test_the_n_best_come_best_first() -> None:
    found = find(MISLEADING, beam_size=2, n_best=2)
    assert tokens(found) == [(B,), (A,)]
    assert probabilities(found) == pytest.approx([0.36, 0.24])


def test_end_finishes_a_hypothesis_only_among_the_best_k() -> None:
    table = written({(): [0.2, 0.5, 0.3]})  # end ranks third; then end is certain
    assert tokens(find(table, beam_size=2, n_best=2)) == [(A,), (B,)]
    assert tokens(find(table, beam_size=3, n_best=3)) == [(A,), (B,), ()]


def test_an_end_token_does_not_take_the_place_of_a_live_hypothesis() -> None:
    # The best two are A and end; A and B live on, and at step 1 B end (0.2) is second.
    table = written({(): [0.3, 0.5, 0.2], (A,): [0.0, 1.0, 0.0]})
    assert tokens(find(table, beam_size=2, n_best=2)) == [(), (B,)]


def test_the_length_penalty_changes_the_winner() -> None:
    by_probability = find(SHORT_OR_LONG, beam_size=2, alpha=0.0, max_length=3)
    assert tokens(by_probability) == [(A,)]
    assert by_probability[0].score == pytest.approx(math.log(0.3))

    # A end: log 0.3 / (7 / 6) = -1.032; B B B end: log 0.26 / (9 / 6) = -0.898
    by_score = find(SHORT_OR_LONG, beam_size=2, alpha=1.0, max_length=3)
    assert tokens(by_score) == [(B, B, B)]
    assert by_score[0].score == pytest.approx(math.log(0.26) / 1.5)


@pytest.mark.parametrize(
    ("length", "alpha", "penalty"),
    [(1, 1.0, 1.0), (7, 1.0, 2.0), (7, 0.5, math.sqrt(2)), (7, 2.0, 4.0), (7, 0.0, 1.0)],
)
def test_the_length_penalty_is_that_of_wu_et_al(length: int, alpha: float, penalty: float) -> None:
    assert length_penalty(length, alpha) == pytest.approx(penalty)


def test_the_length_counts_the_end_token_of_a_finished_hypothesis() -> None:
    assert Hypothesis((A, B), -1.0, -1.0, finished=True).length == 3
    assert Hypothesis((A, B), -1.0, -1.0, finished=False).length == 2


LONGER_ENDS = written(
    {
        (): [0.0, 0.6, 0.4],
        (B,): [0.0, 0.0, 1.0],
        (B, B): [0.0, 0.0, 1.0],
        (B, B, B): [0.0, 0.0, 1.0],
    }
)
"""Of those that end the best has one token, and another goes on."""


@pytest.mark.parametrize(
    ("table", "alpha", "max_length", "n_best", "steps"),
    [
        (END_OR_ON, 0.0, 10, 1, 1),  # A can reach 0.4 at most, and end at once has 0.6
        (END_OR_ON, 0.0, 10, 2, 2),  # but a second hypothesis is wanted
        # End at once has log 0.6 / (6 / 6) = -0.511.
        (END_OR_ON, 1.0, 4, 1, 1),  # four tokens and end can reach log 0.4 / (10 / 6) = -0.550
        (END_OR_ON, 1.0, 5, 1, 2),  # five tokens and end can reach log 0.4 / (11 / 6) = -0.4998
        # A and end have log 0.6 / (7 / 6) = -0.438, four tokens and end at most log 0.4 / (10 / 6).
        (LONGER_ENDS, 1.0, 4, 1, 2),
        (written({(): [0.5, 0.5, 0.0]}), 0.0, 10, 1, 1),  # an equal score would come too late
    ],
)
def test_a_sentence_stops_when_nothing_can_be_beaten_any_more(
    table: Table, alpha: float, max_length: int, n_best: int, steps: int
) -> None:
    scorer = TableScorer([table])
    limits = np.array([max_length])
    search(scorer, scorer.start(), limits, beam_size=2, alpha=alpha, n_best=n_best)
    assert len(scorer.rows_of_step) == steps


def test_a_sentence_stops_when_k_hypotheses_are_finished() -> None:
    # Step 0 finishes end (0.3) and keeps A (0.6), B (0.1); step 1 ranks A A (0.57), B end (0.1).
    # A A could beat both in step 2, but two are enough.
    table = written({(): [0.3, 0.6, 0.1], (A,): [0.05, 0.95, 0.0]})
    found = find(table, beam_size=2, n_best=2)
    assert tokens(found) == [(), (B,)]
    assert probabilities(found) == pytest.approx([0.3, 0.1])


def test_a_hypothesis_of_max_length_tokens_may_still_write_end() -> None:
    table = written({(): [0.1, 0.9, 0.0], (A,): [0.1, 0.9, 0.0], (A, A): [0.8, 0.2, 0.0]})
    (hypothesis,) = find(table, beam_size=1, max_length=2, alpha=1.0)
    assert hypothesis.tokens == (A, A)
    assert hypothesis.finished
    # 0.9 * 0.9 * 0.8, three scored tokens
    assert hypothesis.score == pytest.approx(math.log(0.648) / (8 / 6))


def test_a_hypothesis_cut_at_max_length_is_marked_unfinished() -> None:
    (hypothesis,) = find(ENDLESS, beam_size=1, max_length=2, alpha=1.0)
    assert hypothesis.tokens == (A, A)
    assert not hypothesis.finished
    # 0.9 * 0.9, two scored tokens; the step after them is not counted
    assert hypothesis.log_probability == pytest.approx(math.log(0.81))
    assert hypothesis.score == pytest.approx(math.log(0.81) / (7 / 6))


def test_a_finished_hypothesis_ranks_above_a_cut_one_of_better_score() -> None:
    table = written({(): [0.2, 0.8, 0.0], (A,): [0.0, 1.0, 0.0], (A, A): [0.0, 1.0, 0.0]})
    whole, cut = find(table, beam_size=2, max_length=2, n_best=2)
    assert (whole.tokens, whole.finished) == ((), True)
    assert (cut.tokens, cut.finished) == ((A, A), False)
    assert cut.score > whole.score


def test_a_hypothesis_finished_at_the_limit_is_not_also_returned_as_cut() -> None:
    # Both A end (0.36) and B end (0.24) rank among the best four.
    table = written({(): [0.0, 0.6, 0.4], (A,): [0.6, 0.4, 0.0], (B,): [0.6, 0.4, 0.0]})
    found = find(table, beam_size=4, max_length=1, n_best=4)
    assert [(each.tokens, each.finished) for each in found] == [((A,), True), ((B,), True)]


def test_a_banned_token_is_never_written() -> None:
    found = find(written({(): [0.0, 0.0, 1.0]}), beam_size=4, n_best=4)
    assert tokens(found) == [(B,)]


def test_a_hypothesis_that_nothing_may_follow_is_dropped() -> None:
    table = written({(): [0.0, 0.9, 0.1], (A,): [0.0, 0.0, 0.0]})
    assert tokens(find(table, beam_size=2, n_best=2)) == [(B,)]
    assert find(table, beam_size=1) == []


def test_a_dead_row_never_comes_back_to_life() -> None:
    # Only A may start, so the second row of the beam is dead from the start.
    table = written({(): [0.0, 1.0, 0.0], (A,): [0.0, 0.5, 0.5]})
    assert tokens(find(table, beam_size=2, n_best=2)) == [(A, A), (A, B)]


def test_a_beam_wider_than_all_there_is_returns_all_there_is() -> None:
    table = written({(): [0.5, 0.3, 0.2]})
    assert tokens(find(table, beam_size=64, n_best=64)) == [(), (A,), (B,)]


def test_of_equal_tokens_the_lower_id_is_taken() -> None:
    assert tokens(find(written({(): [0.0, 0.5, 0.5]}), beam_size=1)) == [(A,)]


def test_of_equal_hypotheses_the_one_found_first_is_better() -> None:
    table = written({(): [0.5, 0.5, 0.0]})  # end at once, or A and then a certain end
    assert tokens(find(table, beam_size=2)) == [()]
    assert tokens(find(table, beam_size=2, n_best=2)) == [(), (A,)]


@pytest.mark.parametrize("kind", [TableScorer, TopTableScorer])
def test_done_sentences_leave_the_batch(kind: type[TableScorer]) -> None:
    at_once = written({(): [1.0, 0.0, 0.0]})
    two_tokens = written({p: [0.0, 0.6, 0.4] for p in [(), (A,), (B,)]})
    scorer = kind([two_tokens, at_once, two_tokens])
    search(scorer, scorer.start(), np.array([5, 5, 5]), beam_size=2, alpha=0.0)
    # One row a sentence, then two neighbouring rows for each sentence not yet done.
    assert scorer.rows_of_step == [(0, 1, 2), (0, 0, 2, 2), (0, 0, 2, 2)]


def test_each_sentence_has_its_own_length_limit() -> None:
    scorer = TableScorer([ENDLESS] * 3)
    found = search(scorer, scorer.start(), np.array([3, 1, 2]), beam_size=1, alpha=0.0)
    assert [best.tokens for (best,) in found] == [(A, A, A), (A,), (A, A)]


def test_a_top_scorer_is_asked_for_one_token_more_than_the_beam() -> None:
    scorer = TopTableScorer([MISLEADING])
    search(scorer, scorer.start(), np.array([5]), beam_size=2, alpha=0.0)
    assert scorer.asked_for == [3, 3]


def test_log_probabilities_are_summed_in_double_precision() -> None:
    single = np.array([-9.0, -0.1, -9.0], dtype=np.float32)
    final = np.array([-0.1, -9.0, -9.0], dtype=np.float32)
    (hypothesis,) = find(lambda prefix: final if len(prefix) == 9 else single, beam_size=1)
    assert hypothesis.length == 10
    assert hypothesis.log_probability == sum([float(np.float32(-0.1))] * 10)


@pytest.mark.parametrize("kind", [TableScorer, TopTableScorer])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_nonsense_from_the_scorer_is_an_error(kind: type[TableScorer], value: float) -> None:
    def sound(_: Prefix) -> NDArray[np.float64]:
        return np.array([-9.0, -1.0, -2.0, -3.0, -4.0])

    def broken(prefix: Prefix) -> NDArray[np.float64]:
        return np.array([-9.0, -1.0, -2.0, -3.0, value if prefix == (B,) else -4.0])

    scorer = kind([sound, broken])
    # At step 1 each sentence has the rows A and B: the B of the second sentence is row 3.
    with pytest.raises(ArithmeticError, match=f"step 1, row 3, is {value}"):
        search(scorer, scorer.start(), np.array([5, 5]), beam_size=2, alpha=0.0)


def test_no_sentences_give_no_results() -> None:
    scorer = TableScorer([])
    none = np.array([], dtype=np.int64)
    assert search(scorer, scorer.start(), none, beam_size=2, alpha=1.0) == []
    assert scorer.rows_of_step == []


def test_more_results_than_the_beam_holds_are_refused() -> None:
    with pytest.raises(AssertionError):
        find(MISLEADING, beam_size=2, n_best=3)


def test_a_length_limit_of_zero_is_refused() -> None:
    with pytest.raises(AssertionError):
        find(MISLEADING, beam_size=2, max_length=0)


def test_a_penalty_that_rewards_short_hypotheses_is_refused() -> None:
    with pytest.raises(AssertionError):
        find(MISLEADING, beam_size=2, alpha=-0.1)
