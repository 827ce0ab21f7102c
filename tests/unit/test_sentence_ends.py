"""Full stops that end a sentence, and those that do not."""

from __future__ import annotations

from itertools import pairwise

import pytest

from mt.text.sentence_ends import sentence_ends


def sentences(text: str, language: str) -> list[str]:
    ends = [0, *sentence_ends(text, language)]
    assert ends[-1] == len(text)
    return [text[start:end] for start, end in pairwise(ends)]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("de", "Er kam im 19. Jahrhundert."),
        ("de", "Er wohnt im 2. Stock."),
        ("de", "Die 2. Frage ist schwer."),
        ("de", "Das ist mein 2. Auto."),
        ("de", "Zum 1. Mal sah sie ihn."),
        ("de", "Ludwig der 14. König und sein 2.\xa0Hund."),
        ("de", "Am 3. Oktober kam Dr. Müller."),  # sentencex knows months and most titles
        ("de", "Die Fa. Müller kommt."),
        ("fr", "M. Dupont et Mme. Petit sont là."),
        ("fr", "(M. Dupont est là.)"),
        ("fr", "Le Dr." + " " * 35 + "Martin est là."),  # justified text
        ("de", "Am 3." + " " * 35 + "Mai kam er."),
        ("es", "D. Juan viene."),
        ("en", "See Fig. Two."),
    ],
)
def test_titles_and_ordinals_end_no_sentence(language: str, text: str) -> None:
    assert sentences(text, language) == [text]


@pytest.mark.parametrize(
    ("language", "first", "second"),
    [
        ("de", "Ich komme am 3. ", "Du auch?"),  # what is no noun begins a sentence
        ("de", "Es war 1998. ", "Jahre vergingen."),
        ("de", "Ich bin 12. ", "Tom auch."),
        ("de", "Das ist ein Hund. ", "Er bellt."),
        ("en", "He was the 3. ", "Two came later."),  # English writes 3rd
        ("fr", "Il est à Paris. ", "Elle aussi."),
        ("es", "Vitamina BD. ", "Juan viene."),
        ("xyz", "Ala ma kota. ", "Kot ma mleko."),
    ],
)
def test_others_do(language: str, first: str, second: str) -> None:
    assert sentences(first + second, language) == [first, second]


def test_a_row_of_titles_is_one_sentence_of_any_length() -> None:
    row = "M. " * 10_000
    assert "".join(sentences(row, "fr")) == row
