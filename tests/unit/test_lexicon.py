"""The lexical table, on texts small enough to know which pieces translate which."""

from __future__ import annotations

import numpy as np
import pytest
from annotated_types import Le

import mt.lexicon
from mt.config import SearchConfig
from mt.lexicon import FREQUENT, PARTNERS, Lexicon, Side, learn_lexicon
from mt.tokens import END, PAD

HOUSE, BOOK, THE, A = 4, 5, 6, 7
HAUS, BUCH, DAS, EIN = 8, 9, 10, 11


def side(*sentences: list[int]) -> Side:
    return Side(
        np.array([token for sentence in sentences for token in sentence]),
        np.cumsum([0, *map(len, sentences)]),
    )


# The example that Model 1 is explained with: das Haus, das Buch, ein Buch.
GERMAN = side([DAS, HAUS], [DAS, BUCH], [EIN, BUCH])
ENGLISH = side([THE, HOUSE], [THE, BOOK], [A, BOOK])


def learned() -> Lexicon:
    return learn_lexicon(GERMAN, ENGLISH, 12, 8)


@pytest.mark.parametrize(("german", "english"), [(DAS, THE), (BUCH, BOOK), (HAUS, HOUSE), (EIN, A)])
def test_the_likeliest_partner_of_a_piece_is_its_translation(german: int, english: int) -> None:
    assert learned().partners[german, 0] == english


def test_partners_are_what_stood_in_the_same_pairs() -> None:
    partners = learned().partners
    assert partners.shape == (12, PARTNERS)
    assert set(partners[HAUS]) - {PAD} == {THE, HOUSE}
    assert set(partners[DAS]) - {PAD} == {THE, HOUSE, BOOK}
    assert (partners[[PAD, END, THE]] == PAD).all()


def test_the_frequent_pieces_are_the_most_frequent_ones_and_the_end() -> None:
    many = side([4, 4, 5], [6] * 3, *([token] for token in range(10, 10 + FREQUENT)))
    frequent = learn_lexicon(many, many, 1000, 1000).frequent
    assert len(frequent) == FREQUENT
    assert {END, 4, 6} < set(frequent.tolist())
    assert 10 + FREQUENT - 1 not in frequent  # of equals the lower ids


def test_a_sentence_may_use_the_frequent_pieces_and_so_many_partners() -> None:
    partners = np.full((12, PARTNERS), PAD, np.uint16)
    partners[HAUS, :3] = [7, 5, 9]
    table = Lexicon(np.array([END, 4], np.uint16), partners)
    assert table.allowed([HAUS, DAS], 2).tolist() == [END, 4, 5, 7]
    assert table.allowed([DAS], 2).tolist() == [END, 4]
    assert table.allowed([], 2).tolist() == [END, 4]


def test_a_large_text_is_learned_from_by_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = 1000
    source = side(*([DAS, HAUS] if n % 3 else [EIN, BUCH] for n in range(pairs)))
    target = side(*([THE, HOUSE] if n % 3 else [A, BOOK] for n in range(pairs)))
    monkeypatch.setattr(mt.lexicon, "_MOST_CELLS", 600)  # of 6,000
    seen = []
    whole = mt.lexicon._cells
    monkeypatch.setattr(mt.lexicon, "_cells", lambda *sides: seen.append(sides) or whole(*sides))
    table = learn_lexicon(source, target, 12, 8)
    assert len(seen[0][0].starts) - 1 == pairs // 10
    assert set(table.partners[HAUS]) - {PAD} == {THE, HOUSE}


def test_a_table_for_other_vocabularies_is_refused() -> None:
    table = learned()
    assert table.checked(12, 8) is table
    for sizes in ((11, 8), (13, 8), (12, 7)):
        with pytest.raises(ValueError, match="does not fit"):
            table.checked(*sizes)


def test_the_shortlist_that_may_be_asked_for_is_what_a_table_holds() -> None:
    limits = SearchConfig.model_fields["shortlist"]
    assert Le(PARTNERS) in limits.metadata
    assert f"most frequent {FREQUENT}" in " ".join(str(limits.description).split())
