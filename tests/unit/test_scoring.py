"""BLEU and chrF against values worked by hand and against sacreBLEU's own program."""

from __future__ import annotations

import math

import pytest

from mt.config import Words
from mt.scoring import BOOTSTRAP_SAMPLES, bleu, evaluate, words_of

REFERENCES = [
    "A dog is running across the meadow.",
    "Two dogs are playing in the snow.",
    "The cat is sleeping on the sofa.",
    "The girl is reading a book, isn't she?",
    "The boy is eating a green apple.",
    "We are going to the cinema tonight.",
]
TRANSLATIONS = [
    "A dog is running across the meadow.",
    "two dogs are playing in the snow.",
    "The cat sleeps on the sofa.",
    "She reads a book, doesn't she?",
    "The boy eats a green apple.",
    "We go to the cinema tonight!",
]


def test_a_translation_like_its_reference_scores_100():
    for score in evaluate(REFERENCES, REFERENCES).values():
        assert score.value == pytest.approx(100)
        assert (score.low, score.high) == pytest.approx((100, 100))


def test_bleu_worked_by_hand():
    # 4 of 5 words, 3 of 4 pairs, 2 of 3 triples, 1 of 2 fours; equally long.
    expected = 100 * (4 / 5 * 3 / 4 * 2 / 3 * 1 / 2) ** (1 / 4)
    assert bleu(["a b c d x"], ["a b c d e"]).value == pytest.approx(expected)


def test_a_short_translation_pays_the_brevity_penalty():
    # All n-grams are right, but 5 words stand for 10.
    expected = 100 * math.exp(1 - 10 / 5)
    assert bleu(["a b c d e"], ["a b c d e f g h i j"]).value == pytest.approx(expected)


def test_bleu_is_of_the_corpus_and_no_mean_of_sentences():
    # 9 of 9 and 0 of 1 words; only the long sentence has longer n-grams.
    found = bleu(["a b c d e f g h i", "x"], ["a b c d e f g h i", "y"])
    assert found.value == pytest.approx(100 * (9 / 10) ** (1 / 4))


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "13a"), ("ko", "13a"), ("zh", "zh"), ("zh-hant", "zh"), ("ja", "char"), ("th", "char")],
)
def test_text_without_spaces_is_counted_by_characters(language: str, words: Words):
    assert words_of(language) == words


def test_a_line_without_spaces_is_one_word_to_13a():
    # 4 of 5 characters, 3 of 4 pairs, 2 of 3 triples, 1 of 2 fours.
    expected = 100 * (4 / 5 * 3 / 4 * 2 / 3 * 1 / 2) ** (1 / 4)
    for words in ("zh", "char"):
        assert bleu(["今天很冷吗"], ["今天很冷吧"], words=words).value == pytest.approx(expected)
    assert bleu(["今天很冷吗"], ["今天很冷吗"], words="13a").value == 0


def test_chrf_worked_by_hand():
    # Precision and recall are 1 of 2 letters and 0 of 1 pair: a mean of 1/4 each.
    assert evaluate(["ab"], ["ac"])["chrf"].value == pytest.approx(25)


def test_any_of_several_references_may_give_an_ngram():
    # "a b c d" stands in the first and "b c d e" in the second; either alone misses one word.
    translation, first, second = ["a b c d e"], ["a b c d x"], ["y b c d e"]
    alone = 100 * (4 / 5 * 3 / 4 * 2 / 3 * 1 / 2) ** (1 / 4)
    assert bleu(translation, first).value == pytest.approx(alone)
    assert bleu(translation, second).value == pytest.approx(alone)
    assert bleu(translation, first, second).value == pytest.approx(100)
    assert evaluate(translation, first, second)["chrf"].value < 100  # of each reference by itself
    for score in evaluate(translation, first, second).values():
        assert score.signature.startswith("nrefs:2|")


def test_scores_are_those_of_the_sacrebleu_program():
    # sacrebleu reference -i translations -m bleu chrf -w 6 [-lc] [--chrf-lowercase], version 2.6.0
    scores = evaluate(TRANSLATIONS, REFERENCES, interval=False)
    assert {name: score.value for name, score in scores.items()} == pytest.approx(
        {"bleu": 54.539501, "bleu_lc": 57.294904, "chrf": 70.442888, "chrf_lc": 71.11724},
        abs=1e-6,
    )


