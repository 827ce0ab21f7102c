"""Whatever is left out of what a model is shown is in the translation, as often and as it was."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mt.keeping import leave_out
from mt.text.verbatim import find_verbatim
from mt.text.words import find_words

VERBATIM = st.sampled_from(
    ["{name}", "%s", "%1$d", "{{ a.b }}", "https://a.de/b?c=d.", "a@b.de", "😀", '<x id="1"/>']
)
PARTS = st.lists(
    VERBATIM | st.sampled_from(["Hund", "der", ",", ".", "(", ")", "„", "“"]) | st.text()
)
SPACES = st.sampled_from(["", " ", "  ", "\u00a0"])
TEXTS = st.tuples(PARTS, SPACES).map(lambda each: each[1].join(each[0]))


@given(TEXTS, st.text(), st.data())
def test_it_is_all_there_with_the_translation_around_it(text, translation, data):
    shown = leave_out(text)
    counts = [len([*find_words(each)]) for each in (shown.text, translation)]
    numbers = [st.integers(0, max(0, count - 1)) for count in counts]
    links = data.draw(st.lists(st.tuples(*numbers), unique_by=(lambda n: n[0], lambda n: n[1])))
    whole = shown.restored(translation, sorted(links) if all(counts) else [])
    rest = whole
    for kept in shown.kept:
        assert kept.text in rest
        rest = rest.replace(kept.text, "", 1)
    assert "".join(rest.split()) == "".join(translation.split())


@given(TEXTS)
def test_nothing_but_it_and_spaces_is_left_out(text):
    shown = leave_out(text)
    left = "".join(each.text for each in shown.kept)
    assert [match[0] for match in find_verbatim(text)] == [
        match[0] for each in shown.kept for match in find_verbatim(each.text)
    ]
    assert sorted("".join((shown.text + left).split())) == sorted("".join(text.split()))


@given(TEXTS)
def test_a_model_that_changes_nothing_changes_no_more_than_spaces(text):
    shown = leave_out(text)
    links = [(n, n) for n, _ in enumerate(find_words(shown.text))]
    whole = shown.restored(shown.text, links)
    assert sorted("".join(whole.split())) == sorted("".join(text.split()))
