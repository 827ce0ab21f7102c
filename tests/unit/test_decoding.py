"""From options to searches and draws, on an engine of tables: which option does what, and to whom.

A source of the engine is a list of numbers; its table depends on nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from mt.config import SearchConfig
from mt.decoding import SearchTask, decode, max_length
from mt.errors import ConfigError
from mt.search import DigitRule, Hypothesis, Numerals
from support.scorers import Prefix, Table, TableScorer, TableState, TopTableScorer, random_table

A, B, C = 1, 2, 3


class TableEngine(TopTableScorer):
    """Looks up the table of each source."""

    name = "table"

    def __init__(self, table_of: Callable[[Sequence[int]], Table]) -> None:
        super().__init__([])
        self._table_of = table_of
        self.shortlists: dict[tuple[int, ...], int] = {}  # the last one asked for of each source

    def start(self, sources: Sequence[Sequence[int]] = (), *, shortlist: int = 0) -> TableState:
        self.shortlists |= {tuple(source): shortlist for source in sources}
        self.tables = [self._table_of(source) for source in sources]
        return TableScorer.start(self)


def always(*probabilities: float) -> Table:
    with np.errstate(divide="ignore"):
        row = np.log(probabilities)
    return lambda prefix: row


def run(
    table: Table,
    source_length: int = 4,
    prefix: Prefix = (),
    n_best: int = 1,
    **options: Any,
) -> list[Hypothesis]:
    (found,) = decode(
        TableEngine(lambda source: table),
        [SearchTask([5] * source_length, prefix)],
        SearchConfig(**options),
        n_best=n_best,
    )
    return found


def tasks(*sources: list[int]) -> list[SearchTask]:
    return [*map(SearchTask, sources)]


def lengths(table: Table, **options: Any) -> list[int]:
    return [len(best.tokens) for best in run(table, **options)]


def anything(source: Sequence[int]) -> Table:
    return random_table(sum(source) * 100 + len(source), 6)


SHORT = always(0.9, 0.1, 0.0, 0.0)
LONG = always(0.1, 0.9, 0.0, 0.0)


# Lengths


def test_the_longest_translation_grows_with_the_source() -> None:
    config = SearchConfig(max_length_ratio=1.5, max_length_extra=3)
    assert [max_length(config, n) for n in (1, 2, 3)] == [4, 6, 7]
    options = {"beam_size": 1, "max_length_ratio": 1.5, "max_length_extra": 3}
    assert lengths(LONG, source_length=3, **options) == [7]


@pytest.mark.parametrize(
    ("options", "length"),
    [
        ({}, 0),
        ({"min_length": 3}, 3),
        ({"min_length_ratio": 0.5}, 2),
        ({"min_length_ratio": 0.7}, 2),  # 2.8, rounded down
        ({"min_length_ratio": 0.5, "min_length": 1}, 2),  # the larger of the two
        ({"min_length_ratio": 0.5, "min_length": 3}, 3),
        ({"min_length": 50, "max_length_ratio": 1.0, "max_length_extra": 1}, 5),  # the limit wins
    ],
)
def test_the_shortest_translation_is_bounded(options: dict[str, Any], length: int) -> None:
    (best,) = run(SHORT, beam_size=1, **options)
    assert (len(best.tokens), best.finished) == (length, True)


def test_each_source_has_bounds_of_its_own() -> None:
    config = SearchConfig(beam_size=2, min_length_ratio=1.0)
    engine = TableEngine(lambda source: SHORT)
    found = decode(engine, tasks([5], [5, 5, 5], [5, 5]), config)
    assert [len(best.tokens) for (best,) in found] == [1, 3, 2]


# Repetition


def test_a_sequence_of_pieces_stands_once() -> None:
    options = {"beam_size": 1, "max_length_extra": 1, "max_length_ratio": 1.0}
    stutter = always(0.05, 0.6, 0.2, 0.15)
    assert run(stutter, **options)[0].tokens == (A, A, A, A, A)
    assert run(stutter, **options, no_repeat_ngram_size=2)[0].tokens == (A, A, B, A, C)


def test_without_rules_the_engine_picks_the_best_itself() -> None:
    plain, ruled = TableEngine(anything), TableEngine(anything)
    decode(plain, tasks([5, 6]), SearchConfig())
    decode(ruled, tasks([5, 6]), SearchConfig(no_repeat_ngram_size=2))
    assert plain.asked_for
    assert not ruled.asked_for


# Prefixes


def test_a_translation_begins_with_its_prefix() -> None:
    (best,) = run(always(0.5, 0.3, 0.2, 0.0), prefix=(B, A))
    assert best.tokens == (B, A)
    assert np.exp(best.log_probability) == pytest.approx(0.2 * 0.3 * 0.5)


def test_a_prefix_goes_to_its_own_source() -> None:
    prefixes: list[Prefix] = [(), (C,), (), (B, B)]
    sources = [[5], [5, 5, 5], [5, 5], [5, 5, 5, 5, 5]]  # sorted by length for batches
    found = decode(
        TableEngine(lambda source: always(0.7, 0.1, 0.1, 0.1)),
        [*map(SearchTask, sources, prefixes)],
        SearchConfig(batch_tokens=8),
    )
    assert [best.tokens for (best,) in found] == prefixes


def test_a_prefix_longer_than_the_limit_raises_it() -> None:
    options = {"max_length_ratio": 1.0, "max_length_extra": 1}
    (best,) = run(SHORT, source_length=1, prefix=(A,) * 9, **options)
    assert (best.tokens, best.finished) == ((A,) * 9, True)


def test_a_prefix_lifts_the_shortlist_of_its_own_source_alone() -> None:
    engine = TableEngine(lambda source: LONG)
    sources, prefixes = [[5], [6, 6], [7], [8]], [(), (A,), (), (B,)]
    decode(engine, [*map(SearchTask, sources, prefixes)], SearchConfig(shortlist=10))
    assert engine.shortlists == {(5,): 10, (6, 6): 0, (7,): 10, (8,): 0}


# Digits


def test_a_digit_rule_holds_for_its_own_source_alone_and_leaves_the_others_the_fast_way() -> None:
    rule = DigitRule(Numerals({A: "1", B: "2"}), [("2",)])
    engine = TableEngine(lambda source: always(0.2, 0.5, 0.1, 0.2))
    config = SearchConfig(beam_size=1, max_length_ratio=0.5, max_length_extra=1)
    (free,), (ruled,) = decode(engine, [SearchTask([5]), SearchTask([5], (), rule)], config)
    assert (free.tokens, ruled.tokens) == ((A,), (B,))
    assert len(engine.asked_for) == 2  # of four steps
    assert len(engine.rows_of_step) == 4


# Draws


def test_a_temperature_draws_instead_of_searching() -> None:
    table = always(0.2, 0.4, 0.4, 0.0)
    drawn = run(table, n_best=30, temperature=1.0, beam_size=1)
    assert len(drawn) == 30  # a beam of one does not bound draws
    assert len({hypothesis.tokens for hypothesis in drawn}) > 5


def test_draws_obey_the_rules() -> None:
    rules = {"min_length": 2, "no_repeat_ngram_size": 1}
    for each in run(always(0.4, 0.3, 0.2, 0.1), n_best=30, temperature=2.0, prefix=(C,), **rules):
        assert each.tokens[0] == C
        assert len(each.tokens) >= 2
        assert len(set(each.tokens)) == len(each.tokens)


def test_draws_are_decided_by_seed_and_source() -> None:
    config = SearchConfig(temperature=1.0)
    engine = TableEngine(lambda source: always(0.1, 0.3, 0.3, 0.3))
    first, other, again = decode(engine, tasks([5, 6], [6, 5], [5, 6]), config, n_best=4)
    assert first == again != other
    reseeded = SearchConfig(temperature=1.0, seed=2)
    assert decode(engine, tasks([5, 6]), reseeded, n_best=4) != [first]


def test_top_k_bounds_what_is_drawn() -> None:
    found = run(always(0.4, 0.3, 0.2, 0.1), n_best=50, temperature=3.0, top_k=2)
    assert {token for each in found for token in each.tokens} == {A}


# Batches


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_neighbours_and_batches_change_nothing(temperature: float) -> None:
    sources = [[7], [5, 6, 7, 8], [9, 4], [5], [6, 6, 6], [5, 6, 7, 8], [8, 9]]
    options = {"temperature": temperature, "max_length_extra": 2, "no_repeat_ngram_size": 2}
    engine = TableEngine(anything)
    numerals = Numerals({A: "1", B: "2"})
    rule = DigitRule(numerals, [("1",), ("21",)])
    asked = [
        SearchTask(source, (), rule if number % 2 else None)
        for number, source in enumerate(sources)
    ]
    together = decode(engine, asked, SearchConfig(**options), n_best=3)
    apart = decode(engine, asked, SearchConfig(**options, batch_tokens=6), n_best=3)
    alone = [decode(engine, [task], SearchConfig(**options), n_best=3)[0] for task in asked]
    assert together == apart == alone


def test_more_than_a_beam_can_hold_is_refused() -> None:
    with pytest.raises(ConfigError, match="4 of them alternatives, are more than a beam of 4"):
        run(SHORT, n_best=5, beam_size=4)
    assert run(SHORT, n_best=4, beam_size=4)
