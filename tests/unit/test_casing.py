"""Letter case on words whose cost is written down here: a vocabulary of a dozen spellings."""

from __future__ import annotations

import pytest

from mt.text.casing import Case, find_case, restore, truecase

KNOWN = {
    "Der", "der", "Hund", "bellt", "im", "Im", "Garten", "die", "Die", "USA", "Sie", "sie", "groß",
    "Kennen", "kennen", "Toms", "Eltern",
}  # fmt: skip


def cost(word: str) -> tuple[int]:
    """One piece for a known spelling, else one a letter."""
    return (1,) if word in KNOWN else (1 + len(word),)


def case(segment: str) -> Case:
    return find_case(segment, cost)


# What counts as which case


@pytest.mark.parametrize(
    "segment",
    [
        "Guten Morgen.",
        "Mein Vater, Herr Müller",
        "Der Hund bellt.",
        "The dog barks.",
        "I am a dog.",
        "McDonald",
        "Das ist DER HUND.",
        "eBay",
        "iPhone und iPad",
        "42 %",
        "犬がいる。",
        "½",
    ],
)
def test_ordinary_text_is_ordinary(segment):
    assert case(segment) is Case.ORDINARY


@pytest.mark.parametrize(
    "segment", ["DER HUND BELLT.", "ACHTUNG", "HALLO!", "JA!", "AN GLEIS 3", "GROẞ UND KLEIN"]
)
def test_capitals_are_all_caps(segment):
    assert case(segment) is Case.ALL_CAPS


@pytest.mark.parametrize("segment", ["NATO", "USA", "EU, USA", "UNESCO", "Ä", "A!", "A 4", "XIV."])
def test_what_may_be_an_acronym_is_ordinary(segment):
    assert case(segment) is Case.ORDINARY


def test_seven_capitals_are_no_acronym():
    assert case("UNESCO") is Case.ORDINARY
    assert case("UNESCO A") is Case.ALL_CAPS


def test_one_small_letter_makes_capitals_ordinary():
    assert case("DER HUND BELLt") is Case.ORDINARY


def test_sharp_s_is_neither_capital_nor_small():
    assert case("STRAßE GESPERRT") is Case.ALL_CAPS
    assert case("ß") is Case.ORDINARY


@pytest.mark.parametrize("segment", ["der hund bellt.", "hund", "3 hunde", "straße"])
def test_text_without_a_capital_is_lower_case(segment):
    assert case(segment) is Case.LOWER


def test_three_words_are_title_case_if_one_is_better_known_without_its_capital():
    assert case("Der Hund Bellt.") is Case.TITLE
    assert case("Der Hund Im Garten.") is Case.ORDINARY  # "Im" is known as well as "im"
    assert case("Hund Bellt.") is Case.ORDINARY
    assert case("Bellt Der Hund?") is Case.ORDINARY  # a first word has a capital anyway


def test_five_capitalised_words_are_title_case_whatever_the_vocabulary():
    assert case("Kennen Sie Toms Eltern?") is Case.ORDINARY
    assert case("Kennen Sie Toms Eltern, Maria?") is Case.TITLE


def test_a_word_without_capital_or_with_two_is_no_title_case():
    assert case("Der Hund Bellt im Garten.") is Case.ORDINARY
    assert case("Der Hund Bellt In den USA Sehr.") is Case.ORDINARY
    assert case("Der HUND Bellt Im Garten Sehr.") is Case.ORDINARY


def test_what_has_no_case_does_not_count_among_the_words_of_a_title():
    assert case("Der 2. Hund 犬 Bellt.") is Case.TITLE
    assert case("Toms 犬 犬 犬 Eltern") is Case.ORDINARY


# Truecasing


@pytest.mark.parametrize(
    "segment", ["DER HUND BELLT.", "der hund bellt.", "Der Hund Bellt.", "dER hUND bELLT."]
)
def test_a_word_takes_its_best_known_spelling(segment):
    assert truecase(segment, cost) == "Der Hund bellt."


def test_an_acronym_keeps_its_capitals_where_the_vocabulary_has_it():
    assert truecase("DER HUND DER USA", cost) == "Der Hund der USA"


def test_equal_spellings_are_lower_case_but_for_an_opening_word():
    assert truecase("DIE XYZ IM XYZ", cost) == "Die xyz im xyz"
    assert truecase("„DIE", cost) == "„Die"
    assert truecase("XYZ DIE", cost) == "Xyz die"


def test_an_opening_number_leaves_the_first_word_in_lower_case():
    assert truecase("5 DIE", cost) == "5 die"


def test_a_vocabulary_of_lower_case_gets_lower_case():
    assert truecase("DER HUND", lambda word: (word != word.lower(),)) == "der hund"


def test_capitals_that_would_change_a_word_are_not_taken():
    assert truecase("STRAßE USA", lambda word: (word != word.upper(),)) == "Straße USA"


def test_apostrophes_and_accents_are_inside_a_word_and_digits_before_it():
    asked = []

    def note(word: str) -> tuple[int]:
        asked.append(word)
        return (0,)

    assert truecase("IT'S A MU\u0308SLI, 3D NORD-SÜD", note) == "It's a mu\u0308sli, 3d nord-süd"
    assert set(map(str.lower, asked)) == {"it's", "a", "mu\u0308sli", "nord", "süd"}


def test_white_space_and_signs_stay():
    assert truecase("  DER\xa0HUND –\tBELLT …", cost) == "  Der\xa0Hund –\tbellt …"


# The way back


@pytest.mark.parametrize(
    ("translation", "capitals"),
    [("The dog's here.", "THE DOG'S HERE."), ("große Straße", "GROSSE STRASSE"), ("", "")],
)
def test_all_caps_puts_everything_in_capitals(translation, capitals):
    assert restore(translation, Case.ALL_CAPS) == capitals


@pytest.mark.parametrize(
    ("translation", "title"),
    [
        ("The dog doesn't bark.", "The Dog Doesn't Bark."),
        ("it's five o’clock", "It's Five O’clock"),
        ("a well-known 3rd “place”", "A Well-Known 3rd “Place”"),
        ("the USA and McDonald", "The USA And McDonald"),
        ("ǆ ßa", "ǅ Ssa"),
        ("", ""),
    ],
)
def test_title_case_capitalises_the_first_letter_of_words(translation, title):
    assert restore(translation, Case.TITLE) == title


@pytest.mark.parametrize("case", [Case.ORDINARY, Case.LOWER])
def test_any_other_case_is_left_to_the_model(case):
    assert restore("The dog Barks. NO", case) == "The dog Barks. NO"
