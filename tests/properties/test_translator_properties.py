"""What holds for any text, with a real if untrained model: structure, order, independence."""

from __future__ import annotations

import math
import unicodedata
from functools import cache

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mt.config import SearchConfig
from mt.decoding import batches
from mt.flags import (
    COPIED,
    EMPTY,
    NUMBERS,
    REPEATED,
    SPLIT,
    TARGET_LANGUAGE,
    TRUNCATED,
    UNKNOWN_CHARACTERS,
)
from mt.search import Hypothesis
from mt.text.casing import Case
from mt.tokens import UNKNOWN
from mt.translator import Translator
from support.bundles import SOURCES, tiny_bundle, tiny_tokenizers

# What cuts, hides or looks like a cut, and words the model knows, so that texts are mixed.
AWKWARD = [
    *"\n\r\t\x0b\x0c\x1c\x85\u2028\u2029 \xa0\u3000\ufeff\u200b\x00\ufffd",
    *'aß7½犬😀.,;:!?-–"▁',
    *("\ud83d", "\ude00", "\r\n", "\n\n", " Dr. ", "</s>", "<unk>"),
    *"\u0345\u202e\u2067\u200fש'ßǆİŉﬁ",
    *("e\u0301", "1\ufe0f\u20e3", "👩\u200d🚒", "🇩🇪", "ΑΣ", " DER HUND", " Eine Katze Schläft"),
]
WORDS = [f" {word}" for sentence in SOURCES[:8] for word in sentence.split()]
ANY_CHARACTER = st.characters(exclude_categories=())  # lone surrogates too
TEXTS = st.text(ANY_CHARACTER, max_size=20) | st.lists(
    st.sampled_from(AWKWARD) | st.sampled_from(WORDS), max_size=12
).map("".join)
BREAKS = "\n\r\t\x0b\x0c\x1c\x1d\x1e\x1f\x85\u2028\u2029"
FLAGS = {COPIED, EMPTY, NUMBERS, REPEATED, SPLIT, TARGET_LANGUAGE, TRUNCATED, UNKNOWN_CHARACTERS}


@cache
def translator(**changes: float) -> Translator:
    """Short translations, so that a property is looked at in many texts."""
    options = {"beam_size": 2, "max_length_ratio": 0.5, "max_length_extra": 4} | changes
    return Translator.from_bundle(tiny_bundle()).with_search(SearchConfig(**options))


@given(TEXTS)
@settings(max_examples=60)
def test_line_ends_blank_lines_and_tabs_survive(text):
    (translation,) = translator().translate([text])
    assert [c for c in translation.text if c in BREAKS] == [c for c in text if c in BREAKS]


@given(TEXTS)
@settings(max_examples=60)
def test_what_stands_around_sentences_survives(text):
    plan = translator().plan(text)
    (translation,) = translator().translate([text])
    assert translation.text.startswith(plan.document.gaps[0])
    assert translation.text.endswith(plan.document.gaps[-1])
    if not plan.sources:
        assert (translation.text, translation.score) == (text, 1.0)


LETTERLESS = st.text(ANY_CHARACTER.filter(lambda c: not c.isalpha() and c != "\n")) | st.text(
    "0123456789½٣.,:/+- €%\t\xa0\r"
)


@given(st.lists(LETTERLESS | st.sampled_from(WORDS), max_size=6))
@settings(max_examples=60)
def test_a_line_without_letters_comes_back_as_it_is(lines):
    (translation,) = translator().translate(["\n".join(lines)])
    for before, after in zip(lines, translation.text.split("\n") if lines else [], strict=True):
        assert after == before or any(character.isalpha() for character in before)


@given(TEXTS)
@settings(max_examples=60)
def test_score_and_flags_are_of_their_kind(text):
    (translation,) = translator().translate([text], alternatives=1)
    assert 0 <= translation.score <= 1
    assert not math.isnan(translation.score)
    assert translation.flags <= FLAGS
    assert translation.text not in [alternative.text for alternative in translation.alternatives]


RUNS = st.builds(
    lambda unit, times, end: unit * times + end,
    st.sampled_from([*AWKWARD, "犬 ", "犬, ", "A\u0301", "ein Hund, ", "Ja. ", "\n\r", "\u2028a"]),
    st.integers(500, 5000),
    st.sampled_from(["", "\n", "."]),
)


@cache
def bundled() -> Translator:
    return Translator.load()


@given(TEXTS | RUNS, st.data())
@settings(max_examples=60)
def test_structure_survives_whatever_the_bundled_model_might_write(text, data):
    plan = bundled().plan(text)
    assert plan.document.join(plan.document.segments) == text
    assert max(map(len, plan.sources), default=0) <= bundled().search_config.max_source_pieces
    pieces = st.integers(0, len(bundled()._planner.tokenizers.target) - 1)
    written = data.draw(st.lists(pieces, max_size=8))
    results = [[Hypothesis((*written, *source[:2]), -1.0, -1.0, True)] for source in plan.sources]
    translation = bundled().finish(plan, results)
    assert [c for c in translation.text if c in BREAKS] == [c for c in text if c in BREAKS]
    assert translation.text.startswith(plan.document.gaps[0])
    assert translation.text.endswith(plan.document.gaps[-1])


@given(st.lists(TEXTS, max_size=5))
@settings(max_examples=50)
def test_a_text_is_translated_alone_as_in_company(texts):
    alone = [translator().translate([text])[0] for text in texts]
    together = translator(batch_tokens=40).translate(texts)
    for one, other in zip(alone, together, strict=True):
        assert one.text == other.text
        assert one.flags == other.flags
        assert math.isclose(one.score, other.score, rel_tol=1e-4, abs_tol=1e-9)


