"""What holds of digits under the rule on any table of probabilities and any numbers."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mt.search import CopyingDigits, DigitRule, Hypothesis, Numerals, Spellings, search
from mt.text.digits import find_merged, find_numbers, find_runs, spellings, without_separators
from support.scorers import END, Table, TableScorer, random_table

LIMIT = 4
TOKENS = (" end", " a", "▁1", "1", "2", "12")
"""As they are written; the first is the end token."""
NUMERALS = Numerals({token: text for token, text in enumerate(TOKENS) if find_runs(text)})
EVERYTHING = 6 ** (LIMIT + 1)

seeds = st.integers(0, 2**32 - 1)
digits = st.text("12", min_size=1, max_size=3)
numbers = st.lists(
    st.lists(digits, min_size=1, max_size=2, unique=True).map(tuple), min_size=1, max_size=2
)
"""Each in one or two spellings, which another may have too."""


def copying(scorer: TableScorer, sources: list[list[Spellings]]) -> CopyingDigits:
    return CopyingDigits(scorer, [DigitRule(NUMERALS, each) for each in sources])


def find(
    tables: list[Table], sources: list[list[Spellings]], *, beam_size: int, n_best: int = 1
) -> list[list[Hypothesis]]:
    scorer = TableScorer(tables)
    ruled = copying(scorer, sources)
    limits = np.full(len(tables), LIMIT)
    start = ruled.start(scorer.start())
    return search(ruled, start, limits, beam_size=beam_size, alpha=0.0, n_best=n_best)


def runs_of(tokens: tuple[int, ...]) -> list[str]:
    return find_runs("".join(TOKENS[token] for token in tokens))


def are_of(runs: list[str], source: list[Spellings]) -> bool:
    """Whether each run is a number of the source, no two of them the same one."""
    return any(
        all(run in number for run, number in zip(runs, chosen, strict=True))
        for chosen in permutations(source, len(runs))
    )


@given(seeds, numbers)
@settings(max_examples=30)
def test_search_finds_exactly_what_has_the_numbers_of_the_source_whole(
    seed: int, source: list[Spellings]
) -> None:
    table = random_table(seed, len(TOKENS))
    (found,) = find([table], [source], beam_size=EVERYTHING, n_best=EVERYTHING)
    finished = {each.tokens for each in found if each.finished}
    expected = {
        tokens
        for length in range(LIMIT + 1)
        for tokens in product(range(1, len(TOKENS)), repeat=length)
        if are_of(runs_of(tokens), source)
    }
    assert finished == expected


@given(seeds, numbers, st.lists(st.integers(1, len(TOKENS) - 1), max_size=3))
def test_probability_moves_among_digits_alone(
    seed: int, source: list[Spellings], text: list[int]
) -> None:
    table = random_table(seed, len(TOKENS))
    scorer = TableScorer([table])
    ruled = copying(scorer, [source])
    (row,), state = ruled.step(np.array([scorer.begin]), ruled.start(scorer.start()))
    for token in text:
        assume(row[token] > -np.inf)
        (row,), state = ruled.step(np.array([token]), state)
    own = table(tuple(text))
    if np.isneginf(row[END]):  # within a number
        assert np.exp(row).sum() == pytest.approx(1)
        return
    others = [END, 1]
    assert row[others].tolist() == own[others].tolist()
    assert np.exp(row).sum() <= np.exp(own).sum() + 1e-9
    # Two groups begin alike: "▁1", and all digits by themselves.
    for group in ([2], [3, 4, 5]):
        total = np.exp(row[group]).sum()
        assert total == 0 or total == pytest.approx(np.exp(own[group]).sum())


@given(st.lists(st.tuples(seeds, numbers), min_size=1, max_size=4), st.integers(1, 4))
@settings(max_examples=60)
def test_a_sentence_has_the_same_result_alone_and_in_any_batch(
    cases: list[tuple[int, list[Spellings]]], beam_size: int
) -> None:
    tables = [random_table(seed, len(TOKENS)) for seed, _ in cases]
    sources = [source for _, source in cases]
    together = find(tables, sources, beam_size=beam_size)
    alone = [
        find([table], [source], beam_size=beam_size)[0]
        for table, source in zip(tables, sources, strict=True)
    ]
    assert together == alone


# Texts

texts = st.text("0123456789 .,'a\u202f", max_size=30)


languages = st.sampled_from(["de", "en", "fr", "xx"])


@given(texts, languages)
def test_numbers_and_what_is_between_them_are_the_text(text: str, language: str) -> None:
    rest = text
    for number in find_numbers(text, language):
        before, rest = rest.split(number.text, 1)
        assert find_runs(before) == []
        assert number.whole + number.fraction == "".join(find_runs(number.text))
    assert find_runs(rest) == []


@given(texts, languages, languages)
def test_every_spelling_of_a_number_is_that_number_to_who_looks_for_it(
    text: str, source: str, target: str
) -> None:
    for number in find_numbers(text, source):
        digits = [number.whole, *filter(None, [number.fraction])]
        for spelled in spellings(number, target):
            (whole, *fraction) = find_runs(without_separators(spelled, target))
            assert digits in ([whole, *fraction], ["0" + whole, *fraction])


@given(texts, texts)
def test_a_mark_merges_what_stands_apart_and_nothing_else(text: str, more: str) -> None:
    assert find_merged(text, text) == []
    assert find_merged(text, f"{more} {text}") == find_merged(text, more)
