"""Words left out and moved, whole and within bounds."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from mt.corpus import Sentences
from mt.corpus.noise import noisy
from support.bundles import SOURCES, tiny_tokenizers

BEGINS = np.array([False] * 4 + [True] * 50 + [False] * 50)
"""Pieces 4 to 53 begin a word, those from 54 on go on with one."""
WORDS = [[4, 54], [5], [6, 55, 56], [7], [8], [9, 57]]


def disturbed(rows: list[list[int]], *, seed: int = 1, drop: float = 0.0, shuffle: int = 0):
    found = noisy(
        Sentences.of(rows), BEGINS, drop=drop, shuffle=shuffle, random=np.random.default_rng(seed)
    )
    return [found[number].tolist() for number in range(len(found))]


def joined(words: list[list[int]]) -> list[int]:
    return [piece for word in words for piece in word]


def words_of(row: list[int]) -> list[tuple[int, ...]]:
    starts = [n for n, piece in enumerate(row) if n == 0 or BEGINS[piece]]
    return [tuple(row[a:b]) for a, b in zip(starts, [*starts[1:], len(row)], strict=True)]


def test_without_noise_nothing_changes():
    rows = [joined(WORDS), [54, 4], [60]]
    assert disturbed(rows) == rows


def test_words_are_moved_whole_and_none_is_lost():
    (found,) = disturbed([joined(WORDS)], shuffle=5)
    assert found != joined(WORDS)
    assert Counter(words_of(found)) == Counter(map(tuple, WORDS))


@pytest.mark.parametrize("shuffle", [1, 3])
def test_no_word_moves_farther_than_allowed(shuffle):
    rows = [list(range(4, 54))] * 200
    moves = [
        abs(place - (piece - 4))
        for row in disturbed(rows, shuffle=shuffle)
        for place, piece in enumerate(row)
    ]
    assert max(moves) == shuffle


def test_the_share_left_out_is_the_one_asked_for():
    rows = [list(range(4, 54))] * 200
    found = disturbed(rows, drop=0.1)
    assert sum(map(len, found)) == pytest.approx(0.9 * 10_000, rel=0.02)
    assert all(row == sorted(row) for row in found)
    assert len({tuple(row) for row in found}) > 190  # each sentence draws for itself


def test_a_sentence_keeps_at_least_one_word():
    rows = [[4], [5, 6], [7, 54, 55]] * 30
    found = disturbed(rows, drop=0.999)
    assert min(map(len, found)) == 1
    assert found[2] == [7, 54, 55]
    assert {tuple(row) for row in found[1::3]} >= {(5,), (6,)}


def test_words_stay_in_their_sentence():
    rows = [[4 + number] * 3 for number in range(20)]
    assert disturbed(rows, shuffle=100) == rows


def test_a_part_of_a_text_is_disturbed_as_if_it_were_alone():
    whole = Sentences.of([[4, 5], joined(WORDS), [7, 8]])
    part = Sentences(whole.ids, whole.starts[1:3])
    found = noisy(part, BEGINS, drop=0.2, shuffle=3, random=np.random.default_rng(5))
    assert [found[0].tolist()] == disturbed([joined(WORDS)], seed=5, drop=0.2, shuffle=3)


def test_a_word_begins_where_text_has_a_space():
    tokenizer = tiny_tokenizers().source
    begins = tokenizer.begins_word
    for text, ids in zip(SOURCES, tokenizer.encode(SOURCES), strict=True):
        assert begins[ids].sum() == len(text.split())
