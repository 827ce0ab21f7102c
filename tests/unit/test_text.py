import pytest
import sentencex

from mt.text import Document, split_document, split_long


def segments(text: str, language: str = "de") -> list[str]:
    return list(split_document(text, language).segments)


# Documents


def test_blank_lines_and_line_ends_stand_in_the_gaps():
    document = split_document("Guten Morgen.\n\nEin Hund läuft über die Wiese.\n", "de")
    assert document == Document(
        gaps=("", "\n\n", "\n"), segments=("Guten Morgen.", "Ein Hund läuft über die Wiese.")
    )
    joined = document.join(["Good morning.", "A dog is running across the meadow."])
    assert joined == "Good morning.\n\nA dog is running across the meadow.\n"


def test_a_missing_final_newline_stays_missing():
    assert split_document("Guten Morgen.", "de").join(["Good morning."]) == "Good morning."


def test_a_text_without_a_segment_is_one_gap():
    assert split_document("", "de") == Document(gaps=("",), segments=())
    assert split_document(" \n\t\n", "de").join([]) == " \n\t\n"


def test_white_space_around_a_sentence_is_gap():
    document = split_document("  Guten Morgen. \xa0 Ein Hund!\u3000\n", "de")
    assert document.segments == ("Guten Morgen.", "Ein Hund!")
    assert document.gaps == ("  ", " \xa0 ", "\u3000\n")


def test_a_byte_order_mark_is_gap_and_hides_no_abbreviation():
    document = split_document("\ufeffDr. Müller kam.", "de")
    assert document == Document(gaps=("\ufeff", ""), segments=("Dr. Müller kam.",))


