"""Sentences as arrays: taken, joined, measured."""

import numpy as np

from mt.corpus import Sentences
from mt.corpus import sentences as module

ROWS = [[5, 6], [], [7], [8, 9, 10]]


def rows(sentences: Sentences) -> list[list[int]]:
    return [sentences[number].tolist() for number in range(len(sentences))]


def test_sentences_are_taken_in_the_order_asked_for_and_more_than_once():
    taken = Sentences.of(ROWS).take(np.array([3, 0, 1, 3]))
    assert rows(taken) == [[8, 9, 10], [5, 6], [], [8, 9, 10]]
    assert taken.starts.dtype == np.int64
    assert taken.ids.dtype == np.int32


def test_no_sentences_can_be_taken():
    assert rows(Sentences.of(ROWS).take(np.array([], np.int64))) == []


def test_taking_many_goes_block_by_block_to_the_same_end(monkeypatch):
    monkeypatch.setattr(module, "_BLOCK", 2)
    numbers = np.array([3, 0, 1, 3, 2, 2, 0])
    assert rows(Sentences.of(ROWS).take(numbers)) == [ROWS[number] for number in numbers]


def test_parts_are_joined_one_behind_the_other():
    joined = Sentences.joined([Sentences.of(ROWS[:1]), Sentences.of([]), Sentences.of(ROWS[1:])])
    assert rows(joined) == ROWS
    assert joined.starts.tolist() == Sentences.of(ROWS).starts.tolist()
    assert joined.starts.dtype == np.int64
