from itertools import chain

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mt.text import split_document, split_long

# What cuts, hides or looks like a cut, so that random texts meet it often.
AWKWARD = [
    *"\n\r\t\x0b\x0c\x1c\x85\u2028\u2029 \xa0\u202f\u3000\ufeff\u200b\x00",
    *"aAäß7½犬😀.,;:!?…-–—\"'„“«»()[]",
    *("\u202e", "\u2066", "\u2069", "\u200f", "ש", "🇩", "🏽", "\u0345", "\U000e0067", "\U0010ffff"),
    *("\u0301", "\ufe0f", "\u200d", "\ud83d", "\ude00", "\r\n", "Dr. ", "z. B. ", "Ja. ", "3. "),
]
ANY_CHARACTER = st.characters(exclude_categories=())  # lone surrogates too
TEXTS = st.text(ANY_CHARACTER) | st.lists(st.sampled_from(AWKWARD), max_size=60).map("".join)
LANGUAGES = st.sampled_from(["de", "en", "fr", "zh", "xx"])
BREAKS = "\n\r\t\x0b\x0c\x1c\x1d\x1e\x1f\x85\u2028\u2029"


def breaks(text: str) -> list[str]:
    return [character for character in text if character in BREAKS]


@given(TEXTS, LANGUAGES)
def test_the_segments_joined_are_the_text(text, language):
    document = split_document(text, language)
    assert document.join(document.segments) == text


@given(TEXTS, LANGUAGES)
def test_gaps_and_segments_alternate_through_the_text(text, language):
    document = split_document(text, language)
    assert len(document.gaps) == len(document.segments) + 1
    pairs = zip(document.gaps, (*document.segments, ""), strict=True)
    assert "".join(gap + segment for gap, segment in pairs) == text


@given(TEXTS, LANGUAGES)
def test_a_segment_has_a_letter_is_trimmed_and_within_one_line(text, language):
    for segment in split_document(text, language).segments:
        assert segment == segment.strip() == segment.strip("\ufeff")
        assert any(character.isalpha() for character in segment)
        assert not breaks(segment)


@given(TEXTS, LANGUAGES)
def test_no_letter_is_left_in_a_gap(text, language):
    assume("\ufe0f" not in text)  # the selector that makes an emoji of a letter
    assert not any(c.isalpha() for gap in split_document(text, language).gaps for c in gap)


@given(TEXTS, LANGUAGES)
def test_nothing_but_white_space_is_left_in_a_gap_where_all_is_asked_for(text, language):
    document = split_document(text, language, letterless=True)
    assert document.join(document.segments) == text
    assert not "".join(document.gaps).replace("\ufeff", "").strip()


@given(TEXTS, LANGUAGES, st.data())
def test_line_ends_survive_any_translation(text, language, data):
    document = split_document(text, language)
    count = len(document.segments)
    translations = data.draw(st.lists(TEXTS, min_size=count, max_size=count))
    joined = document.join(translations)
    assert breaks(joined) == breaks(text)


@given(TEXTS, LANGUAGES)
def test_a_line_is_split_without_regard_to_its_neighbours(text, language):
    by_line = [split_document(line, language).segments for line in text.split("\n")]
    assert split_document(text, language).segments == tuple(chain.from_iterable(by_line))


RUNS = st.builds(
    lambda unit, times: unit * times,
    st.lists(st.sampled_from(AWKWARD), min_size=1, max_size=3).map("".join),
    st.integers(1000, 8000),
)


@given(RUNS, LANGUAGES)
@settings(max_examples=25)
def test_a_huge_run_of_anything_survives(text, language):
    document = split_document(text, language)
    assert document.join(document.segments) == text
    assert breaks("".join(document.gaps)) == breaks(text)


@given(RUNS.map(str.strip).filter(bool), st.integers(1, 100))
@settings(max_examples=25)
def test_a_huge_run_of_anything_is_split_to_fit(segment, limit):
    parts, _ = split_long(segment, len, limit)
    assert "".join(parts) == segment
    assert all(len(part.rstrip()) <= max(limit, 1) for part in parts)


@given(TEXTS, TEXTS, LANGUAGES)
def test_a_text_after_a_line_end_is_split_as_if_alone(first, second, language):
    one, other = (split_document(text, language).segments for text in (first, second))
    assert split_document(f"{first}\n{second}", language).segments == one + other


def wavering(text: str) -> int:
    """Grows with the text, but not always, as a count of subwords does."""
    return sum(1 + (len(word) * 7919) % 5 + len(word) // 3 for word in text.split())


LENGTHS = st.sampled_from(
    [len, lambda text: 2 * len(text), lambda text: len(text.split()), wavering]
)


@given(TEXTS.map(str.strip).filter(bool), LENGTHS, st.integers(1, 20))
def test_parts_fit_and_joined_are_the_segment(segment, length, limit):
    parts, was_split = split_long(segment, length, limit)
    assert "".join(parts) == segment
    assert was_split == (len(parts) > 1)
    for part in parts:
        assert part.strip()
        assert not part[0].isspace()
        assert length(part.rstrip()) <= limit or len(part.rstrip()) == 1


@given(TEXTS.map(str.strip).filter(bool), LENGTHS, st.integers(1, 20))
def test_only_what_does_not_fit_is_split(segment, length, limit):
    parts, _ = split_long(segment, length, limit)
    assert (parts == [segment]) == (length(segment) <= limit or len(segment) == 1)
