"""What holds for search on any table: equal to brute force, to greedy search, to itself alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mt.search import Hypothesis, length_penalty, search
from support.scorers import (
    END,
    Prefix,
    Table,
    TableScorer,
    TopTableScorer,
    coarse_table,
    random_table,
)

ALPHAS = [0.0, 0.6, 1.0, 2.5]
seeds = st.integers(0, 2**32 - 1)


@dataclass(frozen=True)
class Case:
    """A batch of sentences, each with its table and length limit, and the options of a search."""

    tables: tuple[Table, ...]
    max_lengths: tuple[int, ...]
    beam_size: int
    alpha: float
    n_best: int

    def search(
        self, order: list[int], kind: type[TableScorer] = TableScorer
    ) -> list[list[Hypothesis]]:
        """Search for the sentences at these places, as one batch."""
        scorer = kind([self.tables[place] for place in order])
        return search(
            scorer,
            scorer.start(),
            np.array([self.max_lengths[place] for place in order], dtype=np.int64),
            beam_size=self.beam_size,
            alpha=self.alpha,
            n_best=self.n_best,
        )

    @property
    def places(self) -> list[int]:
        return list(range(len(self.tables)))


@st.composite
def tables(draw: st.DrawFn, vocabulary: int) -> Table:
    """Any of the kinds of table: all different, with banned tokens, full of equal sums."""
    makers: list[Callable[[int], Table]] = [
        lambda seed: random_table(seed, vocabulary),
        lambda seed: random_table(seed, vocabulary, bans=True),
        lambda seed: coarse_table(seed, vocabulary),
    ]
    return draw(st.sampled_from(makers))(draw(seeds))


@st.composite
def cases(draw: st.DrawFn, widest: int = 6) -> Case:
    vocabulary = draw(st.integers(2, 7))
    sentences = draw(st.lists(st.tuples(tables(vocabulary), st.integers(1, 6)), max_size=5))
    beam_size = draw(st.integers(1, widest))
    return Case(
        tables=tuple(table for table, _ in sentences),
        max_lengths=tuple(max_length for _, max_length in sentences),
        beam_size=beam_size,
        alpha=draw(st.sampled_from(ALPHAS)),
        n_best=draw(st.integers(1, beam_size)),
    )


@given(cases())
def test_a_sentence_has_the_same_result_alone_and_in_any_batch(case: Case) -> None:
    assert case.search(case.places) == [case.search([place])[0] for place in case.places]


@given(cases(), st.data())
def test_sentences_in_another_order_have_their_results_in_that_order(
    case: Case, data: st.DataObject
) -> None:
    order = data.draw(st.permutations(case.places))
    found = case.search(case.places)
    assert case.search(order) == [found[place] for place in order]


@given(cases())
def test_a_scorer_that_picks_the_top_itself_gives_the_same_results(case: Case) -> None:
    assert case.search(case.places, TopTableScorer) == case.search(case.places)


@given(cases(widest=1))
def test_a_beam_of_one_is_greedy_search(case: Case) -> None:
    for table, max_length, found in zip(
        case.tables, case.max_lengths, case.search(case.places), strict=True
    ):
        written: Prefix = ()
        while (token := int(table(written).argmax())) != END and len(written) < max_length:
            if table(written)[token] == -np.inf:
                break  # nothing may follow
            written += (token,)
        dropped = len(written) < max_length and table(written).max() == -np.inf
        finished = token == END and table(written)[END] > -np.inf
        expected = [] if dropped else [(written, finished)]
        assert [(each.tokens, each.finished) for each in found] == expected


@given(cases())
def test_a_log_probability_is_the_sum_over_its_tokens(case: Case) -> None:
    for table, found in zip(case.tables, case.search(case.places), strict=True):
        for each in found:
            assert each.log_probability == rescored(table, each.tokens, each.finished)
            assert each.score == each.log_probability / length_penalty(each.length, case.alpha)


@given(cases())
def test_results_are_possible_different_within_the_limit_and_best_first(case: Case) -> None:
    for max_length, found in zip(case.max_lengths, case.search(case.places), strict=True):
        assert len(found) <= case.n_best
        assert len({each.tokens for each in found}) == len(found)
        assert found == sorted(found, key=lambda each: (not each.finished, -each.score))
        for each in found:
            assert each.log_probability > -np.inf
            assert END not in each.tokens
            assert len(each.tokens) <= max_length
            assert each.finished or len(each.tokens) == max_length


@pytest.mark.parametrize("alpha", ALPHAS)
@given(
    seed=seeds,
    bans=st.booleans(),
    vocabulary=st.integers(2, 4),
    max_length=st.integers(1, 4),
    n_best=st.sampled_from([1, 2, 5, 1024]),
)
def test_a_beam_as_wide_as_all_prefixes_equals_exhaustive_search(
    alpha: float, seed: int, bans: bool, vocabulary: int, max_length: int, n_best: int
) -> None:
    table = random_table(seed, vocabulary, bans=bans)
    expected = exhaustive(table, vocabulary, max_length, alpha)
    everything = vocabulary ** (max_length + 1)
    case = Case((table,), (max_length,), everything, alpha, min(n_best, everything))
    assert case.search([0]) == [expected[: case.n_best]]


@pytest.mark.parametrize("alpha", ALPHAS)
@given(seed=seeds, max_length=st.integers(1, 4), n_best=st.integers(1, 12))
def test_equal_sums_do_not_hide_a_better_score(
    alpha: float, seed: int, max_length: int, n_best: int
) -> None:
    table = coarse_table(seed, vocabulary=3)
    expected = exhaustive(table, 3, max_length, alpha)
    everything = 3 ** (max_length + 1)
    case = Case((table,), (max_length,), everything, alpha, min(n_best, everything))
    (found,) = case.search([0])
    assert [(each.finished, each.score) for each in found] == [
        (each.finished, each.score) for each in expected[: case.n_best]
    ]


def exhaustive(table: Table, vocabulary: int, max_length: int, alpha: float) -> list[Hypothesis]:
    """Every possible hypothesis, best first: all that may end, and the longest that may not."""
    found = []
    for length in range(max_length + 1):
        for tokens in product(range(1, vocabulary), repeat=length):
            may_end = rescored(table, tokens, finished=True) > -np.inf
            total = rescored(table, tokens, finished=may_end)
            if total > -np.inf and (may_end or length == max_length):
                penalty = length_penalty(length + may_end, alpha)
                found.append(Hypothesis(tokens, total, total / penalty, may_end))
    return sorted(found, key=lambda each: (not each.finished, -each.score))


def rescored(table: Table, tokens: Prefix, finished: bool) -> float:
    """The log-probability of these tokens, and of end after them if they are finished."""
    scored = (*tokens, END) if finished else tokens
    return float(sum(table(scored[:place])[token] for place, token in enumerate(scored)))
