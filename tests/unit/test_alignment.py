"""Which words belong together, by a table small enough to read."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np
import pytest

from mt.alignment import WordAligner
from mt.lexicon import PARTNERS, Lexicon
from mt.text.words import find_words
from mt.tokens import END, UNKNOWN

PAIRS = {
    "er": ["he"],
    "hat": ["has"],
    "keine": ["no", "not"],
    "zeit": ["time"],
    "das": ["the", "this"],
    "der": ["the"],
    "buch": ["book"],
    "haus": ["house"],
    "##tür": ["door"],
    "tommy": ["thomas", "tom"],
    "tom": ["tom"],
    "Licht": ["light"],
    "uhr": [*(f"u{n}" for n in range(10)), "watch", "##maker"],
    "weit": [*(f"w{n}" for n in range(PARTNERS - 1)), "far"],
    ".": ["."],
    ",": [","],
}


class Words:
    """Stands for a tokenizer: a word is a piece, or several with "##" between them."""

    def __init__(self, words: Sequence[str]) -> None:
        self.ids = {word: END + 1 + n for n, word in enumerate(dict.fromkeys(words))}

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        words = {"haustür": "haus ##tür", "watchmaker": "watch ##maker"}
        split = [words.get(each, each).split() for each in texts]
        return [[self.ids.get(piece, UNKNOWN) for piece in pieces] for pieces in split]


def aligner() -> WordAligner:
    source = Words(list(PAIRS))
    target = Words([word for words in PAIRS.values() for word in words])
    partners = np.zeros((END + 1 + len(PAIRS), PARTNERS), np.uint16)
    for word, translations in PAIRS.items():
        ids = [target.ids[each] for each in translations]
        partners[source.ids[word], : len(ids)] = ids
    lexicon = Lexicon(np.array([END], np.uint16), partners)
    return WordAligner(lexicon, SimpleNamespace(source=source, target=target))  # type: ignore[arg-type] # enough of a pair


def linked(text: str, translation: str) -> list[str]:
    before, after = ([word[0] for word in find_words(each)] for each in (text, translation))
    return [f"{before[n]}={after[m]}" for n, m in aligner().align(text, translation)]


def test_words_are_linked_whatever_their_order():
    assert linked("keine zeit hat er .", "he has no time .") == [
        "keine=no",
        "zeit=time",
        "hat=has",
        "er=he",
        ".=.",
    ]


def test_the_likelier_partner_goes_first_and_a_word_has_but_one():
    assert linked("keine", "not no") == ["keine=no"]
    assert linked("keine keine", "not") == ["keine=not"]


def test_a_word_of_several_pieces_costs_their_mean():
    assert linked("uhr", "watchmaker") == ["uhr=watchmaker"]


def test_a_word_that_both_texts_have_costs_no_more_than_the_table_says():
    assert linked("tommy tom", "tom") == ["tom=tom"]


def test_an_unlikely_partner_far_away_is_none():
    assert linked("weit", "far") == ["weit=far"]
    assert linked("weit , er er er er er er", "he he he he he he , far")[0] == ",=,"


def test_of_equally_likely_words_the_nearer_is_linked():
    assert aligner().align("das buch , das haus", "the house , the book") == (
        *((0, 0), (1, 4), (2, 2)),
        *((3, 3), (4, 1)),
    )
    assert aligner().align("er das", "the he the") == ((0, 1), (1, 2))


def test_a_word_of_several_pieces_is_linked_by_any_and_to_all():
    assert linked("der haustür", "the door") == ["der=the", "haustür=door"]
    assert linked("der haustür", "the house") == ["der=the", "haustür=house"]


def test_what_nothing_fits_is_not_linked():
    assert linked("er läuft", "he walks") == ["er=he"]
    assert linked("", "he") == linked("er", "") == []


def test_texts_too_long_are_not_linked():
    assert len(aligner().align("er " * 500, "he " * 500)) == 500
    assert aligner().align("er " * 501, "he " * 500) == ()


def test_names_are_linked_by_how_they_are_spelt():
    assert linked("Quax hat zeit", "time has quax") == ["Quax=quax", "hat=has", "zeit=time"]


def test_signs_are_linked_to_signs_alone():
    assert linked(", er", "he , ,") == [",=,", "er=he"]
    assert linked("er !", "he ?") == ["er=he"]


@pytest.mark.parametrize("text", ["Er Hat Zeit", "ER HAT ZEIT"])
def test_words_are_known_in_any_case(text):
    assert [each.lower() for each in linked(text, "he HAS time")] == [
        "er=he",
        "hat=has",
        "zeit=time",
    ]
    assert linked("LICHT", "LIGHT") == ["LICHT=LIGHT"]


def test_words_are_letters_and_digits_and_signs_stand_alone():
    assert [word[0] for word in find_words("Don't, 3,5 l'été… 犬")] == [
        *("Don't", ",", "3", ",", "5", "l'été", "…", "犬"),
    ]
