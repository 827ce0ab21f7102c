"""Which pairs of a text are blank, and which stand there twice."""

import numpy as np
import pytest

from mt.corpus import Survey
from mt.corpus.survey import _repeated

PAIRS = [("a", "b"), ("", "b"), ("a", " \t"), ("b", "a"), (" a", "b "), ("a", "b"), ("ab", "")]


def test_a_pair_with_a_blank_side_is_blank():
    expected = [False, True, True, False, False, False, True]
    assert Survey.of(PAIRS).blank.tolist() == expected


def test_a_pair_is_repeated_if_both_sides_were_there_but_for_white_space():
    expected = [False, False, False, False, True, True, False]
    assert Survey.of(PAIRS).repeated.tolist() == expected


def test_where_one_side_ends_and_the_other_begins_makes_a_difference():
    assert Survey.of([("ab", "c"), ("a", "bc"), ("a b", "c"), ("a", "b c")]).repeated.sum() == 0


def test_half_a_surrogate_pair_is_text_too():
    assert Survey.of([("\ud800", "x"), ("\ud800", "x"), ("\ud801", "x")]).repeated.tolist() == [
        False,
        True,
        False,
    ]


def test_a_pair_with_a_side_that_must_not_train_is_excluded():
    pairs = [("Ein Hund.", "A dog."), ("EIN  hund. ", "x"), ("y", "ein hund."), ("Hund.", "a")]
    assert Survey.of(pairs).excluded.tolist() == [False] * 4
    assert Survey.of(pairs, exclude=["ein Hund.\t"]).excluded.tolist() == [True, True, True, False]
    assert Survey.of([("STRASSE", "x")], exclude=["Straße"]).excluded.tolist() == [True]


def test_blank_lines_among_what_must_not_train_exclude_nothing():
    assert Survey.of(PAIRS, exclude=["", " "]).excluded.tolist() == [False] * len(PAIRS)


def test_no_pairs_are_a_survey_of_nothing():
    survey = Survey.of([])
    assert len(survey) == 0
    assert survey.repeated.tolist() == []


@pytest.mark.parametrize("same", ["first", "second"])
def test_digests_that_are_equal_by_half_are_not_equal(same):
    half, other, third = bytes(8), bytes([1] * 8), bytes([2] * 8)
    digests = [half + other, half + third, half + other, third + half, half + third]
    if same == "second":
        digests = [digest[8:] + digest[:8] for digest in digests]
    found = _repeated(bytearray(b"".join(digests)))
    assert found.tolist() == [False, False, True, False, True]


def test_what_is_repeated_is_what_a_set_would_find():
    numbers = np.random.default_rng(1).integers(0, 300, size=(1000, 2)) // 20
    pairs = [(str(left), str(right)) for left, right in numbers]
    seen: set[tuple[str, str]] = set()
    expected = [pair in seen or bool(seen.add(pair)) for pair in pairs]
    assert Survey.of(pairs).repeated.tolist() == expected


def test_progress_is_told_every_ten_thousand_pairs():
    told: list[int] = []
    Survey.of(((str(number), "x") for number in range(25_000)), told.append)
    assert told == [10_000, 20_000]
