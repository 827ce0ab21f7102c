"""What letter case does to any text: never a crash, never another word, the same from any case."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from mt.text.casing import Case, find_case, restore, truecase

ANY_CHARACTER = st.characters(exclude_categories=())  # lone surrogates too
GERMAN = st.text("abcdeiouäöüß -'’!.,1犬\xa0", max_size=40)
TEXTS = st.text(ANY_CHARACTER, max_size=40) | st.text(
    st.sampled_from("aAbBßẞäÄǆǅǇİŉﬁΣσςάა'’-_3犬 \n!\u0301\u0345"), max_size=30
)


def pieces(word: str) -> tuple[int]:
    """A vocabulary without sense: any spelling may be the better known one."""
    return (sum(map(ord, word)) % 7,)


@given(TEXTS)
def test_any_text_has_a_case_and_survives_it(text):
    case = find_case(text, pieces)
    shown = truecase(text, pieces)
    assert isinstance(case, Case)
    assert not (case is Case.LOWER and text != text.lower())
    for each in Case:
        assert len(restore(shown, each).split()) == len(text.split())


@given(TEXTS)
def test_white_space_and_all_that_has_no_case_stays_in_place(text):
    assume(all(len(c.lower()) == 1 for c in text))  # of "İ" the small letter is two
    shown = truecase(text, pieces)
    assert len(shown) == len(text)
    for one, other in zip(text, shown, strict=True):
        assert one == other or one.lower() != one.upper()


@given(GERMAN)
def test_only_the_lower_case_text_decides(text):
    assert truecase(text, pieces).lower() == text
    for other in (text.title(), text.capitalize(), text.swapcase()):
        if other.lower() == text:
            assert truecase(other, pieces) == truecase(text, pieces)


@given(GERMAN)
def test_what_was_lowered_and_restored_is_as_it_was(text):
    capitals = "".join(c if c == "ß" else c.upper() for c in text)
    if find_case(capitals, pieces) is Case.ALL_CAPS:
        assert find_case(capitals.lower(), pieces) is Case.LOWER
        assert restore(truecase(capitals, pieces), Case.ALL_CAPS) == text.upper()
    title = restore(text, Case.TITLE)
    if find_case(title, pieces) is Case.TITLE:
        assert restore(title.lower(), Case.TITLE) == title
