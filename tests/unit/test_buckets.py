"""Lines in buckets by the length of their source, counted by hand."""

from __future__ import annotations

import pytest

from mt.config import EvaluationConfig
from mt.scoring import Bucket, bleu, bleu_by_bucket, length_buckets


def words(count: int) -> str:
    return " ".join(["Wort"] * count)


def test_every_line_is_in_the_bucket_of_its_length():
    counts = [1, 10, 11, 15, 16, 20, 21, 30, 31, 90, 3]
    buckets = length_buckets([words(count) for count in counts], (10, 15, 20, 30))
    assert buckets == [
        Bucket(1, 10, (0, 1, 10)),
        Bucket(11, 15, (2, 3)),
        Bucket(16, 20, (4, 5)),
        Bucket(21, 30, (6, 7)),
        Bucket(31, None, (8, 9)),
    ]
    assert [str(bucket) for bucket in buckets] == ["1-10", "11-15", "16-20", "21-30", "31+"]


def test_blank_lines_have_a_bucket_of_their_own():
    buckets = length_buckets(["", words(1), " \t", words(2)], (1,))
    assert buckets == [Bucket(0, 0, (0, 2)), Bucket(1, 1, (1,)), Bucket(2, None, (3,))]
    assert [str(bucket) for bucket in buckets] == ["0", "1", "2+"]


def test_any_white_space_parts_words():
    assert length_buckets(["ein\tzwei  drei\u00a0vier "], (3,))[1].lines == (0,)


def test_a_bucket_is_scored_by_its_own_lines():
    sources = [words(1), words(5), words(2), words(6)]
    translations = ["a b c d e", "f g h i j", "k l m n o", "p q r s x"]
    first = ["a b c d e", "f g h i j", "k l m n x", "p q r s t"]
    second = ["z", "z", "z", "p q r s x"]
    short, middle, long = length_buckets(sources, (2, 4))
    assert (short.lines, middle.lines, long.lines) == ((0, 2), (), (1, 3))

    scores = bleu_by_bucket([short, middle, long], translations, first)
    assert scores[0] == bleu(["a b c d e", "k l m n o"], ["a b c d e", "k l m n x"])
    assert scores[1] is None
    # 9 of 10 words, 7 of 8 pairs, 5 of 6 triples, 3 of 4 fours, in both buckets alike.
    by_hand = 100 * (9 / 10 * 7 / 8 * 5 / 6 * 3 / 4) ** (1 / 4)
    assert scores[0].value == pytest.approx(by_hand)
    assert scores[2].value == pytest.approx(by_hand)

    both = bleu_by_bucket([short, middle, long], translations, first, second)
    assert both[0].value == pytest.approx(by_hand)
    assert both[2].value == pytest.approx(100)
    assert both[2].signature.startswith("nrefs:2|")


def test_the_usual_edges_are_those_of_the_documentation():
    usual = length_buckets([words(1)], EvaluationConfig().length_edges)
    assert [str(bucket) for bucket in usual] == ["1-10", "11-15", "16-20", "21-30", "31+"]
