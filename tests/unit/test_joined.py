"""Lines joined to longer ones, and BLEU of them by BLEU of their parts."""

from __future__ import annotations

from collections import Counter

import pytest

from mt.scoring import bleu, bleu_ratio, choose_parts, join
from mt.scoring.joined import LONGEST, SHORTEST


def test_joined_lines_have_the_length_that_is_stated():
    sources = [" ".join(["Wort"] * (1 + line % 17)) for line in range(200)]
    parts = choose_parts(sources, 300)
    assert len(parts) == 300
    assert all(len(set(each)) == len(each) > 1 for each in parts)
    assert all(SHORTEST <= len(line.split()) <= LONGEST for line in join(sources, parts))


def test_a_text_has_one_choice_and_its_lines_the_same_chance():
    sources = [" ".join(["Wort"] * 13)] * 40
    parts = choose_parts(sources, 200)
    assert parts == choose_parts(sources, 200)
    assert Counter(line for each in parts for line in each) == dict.fromkeys(range(40), 10)


@pytest.mark.parametrize("words", [1, 30, 50])
def test_lines_that_cannot_be_joined_are_not(words: int):
    assert choose_parts([" ".join(["Wort"] * words)] * 2, 10) == []


def test_joined_lines_lose_what_was_not_translated():
    reference = ["a b c d e f", "g h i j k l", "m n o p q r", "s t u v w x"]
    single = ["a b c d e x", *reference[1:]]
    parts = [(0, 1), (2, 3)]
    joined = ["a b c d e f", "m n o p q r s t u v w x"]

    ratio = bleu_ratio(joined, single, reference, parts)

    assert ratio.joined == pytest.approx(bleu(joined, join(reference, parts)).value)
    assert ratio.single == pytest.approx(bleu(single, reference).value)
    assert ratio.value == pytest.approx(ratio.joined / ratio.single)
    assert ratio.low < ratio.value < ratio.high


def test_the_interval_leaves_out_a_fortieth_at_either_end():
    reference = ["a b c d", "e f g h", "i j k l", "m n o p", "q r s t", "u v w x"]
    joined = ["z z z z z z z z", "i j k l z z z z", "q r s t u v w x"]
    ratio = bleu_ratio(joined, reference, reference, [(0, 1), (2, 3), (4, 5)])
    # Of 27 draws of three lines one is the worst alone, and one the best alone: 1/40 < 1/27 < 1/20.
    assert (ratio.low, ratio.high) == pytest.approx((0, 1))


def test_what_is_as_good_joined_as_alone_has_the_ratio_one():
    reference = ["a b c d e f", "g h i j k l", "m n o p q r"]
    parts = [(0, 1), (1, 2)]
    ratio = bleu_ratio(join(reference, parts), reference, reference, parts)
    assert (ratio.joined, ratio.single) == pytest.approx((100, 100))
    assert (ratio.low, ratio.value, ratio.high) == pytest.approx((1, 1, 1))


def test_a_model_that_has_no_word_right_has_the_ratio_nought():
    nothing = ["z"] * 2
    assert bleu_ratio(["z"], nothing, ["a b c", "d e f"], [(0, 1)]).value == 0
