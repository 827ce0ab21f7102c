"""What holds for draws from any table: they are the sentence's own, possible, and come again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mt.search import Hypothesis, length_penalty, sample
from support.scorers import END, Table, TableScorer, coarse_table, random_table


@dataclass(frozen=True)
class Sentence:
    """What decides a sentence's draws."""

    table: Table
    max_length: int
    key: tuple[int, ...]


@dataclass(frozen=True)
class Options:
    """The options of a call."""

    temperature: float
    top_k: int


@st.composite
def sentences(draw: st.DrawFn) -> Sentence:
    vocabulary, seed = 4, draw(st.integers(0, 2**32 - 1))
    table = draw(
        st.sampled_from(
            [
                random_table(seed, vocabulary),
                random_table(seed, vocabulary, bans=True),
                coarse_table(seed, vocabulary),
            ]
        )
    )
    key = draw(st.lists(st.integers(0, 2**31), max_size=4))
    return Sentence(table, draw(st.integers(1, 6)), tuple(key))


options = st.builds(Options, st.sampled_from([0.3, 1.0, 3.0]), st.integers(0, 5))


def find(each: list[Sentence], how: Options, draws: int) -> list[list[Hypothesis]]:
    scorer = TableScorer([sentence.table for sentence in each])
    return sample(
        scorer,
        scorer.start(),
        np.array([sentence.max_length for sentence in each], dtype=np.int64),
        keys=[sentence.key for sentence in each],
        draws=draws,
        temperature=how.temperature,
        alpha=1.0,
        top_k=how.top_k,
    )


@given(st.lists(sentences(), max_size=4), options, st.data())
@settings(max_examples=60)
def test_neighbours_and_order_change_nothing(
    each: list[Sentence], how: Options, data: st.DataObject
) -> None:
    order = data.draw(st.permutations(range(len(each))))
    together = find([each[place] for place in order], how, draws=3)
    assert together == [find([each[place]], how, draws=3)[0] for place in order]


@given(sentences(), options)
@settings(max_examples=40)
def test_more_draws_do_not_change_the_first_ones(sentence: Sentence, how: Options) -> None:
    (few,), (many,) = (find([sentence], how, draws) for draws in (2, 5))
    assert many[: len(few)] == few


@given(sentences(), options)
@settings(max_examples=60)
def test_draws_are_possible_within_the_limit_and_scored_as_search_would(
    sentence: Sentence, how: Options
) -> None:
    (found,) = find([sentence], how, draws=4)
    for each in found:
        assert END not in each.tokens
        assert len(each.tokens) <= sentence.max_length
        assert each.finished or len(each.tokens) == sentence.max_length
        scored = (*each.tokens, END) if each.finished else each.tokens
        gains = [sentence.table(scored[:n])[token] for n, token in enumerate(scored)]
        assert each.log_probability == sum(gains) > -np.inf
        assert each.score == each.log_probability / length_penalty(each.length, 1.0)


@given(sentences())
@settings(max_examples=40)
def test_the_single_most_probable_token_is_greedy_search(sentence: Sentence) -> None:
    for each in find([sentence], Options(1.0, 1), draws=2)[0]:
        scored = (*each.tokens, END) if each.finished else each.tokens
        for n, token in enumerate(scored):
            assert sentence.table(scored[:n])[token] == sentence.table(scored[:n]).max()
