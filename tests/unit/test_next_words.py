"""The likeliest next words, against every word there is."""

import itertools
import math
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mt.search import next_words, words
from support.scorers import BEGIN, END, TableScorer

A, B, SUFFIX, DOT = 1, 2, 3, 4
BEGINS = np.array([False, True, True, False, False])
SPELLED = {END: "", A: "▁a", B: "▁b", SUFFIX: "s", DOT: "."}
LONGEST = 3
"""Tokens of a word in the tables here: then a word has to begin, or the text to end."""


def spell(tokens):
    return "".join(SPELLED[token] for token in tokens)


def table(seed):
    """Log-probabilities that depend on all that is written; no word has more than LONGEST."""

    def row(written):
        odds = np.random.default_rng([seed, *written]).exponential(size=len(SPELLED)) ** 3
        if len(written) == LONGEST:
            odds[[SUFFIX, DOT]] = 0
        with np.errstate(divide="ignore"):
            return np.log(odds / odds.sum())

    return row


def brute_force(row, *, new=False):
    """Every word and its probability."""
    found = defaultdict(float)
    if not new:
        found[""] = math.exp(row(())[END])
    given_word = np.exp(row(()))[BEGINS].sum() if new else 1.0
    for length in range(1, LONGEST + 1):
        for first in (A, B) if new else (A, B, SUFFIX, DOT):
            for rest in itertools.product((SUFFIX, DOT), repeat=length - 1):
                word = (first, *rest)
                total = sum(row(word[:place])[token] for place, token in enumerate(word))
                boundary = np.exp(row(word))[[END, A, B]].sum()
                found[spell(word)] += math.exp(total) * boundary / given_word
    return found


def likeliest(row, count, *, new=False):
    scorer = TableScorer([row])
    return next_words(scorer, scorer.start(), BEGIN, BEGINS, spell, count, new=new)


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.integers(1, 40), st.booleans())
def test_they_are_the_likeliest_of_all_words_with_their_probabilities(seed, count, new):
    row = table(seed)
    expected = brute_force(row, new=new)
    assert sum(expected.values()) == pytest.approx(1)
    ranked = sorted(expected.items(), key=lambda each: -each[1])
    found = likeliest(row, count, new=new)
    possible = [each for each in ranked if each[1] > 0]
    assert [word for word, _ in found] == [word for word, _ in possible[:count]]
    assert [p for _, p in found] == pytest.approx([p for _, p in possible[:count]])
    assert sum(p for _, p in found) <= 1 + 1e-9


def test_words_are_gone_on_with_in_several_lots(monkeypatch):
    expected = dict(likeliest(table(1), 8))
    monkeypatch.setattr(words, "ROWS", 1)
    assert dict(likeliest(table(1), 8)) == pytest.approx(expected)


def test_two_ways_to_spell_a_word_are_one_word():
    halves = np.log([0.2, 0.4, 0.4, 0.0 + 1e-300, 1e-300])
    ends = np.log([1 - 4e-300, 1e-300, 1e-300, 1e-300, 1e-300])
    scorer = TableScorer([lambda written: ends if written else halves])
    found = next_words(scorer, scorer.start(), BEGIN, BEGINS, lambda word: "x" * len(word), 2)
    assert [word for word, _ in found] == ["x", ""]
    assert [p for _, p in found] == pytest.approx([0.8, 0.2])


def test_a_model_that_never_ends_a_word_finds_none(monkeypatch):
    monkeypatch.setattr(words, "LONGEST", 4)
    on = np.array([-np.inf, -np.inf, -np.inf, 0.0, -np.inf])
    assert likeliest(lambda written: on, 3) == []
