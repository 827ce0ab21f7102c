"""Which stretches of a text are translated, by its style."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.texts.cutting import Style, cut


def shouted(text: str, style: Style) -> str:
    """The text with every segment in capitals."""
    segments, frame = cut(text, "en", style)
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


def test_a_text_may_be_one_segment():
    assert segments(" One. Two\nthree.\t\nFour\n", sentences="whole") == ["One. Two three. Four"]
    assert shouted("\n One.\nTwo \n", Style(sentences="whole")) == "\n ONE. TWO \n"
    # No-break spaces are spaces between words, inside a segment, and gap around it.
    assert segments("\xa0one\xa0two\u2009 \nthree ", sentences="whole") == ["one\xa0two three"]
    assert shouted("\xa0a\xa0b\u3000", Style(sentences="whole")) == "\xa0A\xa0B\u3000"


@pytest.mark.parametrize("text", ["", " \n", "--- !", "\n", "1\ufe0f\u20e3"])
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


TEXTS = st.text("aB .\n\t\r<>&;/=\"'", max_size=60)


@given(TEXTS, st.sampled_from(["text", "html", "xml"]))
def test_what_is_not_changed_comes_back_byte_for_byte(text, kind):
    cut_up, frame = cut(text, "en", Style(kind))
    assert frame.join(list(cut_up)) == text


@given(TEXTS, st.sampled_from(["unwrap", "whole"]))
def test_other_ways_to_read_lines_change_white_space_only(text, sentences):
    cut_up, frame = cut(text, "en", Style(sentences=sentences))
    assert frame.join(list(cut_up)).split() == text.split()
