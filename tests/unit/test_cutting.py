"""Which stretches of a text are translated, by its style."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.texts.cutting import Style, cut


def shouted(text: str, style: Style) -> str:
    """The text with every segment in capitals."""
    segments, frame, _ = cut(text, "en", style)
    return frame.join([segment.upper() for segment in segments])


def segments(text: str, **style) -> list[str]:
    return list(cut(text, "en", Style(**style)).segments)


def test_a_line_end_and_the_end_of_a_sentence_both_end_a_segment():
    assert segments("One. Two\nthree.\n\nFour") == ["One.", "Two", "three.", "Four"]


def test_a_single_line_end_may_be_a_space():
    assert segments("One. Two \r\n  three.\n\nFour", sentences="unwrap") == [
        "One.",
        "Two three.",
        "Four",
    ]


def test_a_blank_line_ends_a_paragraph_all_the_same():
    assert shouted(" a\nb\n\n\tc\n", Style(sentences="unwrap")) == " A B\n\n\tC\n"


def test_what_has_no_letter_is_never_joined_to_a_sentence():
    text = "Guten Tag.\n---\n***\n2026\nGute\nNacht 7\n8"
    assert segments(text, sentences="unwrap") == ["Guten Tag.", "Gute Nacht 7"]
    assert shouted(text, Style(sentences="unwrap")) == (
        "GUTEN TAG.\n---\n***\n2026\nGUTE NACHT 7\n8"
    )
    assert shouted("a  \t\n  ---", Style(sentences="unwrap")) == "A  \t\n  ---"


def test_a_cell_without_a_letter_is_joined_to_no_other_line():
    style = Style(sentences="unwrap")
    assert shouted("Betrag\t3,50\nzahlen\n7\tja", style) == "BETRAG\t3,50\nZAHLEN\n7\tJA"
    assert shouted("Betrag\tund\nSumme", style) == "BETRAG\tUND SUMME"


def test_a_line_end_between_two_sentences_stays():
    assert shouted("One. \r\n Two\n three.", Style(sentences="unwrap")) == "ONE. \r\n TWO THREE."


@pytest.mark.parametrize("tag", ["pre", "textarea", "listing"])
def test_preformatted_text_keeps_its_lines(tag):
    text = f"<{tag}>One\ntwo.\n three</{tag}><p>four\nfive</p>"
    style = Style("xml", "unwrap")
    assert shouted(text, style) == f"<{tag}>ONE\nTWO.\n THREE</{tag}><p>FOUR FIVE</p>"


def test_a_line_end_is_white_space_in_html_unless_it_is_asked_for():
    text = "<p>Ein Hund\nläuft.</p><pre>Ein\nHund</pre>"
    assert segments(text, format="html") == ["Ein Hund läuft.", "Ein", "Hund"]
    assert segments(text, format="html", sentences="split") == ["Ein Hund", "läuft.", "Ein", "Hund"]
    assert segments(text, format="xml") == segments(text, format="html", sentences="split")


def test_what_has_no_letter_is_a_segment_where_it_is_asked_for():
    for sentences in ("split", "unwrap", "whole"):
        assert segments("2+2?", sentences=sentences, letterless=True) == ["2+2?"]


def test_a_text_may_be_one_segment():
    assert segments(" One. Two\nthree.\t\nFour\n", sentences="whole") == ["One. Two three. Four"]
    assert shouted("\n One.\nTwo \n", Style(sentences="whole")) == "\n ONE. TWO \n"
    # No-break spaces are spaces between words, inside a segment, and gap around it.
    assert segments("\xa0one\xa0two\u2009 \nthree ", sentences="whole") == ["one\xa0two three"]
    assert shouted("\xa0a\xa0b\u3000", Style(sentences="whole")) == "\xa0A\xa0B\u3000"


@pytest.mark.parametrize(
    "text", ["", " \n", "--- !", "\n", "1\ufe0f\u20e3", "12.05.2023\n\t3,50 €\n 7\u2028"]
)
def test_where_there_is_nothing_to_translate_nothing_changes(text):
    for sentences in ("split", "unwrap", "whole"):
        assert segments(text, sentences=sentences) == []
        assert shouted(text, Style(sentences=sentences)) == text


def test_markup_stays_and_the_text_between_is_cut():
    style = Style("html")
    text = "<p title='a b'>One. Two &lt;three&gt;</p><script>if (a < b) c()</script>"
    assert list(cut(text, "en", style).segments) == ["One.", "Two <three>"]
    assert shouted(text, style) == (
        "<p title='a b'>ONE. TWO &lt;THREE&gt;</p><script>if (a < b) c()</script>"
    )


def test_tags_named_keep_what_is_in_them():
    style = Style("xml", ignore_tags=frozenset({"x"}))
    assert shouted("<a>one <x>two</x> three</a>", style) == "<a>ONE <x>two</x> THREE</a>"


def test_links_of_segments_tell_where_tags_belong_in_the_whole():
    text = "Ja.\n\n7.\n\nIch habe\n das <b>Buch</b> gelesen. <i>Er</i> nicht."
    cut_up, frame, wants_links = cut(text, "de", Style("html"))
    assert cut_up == ("Ja.", "Ich habe das Buch gelesen.", "Er nicht.")
    assert wants_links
    translations = ["Oh yes.", "I read the book.", "Not he."]
    links = [((0, 1), (1, 2)), ((0, 0), (2, 2), (3, 3), (4, 1), (5, 4)), ((0, 1), (1, 0))]
    assert (
        frame.join(translations, links) == "Oh yes.\n\n7.\n\nI read the <b>book</b>. Not <i>he</i>."
    )


@pytest.mark.parametrize("yes", ["Yes!", "Yes"])
def test_links_hold_where_segments_meet_without_a_space(yes):
    text = "<p>Ja!Nein? Er mag <b>Tom</b> heute.</p>"
    cut_up, frame, _ = cut(text, "de", Style("html"))
    assert cut_up == ("Ja!", "Nein?", "Er mag Tom heute.")
    links = [((0, 0),), ((0, 0),), ((2, 3), (3, 2))]
    joined = frame.join([yes, "No?", "He likes today Tom."], links)
    assert joined == f"<p>{yes}No? He likes today <b>Tom</b>.</p>"


def test_what_stands_between_segments_is_linked_to_itself():
    text = "Ja.\n\n<i>7</i> 8 9\n\nIch habe das Buch."
    _, frame, _ = cut(text, "de", Style("html"))
    joined = frame.join(["Oh yes yes yes.", "I have 6 or 7."], [((0, 1),), ((0, 0),)])
    assert joined == "Oh yes yes yes.\n\n<i>7</i> 8 9\n\nI have 6 or 7."


def test_links_are_guessed_of_a_segment_that_has_none():
    text = "Ja. Es kommt heute <b>Tom</b>."
    _, frame, _ = cut(text, "de", Style("html"))
    joined = frame.join(["Yes.", "Tom is coming today."], [((0, 0),), ()])
    assert joined == "Yes. <b>Tom</b> is coming today."


def test_links_are_wanted_where_tags_stand_inside_a_text_alone():
    wants = [
        cut(text, "de", Style(kind)).wants_links
        for text, kind in (
            ("Ja", "text"),
            ("<p>Ja</p>", "html"),
            ("<p>Ja, <b>Tom</b></p>", "html"),
            ("<p>Ja, <b>Tom</b></p>", "xml"),
        )
    ]
    assert wants == [False, False, True, False]


TEXTS = st.text("aB7 .-\n\t\r\xa0\u2028<>&;/=\"'", max_size=60)


@given(TEXTS, st.sampled_from(["text", "html", "xml"]))
def test_what_is_not_changed_comes_back_byte_for_byte(text, kind):
    cut_up, frame, _ = cut(text, "en", Style(kind, "split"))
    assert frame.join(list(cut_up)) == text


# Sentences and cells that meet at line ends, which single characters seldom make.
LINES = st.lists(
    st.sampled_from(
        ["a", "B", "7", "a.", "B. a", "7.", "-", "\n", "\r\n ", "\n\n", "\t", " ", "\u2028"]
    ),
    max_size=12,
).map("".join)


@given(TEXTS | LINES)
def test_an_unwrapped_text_keeps_all_that_is_no_segment(text):
    cut_up, frame, _ = cut(text, "en", Style(sentences="unwrap"))
    marked = frame.join(["X"] * len(cut_up))
    words = [re.escape(each).replace(r"\ ", r"\s+") for each in cut_up]
    pairs = zip(map(re.escape, marked.split("X")), [*words, ""], strict=True)
    assert re.fullmatch("".join(gap + word for gap, word in pairs), text)


@given(TEXTS | LINES)
def test_an_unwrapped_text_keeps_its_lines_without_letters(text):
    joined = shouted(text, Style(sentences="unwrap"))
    assert letterless_lines(joined) == letterless_lines(text)


def letterless_lines(text: str) -> list[str]:
    return [line for line in text.split("\n") if not any(c.isalpha() for c in line)]


@given(TEXTS, st.sampled_from(["unwrap", "whole"]))
def test_other_ways_to_read_lines_change_white_space_only(text, sentences):
    cut_up, frame, _ = cut(text, "en", Style(sentences=sentences))
    assert frame.join(list(cut_up)).split() == text.split()