@given(TEXTS, TEXTS)
@settings(max_examples=50)
def test_documents_on_lines_of_their_own_are_translated_as_if_alone(first, second):
    one, other, both = translator().translate([first, second, f"{first}\n{second}"])
    assert both.text == f"{one.text}\n{other.text}"
    assert both.flags == one.flags | other.flags


CAPITALS = st.lists(
    st.sampled_from([*{word.strip(" .,!?").upper() for word in WORDS}, "ÄÖÜ", "犬", "7", "-"]),
    max_size=6,
).map(lambda words: " ".join(["STRAßE", *words, "!"]))  # one sentence in either case


@given(CAPITALS)
@settings(max_examples=60)
def test_all_caps_is_translated_as_lower_case_and_put_back(text):
    capitals, lower = translator().translate([text, text.lower()], alternatives=1)
    assert capitals.text == lower.text.upper()
    assert math.isclose(capitals.score, lower.score, rel_tol=1e-4, abs_tol=1e-9)
    for one, other in zip(capitals.alternatives, lower.alternatives, strict=False):
        assert one.text == other.text.upper()


@given(TEXTS)
@settings(max_examples=60)
def test_text_in_ordinary_case_is_translated_as_it_stands(text):
    plan = translator().plan(text)
    assume(all(each.case is Case.ORDINARY for each in plan.segments))
    assert plan.sources == translator(truecase=False).plan(text).sources


@given(st.lists(TEXTS, max_size=4), st.integers(0, 1), st.randoms(use_true_random=False))
@settings(max_examples=40)
def test_plan_search_and_finish_in_any_order_are_translate(texts, alternatives, random):
    server = translator(max_source_pieces=6)
    plans = [server.plan(text) for text in texts]
    jobs = [(n, source) for n, plan in enumerate(plans) for source in plan.sources]
    order = list(range(len(jobs)))
    random.shuffle(order)
    found = server.search([jobs[place][1] for place in order], n_best=1 + alternatives)
    results = dict(zip(order, found, strict=True))
    finished = [
        server.finish(plan, [results[place] for place, job in enumerate(jobs) if job[0] == n])
        for n, plan in enumerate(plans)
    ]
    expected = server.translate(texts, alternatives=alternatives)
    for one, other in zip(finished, expected, strict=True):
        assert (one.text, one.flags) == (other.text, other.flags)
        further = [[each.text for each in found.alternatives] for found in (one, other)]
        assert further[0] == further[1]


@given(TEXTS, st.integers(2, 8))
@settings(max_examples=60)
def test_splitting_loses_no_word_and_is_flagged(text, limit):
    encode = tiny_tokenizers().source.encode
    whole = translator(truecase=False).plan(text)
    split = translator(truecase=False, max_source_pieces=limit).plan(text)
    assert split.document == whole.document
    assert tuple(plan.segment for plan in split.segments) == split.document.segments
    for plan in split.segments:
        ids = encode([plan.shown.text])[0]
        pieces, count = plan.sources, len(plan.sources)
        assert (count > 1) <= (len(ids) > limit)
        assert (count == 0) <= (len(ids) <= limit)
        # A cut may fall within a piece, and each part begins with the mark of a word. What it
        # spells is the same, unknown characters included.
        spelling = "".join(spelt(row) for row in pieces)
        assert spelling.replace("?", "") == spelt(ids).replace("?", "")
        assert ("?" in spelling) == ("?" in spelt(ids))


def spelt(ids) -> str:
    """The letters of tokens without their spaces, a question mark for the unknown."""
    pieces = tiny_tokenizers().source.pieces(ids)
    return "".join(
        "?" if token == UNKNOWN else piece.replace("▁", "").replace("?", "!")
        for token, piece in zip(ids, pieces, strict=True)
    )


@given(TEXTS)
@settings(max_examples=100)
def test_the_flag_for_unknown_characters_is_that_of_the_tokens(text):
    plan = translator().plan(text)
    (translation,) = translator().translate([text])
    unknown = any(UNKNOWN in source for source in plan.sources)
    assert (UNKNOWN_CHARACTERS in translation.flags) == unknown
    if any("\ud800" <= c <= "\udfff" for s in plan.document.segments for c in halves(s)):
        assert unknown


LETTERS = st.characters(categories=["Lu", "Ll", "Lt", "Lo", "Nd"])


@given(LETTERS)
@settings(max_examples=300)
def test_a_letter_that_the_bundled_vocabulary_cannot_spell_is_flagged(letter):
    known = {piece for piece in bundled_pieces() if len(piece) == 1}
    normal = unicodedata.normalize("NFKC", letter)
    plan = bundled().plan(f"Ein Hund {letter} bellt")
    flags = bundled().finish(plan, [[Hypothesis((5,), -1.0, -1.0, True)]]).flags
    if set(normal) <= known:
        assert UNKNOWN_CHARACTERS not in flags
    elif normal == letter:
        assert UNKNOWN_CHARACTERS in flags


@cache
def bundled_pieces() -> list[str]:
    source = bundled()._planner.tokenizers.source
    return source.pieces(range(len(source)))


def halves(text: str) -> str:
    """The lone surrogates of a text."""
    joined = text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    return "".join(c for c in joined if "\ud800" <= c <= "\udfff")


@given(st.lists(st.integers(0, 30), max_size=40), st.integers(1, 100), st.integers(1, 12))
def test_batches_have_every_source_once_and_keep_to_their_bounds(lengths, budget, most):
    found = list(batches(lengths, budget, most))
    assert sorted(n for batch in found for n in batch) == list(range(len(lengths)))
    for batch in found:
        assert batch
        assert len(batch) == 1 or len(batch) * (max(lengths[n] for n in batch) + 1) <= budget
        assert len(batch) <= most