def test_intervals_are_as_wide_as_those_of_the_sacrebleu_program():
    # The same with --confidence: 24.118938 and 17.112963 to either side.
    scores = evaluate(TRANSLATIONS, REFERENCES)
    for name, half in (("bleu", 24.118938), ("chrf", 17.112963)):
        assert scores[name].high - scores[name].low == pytest.approx(2 * half, abs=1e-4)


def test_a_model_that_only_speaks_lower_case_does_not_look_fine():
    scores = evaluate([text.lower() for text in REFERENCES], REFERENCES, interval=False)
    for name in ("bleu", "chrf"):
        assert scores[name].value < 99
        assert scores[f"{name}_lc"].value == pytest.approx(100)


def test_case_makes_no_difference_where_there_is_none():
    lower = [text.lower() for text in REFERENCES]
    scores = evaluate(lower[::-1], lower, interval=False)
    assert scores["bleu"].value == scores["bleu_lc"].value
    assert scores["chrf"].value == scores["chrf_lc"].value


def test_signatures_say_how_the_figures_came_about():
    scores = evaluate(TRANSLATIONS, REFERENCES, interval=False)
    for name, score in scores.items():
        parts = score.signature.split("|")
        assert f"case:{'lc' if name.endswith('_lc') else 'mixed'}" in parts
        assert "nrefs:1" in parts
        assert any(part.startswith("version:") for part in parts)
        assert ("tok:13a" in parts) == name.startswith("bleu")
        assert ("nc:6" in parts) == name.startswith("chrf")
        assert not any(part.startswith("bs:") for part in parts)


def test_a_signature_with_an_interval_says_how_often_and_by_which_seed_was_resampled():
    for score in evaluate(TRANSLATIONS, REFERENCES).values():
        assert f"|bs:{BOOTSTRAP_SAMPLES}|seed:12345|" in score.signature


@pytest.mark.parametrize(
    ("translations", "references"),
    [
        (TRANSLATIONS, REFERENCES),
        (TRANSLATIONS[:1], REFERENCES[:1]),
        (["The cat sleeps on the sofa."] * 3, ["The cat is sleeping on the sofa."] * 3),
        (["We go to the cinema tonight!"] * 3, ["We are going to the cinema tonight."] * 3),
        # Some resamples have no right word at all, some no wrong one.
        (["yes", "a b c d"], ["no", "a b c d"]),
        (["", "a b c d e"], ["no", "a b c d x"]),
        (["", ""], ["no", "never"]),
        # Many resamples score 0, so that the interval would reach below it.
        (["x x x x x"] * 9 + ["a b c d e"], ["y y y y y"] * 9 + ["a b c d e"]),
    ],
)
def test_the_interval_contains_the_score(translations, references):
    for score in evaluate(translations, references).values():
        assert 0 <= score.low <= score.value <= score.high <= 100.0001


def test_scores_repeat(monkeypatch):
    first = evaluate(TRANSLATIONS, REFERENCES)
    assert evaluate(TRANSLATIONS, REFERENCES) == first
    monkeypatch.setenv("SACREBLEU_SEED", "7")
    other = evaluate(TRANSLATIONS, REFERENCES)
    assert other["bleu"].value == first["bleu"].value
    assert other["bleu"][1:3] != first["bleu"][1:3]
    assert "seed:7" in other["bleu"].signature


def test_without_an_interval_there_are_no_ends():
    for score in evaluate(TRANSLATIONS, REFERENCES, interval=False).values():
        assert (score.low, score.high) == (None, None)


def test_bleu_alone_is_the_bleu_of_all():
    scores = evaluate(TRANSLATIONS, REFERENCES, interval=False)
    assert bleu(TRANSLATIONS, REFERENCES) == scores["bleu"]


@pytest.mark.parametrize(
    ("translations", "references"),
    [([], [[]]), (["a"], [["a", "b"]]), (["a"], [["a"], ["a", "b"]]), (["a"], [])],
)
def test_translations_pair_up_with_references(translations, references):
    with pytest.raises(AssertionError):
        evaluate(translations, *references)