@pytest.mark.parametrize(
    "mark", ["\r\n", "\r", "\t", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029"]
)
def test_white_space_that_is_no_space_ends_a_segment_and_stays_in_the_gap(mark):
    document = split_document(f"ein Hund{mark}läuft", "de")
    assert document == Document(gaps=("", mark, ""), segments=("ein Hund", "läuft"))


@pytest.mark.parametrize("space", [" ", "  ", "\xa0", "\u202f", "\u3000"])
def test_spaces_inside_a_sentence_belong_to_it(space):
    assert segments(f"ein{space}Hund") == [f"ein{space}Hund"]


def test_abbreviations_and_ordinals_end_no_sentence():
    assert segments("Dr. Müller kam am 3. Oktober.") == ["Dr. Müller kam am 3. Oktober."]


def test_no_break_spaces_end_sentences_as_spaces_do():
    assert segments("Dr.\xa0Müller kam.\xa0Er ging.") == ["Dr.\xa0Müller kam.", "Er ging."]


def test_an_unknown_language_gets_general_rules():
    assert segments("Ala ma kota. Kot ma mleko.", "xyz") == ["Ala ma kota.", "Kot ma mleko."]


@pytest.mark.parametrize(
    "line",
    [
        *("---", "***", "…", "👍🏽 🇩🇪", "1️⃣", "\u2139\ufe0f", "_", "?!", "7", "½", "²", "Ⅳ", "٣٤"),
        *("12.05.2023", "3,50 €", "+49 30 1234567", "100 %", "№ 5", "20 °", "2+2=4"),
    ],
)
def test_a_line_without_a_letter_is_gap(line):
    document = split_document(f"Ja.\n{line}\nNein.", "de")
    assert document == Document(gaps=("", f"\n{line}\n", ""), segments=("Ja.", "Nein."))


@pytest.mark.parametrize("line", ["犬", "二", "ב", "- a", "👍 ja", "5 kg", "20 °C", "3ª"])
def test_a_line_with_a_letter_of_any_script_is_a_segment(line):
    assert segments(line) == [line]


def test_a_number_that_is_a_cell_or_a_sentence_of_its_own_is_gap():
    assert segments("Betrag\t3,50 €\t2026") == ["Betrag"]
    assert segments("1. Ein Hund bellt.") == ["Ein Hund bellt."]


def test_sentences_without_letters_are_segments_where_they_are_asked_for():
    document = split_document("2 + 2? Ja.\n \n---", "de", letterless=True)
    assert document.segments == ("2 + 2?", "Ja.", "---")


@pytest.mark.parametrize("space", ["\xa0", "\u202f", "\x85", "\u2028"])
def test_white_space_between_capital_and_full_stop_is_survived(space):
    # sentencex 1.0.32 panics on such a text, with an exception that `except Exception` misses.
    text = f"Ja, A{space}."
    document = split_document(text, "de")
    assert document.join(document.segments) == text


def test_lone_surrogates_and_nul_are_kept_and_hide_no_sentence_end():
    assert segments("Ein\ud800Hund. Er\x00bellt.") == ["Ein\ud800Hund.", "Er\x00bellt."]


def test_a_line_longer_than_a_window_is_split_like_a_short_one():
    sentences = [f"Dr. Müller kam am {day}. Oktober." for day in range(1, 1001)]
    assert segments(" ".join(sentences)) == sentences


def test_a_sentence_longer_than_a_window_is_cut_at_a_word():
    words = ["Wiesenblume"] * 2000
    cut = segments(" ".join(words))
    assert [len(part.split()) for part in cut] == [834, 834, 332]  # 12 characters a word
    assert " ".join(cut).split() == words


def test_a_sentence_splitter_that_loses_text_is_not_believed(monkeypatch):
    monkeypatch.setattr(sentencex, "segment", lambda language, text: ["Ja.", "Nein."])
    assert segments("Ja. Nein.") == ["Ja. Nein."]


def test_a_line_end_inside_a_translation_becomes_a_space():
    assert split_document("Ja.\nNein.\n", "de").join(["Y\nes.", "N\to."]) == "Y es.\nN o.\n"


def test_too_few_translations_are_a_programming_error():
    with pytest.raises(AssertionError):
        split_document("Ja. Nein.", "de").join(["Yes."])


# Lines


# Long segments, measured in characters


def test_a_segment_that_fits_is_measured_once_and_left_whole():
    measured = []

    def length(text: str) -> int:
        measured.append(text)
        return len(text)

    assert split_long("ein Hund", length, 8) == (["ein Hund"], False)
    assert measured == ["ein Hund"]


@pytest.mark.parametrize("mark", [",", ";", ":", " –", " —", " -"])
def test_a_part_ends_with_a_clause_where_one_does(mark):
    parts = [f"Der Hund bellt{mark} ", "er beißt nie"]
    assert split_long("".join(parts), len, 20) == (parts, True)


def test_a_clause_that_would_leave_a_short_part_is_passed_over():
    assert split_long("Ja, der Hund bellt", len, 14) == (["Ja, der Hund ", "bellt"], True)


def test_a_hyphen_at_a_word_ends_no_clause():
    assert split_long("seine Vor- und Nachteile", len, 15) == (
        ["seine Vor- und ", "Nachteile"],
        True,
    )


def test_a_part_ends_at_white_space_which_is_not_measured():
    assert split_long("abcd   efgh ij", len, 4) == (["abcd   ", "efgh ", "ij"], True)


def test_a_word_longer_than_the_limit_is_cut_between_characters():
    assert split_long("ab cdefghijk", len, 4) == (["ab ", "cdef", "ghij", "k"], True)


@pytest.mark.parametrize("character", ["e\u0301", "\ud83d\ude00", "👩\u200d🚒"])
def test_a_character_of_several_code_points_stays_whole(character):
    parts, _ = split_long("a" + character * 3, len, 4)
    assert (
        parts
        == {
            2: ["a" + character, character * 2],
            3: ["a" + character, character, character],
        }[len(character)]
    )


def test_a_character_longer_than_the_limit_is_cut_after_all():
    assert split_long("e\u0301\u0302\u0303x", len, 2) == (["e\u0301", "\u0302\u0303", "x"], True)


def test_a_single_code_point_may_exceed_the_limit():
    assert split_long("äö", lambda text: len(text.encode()), 1) == (["ä", "ö"], True)


def test_a_cut_that_measures_more_than_a_longer_text_is_not_taken():
    # As with subwords, "Haus" may be fewer tokens than "Hau". What fits ends before the accent, and
    # the first cut that spares the accented letter does not fit.
    lengths = {"Hau": 5}
    parts, _ = split_long("Haus\u0301tiere", lambda text: lengths.get(text, len(text)), 4)
    assert parts == ["Ha", "us\u0301t", "iere"]


def test_a_long_segment_is_measured_a_few_times_a_part():
    measured = []

    def length(text: str) -> int:
        measured.append(len(text))
        return len(text.split())

    parts, _ = split_long("Hund " * 19_999 + "Hund", length, 100)
    assert len(parts) == 200
    assert len(measured) < 20 * len(parts)
    assert sum(measured) < 20 * 100_000
