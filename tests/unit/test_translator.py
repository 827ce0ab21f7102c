"""The way through the library, on a script: each word has one translation, known beforehand.

The engine here reads off a table which token comes at which place and how likely it is, so that
texts, scores and alternatives can be told with a pencil.
"""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray

import mt
import mt.errors
import mt.translator
from mt.alignment import WordAligner
from mt.config import SearchConfig
from mt.errors import BundleError, ConfigError, InputError, MTError
from mt.flags import COPIED, EMPTY, REPEATED, SPLIT, TRUNCATED, UNKNOWN_CHARACTERS
from mt.lexicon import PARTNERS, Lexicon
from mt.planning import Planner
from mt.search import TopScorer
from mt.tokenizer import TokenizerPair
from mt.tokens import BEGIN, END, PAD, UNKNOWN
from mt.translation import Alternative, Translation
from mt.translator import Translator
from support.bundles import SOURCES, save_tiny_bundle, tiny_bundle

WORDS = {
    "Hallo.": "Hello.",
    "Welt.": "World.",
    "ein": "a",
    "zwei": "two",
    "Hund": "dog",
    "Hunde": "dogs",
    "läuft": "runs",
    "bellt,": "barks,",
    "sehr": "very",
    "OK": "OK",
    "Taxi": "taxi",
    "Hotdog": "hotdog",
    "ja": "yes",
}
GERMAN, ENGLISH = list(WORDS), list(WORDS.values())

Places = Sequence[Mapping[int, float]]
"""What may be written at each place of a translation, with its probability; then END."""
Script = Callable[[Sequence[int]], Places]
"""The places of a source's translation."""


class Words:
    """A tokenizer of whole words; any other word is the unknown token."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = words

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        return [[self._id(word) for word in text.split()] for text in texts]

    def decode(self, rows: Sequence[Sequence[int]]) -> list[str]:
        return [" ".join(self.words[n - END - 1] for n in row if n > END) for row in rows]

    def _id(self, word: str) -> int:
        return self.words.index(word) + END + 1 if word in self.words else UNKNOWN


def en(word: str) -> int:
    return ENGLISH.index(word) + END + 1


@dataclass(frozen=True)
class ScriptState:
    """For each row its script and how many tokens it has written."""

    rows: tuple[tuple[Places, int], ...]

    def select(self, rows: NDArray[np.int64]) -> ScriptState:
        return ScriptState(tuple(self.rows[row] for row in rows.tolist()))


def word_by_word(source: Sequence[int]) -> Places:
    """Every known word by its translation, certainly."""
    return [{token: 1.0} for token in source if token != UNKNOWN]


@dataclass
class ScriptedEngine:
    """Follows a script a source, and notes what it is given."""

    script: Script = word_by_word
    name: str = "script"
    begin: int = BEGIN
    end: int = END
    batches: list[list[tuple[int, ...]]] = field(default_factory=list)

    def start(self, sources: Sequence[Sequence[int]], *, shortlist: int = 0) -> ScriptState:
        self.batches.append([tuple(source) for source in sources])
        return ScriptState(tuple((self.script(source), 0) for source in sources))

    def step(
        self, previous: NDArray[np.int64], state: ScriptState
    ) -> tuple[NDArray[np.float64], ScriptState]:
        probabilities = np.zeros((len(previous), len(WORDS) + END + 1))
        for row, (places, place) in zip(probabilities, state.rows, strict=True):
            tokens = places[place] if place < len(places) else {END: 1.0}
            row[list(tokens)] = list(tokens.values())
        with np.errstate(divide="ignore"):
            scores = np.log(probabilities)
        return scores, ScriptState(tuple((places, place + 1) for places, place in state.rows))


def translator(script: Script = word_by_word, **search: float) -> Translator:
    tokenizers = TokenizerPair(Words(GERMAN), Words(ENGLISH))
    planner = Planner("scripted", tokenizers, SearchConfig(**search), "de", "en")
    return Translator(ScriptedEngine(script), planner)


def always(*words: str) -> Script:
    """The same words whatever the source."""
    return lambda source: [{en(word): 1.0} for word in words]


def one(text: str, script: Script = word_by_word, **search: float) -> Translation:
    (translation,) = translator(script, **search).translate([text])
    return translation


# Text


def test_words_are_translated():
    assert one("ein Hund läuft") == Translation("a dog runs", score=1.0)


@pytest.mark.parametrize(
    ("text", "translation"),
    [
        ("ein Hund", "a dog"),
        ("ein Hund\n", "a dog\n"),
        ("ein Hund\r\nzwei Hunde\r\n", "a dog\r\ntwo dogs\r\n"),
        ("\n\nein Hund\n\n\nzwei Hunde", "\n\na dog\n\n\ntwo dogs"),
        ("ein Hund\u2028zwei Hunde\x85", "a dog\u2028two dogs\x85"),
        ("ein Hund\tzwei Hunde", "a dog\ttwo dogs"),
        ("  ein Hund  ", "  a dog  "),
        ("\ufeffein Hund", "\ufeffa dog"),
        ("Hallo. Welt.", "Hello. World."),
        ("Hallo.   Welt.", "Hello.   World."),
    ],
)
def test_white_space_around_sentences_survives(text, translation):
    assert one(text).text == translation


@pytest.mark.parametrize("text", ["", " ", "\n", "---", "\n***\r\n", "👍🏽", "\t…\t", "\ud800"])
def test_a_text_without_words_passes_as_it_is(text):
    assert one(text) == Translation(text, score=1.0)


def test_a_segment_without_tokens_passes_as_it_is():
    # A tokenizer's normalisation may leave nothing of what looks like a letter.
    blind = translator()
    blind._planner.tokenizers.source.encode = lambda texts: [[] for _ in texts]
    assert blind.translate(["ein Hund"]) == [Translation("ein Hund", score=1.0)]


def test_what_is_the_same_in_every_language_is_kept_beside_the_words_around_it():
    text = "ein Hund {name} läuft\n{{ x }} zwei Hunde max@example.com\n%s"
    whole = "a dog {name} runs\n{{ x }} two dogs max@example.com\n%s"
    assert one(text) == Translation(whole, score=1.0)


def test_it_is_the_models_own_affair_where_that_is_asked_for_or_a_prefix_is_given():
    lost = one("ein {name} Hund", keep_verbatim=False)
    assert (lost.text, lost.flags) == ("a dog", {UNKNOWN_CHARACTERS})
    assert begun("zwei {name} Hunde", "two").text == begun("zwei XYZ Hunde", "two").text


def test_texts_come_back_in_their_order():
    texts = ["ein Hund läuft", "ja", "", "zwei Hunde", "sehr sehr OK Taxi ja", "ein"]
    translations = translator().translate(texts)
    expected = ["a dog runs", "yes", "", "two dogs", "very very OK taxi yes", "a"]
    assert [translation.text for translation in translations] == expected


def test_no_texts_have_no_translations():
    assert translator().translate([]) == []


def test_one_text_is_no_list_of_texts():
    with pytest.raises(AssertionError, match="not one text"):
        translator().translate("ein Hund")


def test_lines_never_move_whatever_the_model_writes():
    lines = translator(always("dog"))
    lines._planner.tokenizers.target.words = [word.replace("dog", "dog\ncat\r") for word in ENGLISH]
    assert lines.translate(["Hallo.\nWelt.\n"])[0].text == "dog cat \ndog cat \n"


# Score


def test_the_score_is_the_geometric_mean_of_the_tokens_written():
    def script(source):
        return [{en("a"): 0.9}, {en("dog"): 0.8}, {END: 0.5}]

    # "a", "dog" and the end.
    assert one("ein Hund", script).score == pytest.approx((0.9 * 0.8 * 0.5) ** (1 / 3))


def test_the_score_is_over_all_segments():
    def script(source):
        return [{token: 0.5} for token in source] + [{END: 0.25}]

    # 3 words and 2 ends.
    found = one("ein Hund\nja\n", script).score
    assert found == pytest.approx((0.5**3 * 0.25**2) ** (1 / 5))


def test_an_end_that_was_never_written_is_not_scored():
    def script(source):
        return [{en("very"): 0.5}] * 100

    translation = one("sehr", script, max_length_ratio=2, max_length_extra=1)
    assert translation.text == "very very very"
    assert translation.score == pytest.approx(0.5)


# Flags


def test_a_good_translation_has_no_flag():
    assert one("ein Hund läuft\nHallo. Welt.").flags == frozenset()


def test_a_translation_that_reaches_its_limit_is_flagged():
    words = ["a", "dog", "runs", "two", "dogs"]
    limits = {"max_length_ratio": 1.5, "max_length_extra": 1}  # 2 pieces may have 4 pieces
    assert one("ein Hund", always(*words[:4]), **limits) == Translation("a dog runs two", 1.0)
    long = one("ein Hund", always(*words), **limits)
    assert long == Translation("a dog runs two", 1.0, frozenset({TRUNCATED}))


def test_one_truncated_segment_flags_the_text():
    def script(source):
        endless = [{en("dog"): 1.0}, {en("runs"): 1.0}] * 50
        return endless if len(source) == 2 else word_by_word(source)

    assert TRUNCATED in one("ja\nein Hund\nja", script).flags


@pytest.mark.parametrize(
    "words",
    [
        ["very", "very", "very"],
        ["a", "dog", "a", "dog", "a", "dog"],
        ["yes", "a", "dog", "runs", "a", "dog", "runs", "a", "dog", "runs", "OK"],
        ["two", "dogs", "very", "OK"] * 3,
    ],
)
def test_words_repeated_three_times_are_flagged(words):
    assert one("ein Hund läuft ja Taxi", always(*words)).flags == {REPEATED}


@pytest.mark.parametrize(
    "words",
    [
        ["very", "very"],
        ["a", "dog", "a", "dog"],
        ["very", "dog", "very", "dogs", "very"],
        ["two", "dogs", "very", "OK", "yes"] * 2,
        ["dog", "dogs", "dog", "dogs"],
        ["dog", "dog", "dogs"],
        ["hotdog", "dog", "dog"],
    ],
)
def test_words_repeated_less_are_not(words):
    assert one("ein Hund läuft ja Taxi", always(*words)).flags == frozenset()


def test_five_words_repeated_are_not_flagged():
    words = ["two", "dogs", "very", "OK", "yes"] * 3
    assert one("ein Hund läuft ja Taxi", always(*words)).flags == frozenset()


@pytest.mark.parametrize("space", [" ", "  ", "\xa0", " \u3000"])
def test_repetition_that_was_in_the_source_is_not_flagged(space):
    assert one(f"ein sehr{space}sehr{space}sehr ja").flags == frozenset()


def test_repetition_is_looked_for_segment_by_segment():
    assert one("sehr\nsehr\nsehr").flags == frozenset()
    # The repetition of one segment does not excuse that of another.
    script = always("very", "very", "very")
    assert one("sehr sehr sehr\nein Hund", script).flags == {REPEATED}


def test_a_copy_is_flagged():
    def script(source):
        return [{en("OK"): 1.0}, {en("taxi"): 1.0}]

    assert one("OK Taxi", script) == Translation("OK taxi", 1.0, frozenset({COPIED}))
    assert COPIED in one("OK  Taxi", script).flags
    assert COPIED in one("Hallo.\nOK Taxi\n", script).flags


def test_a_single_word_may_stay():
    assert one("Taxi").flags == frozenset()
    assert one("OK").flags == frozenset()


def test_what_has_no_words_is_no_copy():
    assert one("--- ---").flags == frozenset()


def test_a_partial_copy_is_not_flagged():
    assert one("OK Taxi ja").flags == frozenset()


def test_a_segment_translated_to_nothing_is_flagged():
    assert EMPTY in one("Hallo.\nOK Taxi", always()).flags
    assert EMPTY not in one("Hallo.\n\n---\n").flags


def test_unknown_characters_are_flagged():
    assert one("ein 犬 läuft") == Translation("a runs", 1.0, frozenset({UNKNOWN_CHARACTERS}))
    assert UNKNOWN_CHARACTERS in one("ein Hund\n犬").flags


def test_unknown_characters_outside_of_sentences_are_kept_and_not_flagged():
    assert one("ein Hund\n☃\n") == Translation("a dog\n☃\n", 1.0)


def test_half_a_surrogate_pair_is_flagged_by_a_real_tokenizer():
    real = Translator.from_bundle(tiny_bundle()).with_search(SearchConfig(beam_size=1))
    broken, whole, replaced = real.translate(["Der Hund\ud800", "Der Hund", "Der Hund\ufffd"])
    assert UNKNOWN_CHARACTERS in broken.flags
    assert UNKNOWN_CHARACTERS in replaced.flags
    assert UNKNOWN_CHARACTERS not in whole.flags


def test_a_long_segment_is_split_flagged_and_whole():
    text = "ein Hund bellt, zwei Hunde sehr sehr OK"
    translation = one(text, max_source_pieces=3)
    assert translation == Translation("a dog barks, two dogs very very OK", 1.0, frozenset({SPLIT}))


def test_the_parts_of_a_split_segment_are_no_longer_than_allowed():
    splitter = translator(max_source_pieces=3)
    plan = splitter.plan("ein Hund bellt, zwei Hunde sehr sehr OK")
    assert max(map(len, plan.sources)) <= 3
    assert [token for part in plan.sources for token in part] == [
        GERMAN.index(word) + END + 1
        for word in ["ein", "Hund", "bellt,", "zwei", "Hunde", "sehr", "sehr", "OK"]
    ]
    assert len(plan.segments) == 1


def test_the_longest_segment_allowed_is_not_split():
    assert one("ein Hund läuft", max_source_pieces=3).flags == frozenset()
    assert one("ein Hund läuft ja", max_source_pieces=3).flags == {SPLIT}


def test_a_part_without_a_translation_leaves_no_double_space():
    def script(source):
        return word_by_word([token for token in source if token != en("very")])

    assert (
        one("ein Hund sehr sehr zwei Hunde", script, max_source_pieces=2).text == "a dog two dogs"
    )


def test_split_segments_stand_between_others():
    translation = one("ja\nein Hund läuft sehr sehr\nzwei Hunde\n", max_source_pieces=2)
    assert translation.text == "yes\na dog runs very very\ntwo dogs\n"


# Being stopped


def test_a_check_is_called_before_each_step():
    calls = []
    checked = translator().with_check(lambda: calls.append(1))
    assert checked.translate(["ein Hund läuft"]) == [one("ein Hund läuft")]
    assert len(calls) == 5  # before the source is read, three words and the end


def test_what_a_check_raises_ends_the_call_between_two_steps():
    left = [1, 1, 1]

    class EnoughError(Exception): ...

    def check():
        if not left:
            raise EnoughError
        left.pop()

    stopped = translator().with_check(check)
    with pytest.raises(EnoughError):
        stopped.translate(["ein Hund läuft"])


def test_a_checked_engine_picks_its_best_tokens_itself_as_before():
    real, calls = Translator.from_bundle(tiny_bundle()), []
    checked = real.with_check(lambda: calls.append(1))
    assert isinstance(real._engine, TopScorer)
    assert isinstance(checked._engine, TopScorer)
    assert checked.translate(SOURCES[:6]) == real.translate(SOURCES[:6])
    assert calls


# Alternatives


def choices(source: Sequence[int]) -> Places:
    if len(source) == 1:
        return [{en("dog"): 0.5, en("dogs"): 0.3, en("taxi"): 0.15, en("yes"): 0.05}]
    return [{en("a"): 1.0}, {en("dog"): 0.6, en("dogs"): 0.4}]


def alternatives(translation: Translation) -> tuple[str, ...]:
    return tuple(alternative.text for alternative in translation.alternatives)


def test_no_alternatives_unless_asked_for():
    assert one("Hund", choices).alternatives == ()


@pytest.mark.parametrize("count", [1, 2, 3])
def test_as_many_alternatives_as_asked_for_better_ones_first(count):
    (translation,) = translator(choices).translate(["Hund"], alternatives=count)
    assert translation.text == "dog"
    assert alternatives(translation) == ("dogs", "taxi", "yes")[:count]


def test_fewer_alternatives_where_the_model_has_no_more():
    found = translator(choices).translate(["Hund", "ein Hund", "ja ja"], alternatives=4)
    assert list(map(alternatives, found)) == [
        ("dogs", "taxi", "yes"),
        ("a dogs",),
        ("a dogs",),
    ]


def test_alternatives_are_of_the_whole_text():
    (translation,) = translator(choices).translate(["Hund\n\nein Hund\n"], alternatives=3)
    assert translation.text == "dog\n\na dog\n"
    assert alternatives(translation) == (
        "dogs\n\na dogs\n",
        "taxi\n\na dogs\n",
        "yes\n\na dogs\n",
    )


def test_an_alternative_has_a_score_of_its_own():
    (translation,) = translator(choices).translate(["Hund\nein Hund"], alternatives=2)
    # "dogs" is 0.3 and "taxi" 0.15; "a dogs" 1.0 * 0.4, the last it has. Both ends are certain.
    assert translation.alternatives == (
        Alternative("dogs\na dogs", pytest.approx((0.3 * 0.4) ** (1 / 5))),
        Alternative("taxi\na dogs", pytest.approx((0.15 * 0.4) ** (1 / 5))),
    )


def test_alternatives_are_distinct_texts():
    same = translator(choices)
    same._planner.tokenizers.target.words = [word.replace("dogs", "dog") for word in ENGLISH]
    (translation,) = same.translate(["Hund"], alternatives=3)
    assert translation.text == "dog"
    assert alternatives(translation) == ("taxi", "yes")


def test_alternatives_do_not_change_the_translation():
    real = Translator.from_bundle(tiny_bundle())
    plain, more = (real.translate(SOURCES[:6], alternatives=count) for count in (0, 4))
    assert [translation.text for translation in plain] == [translation.text for translation in more]
    assert all(len({*alternatives(t), t.text}) == 1 + len(t.alternatives) for t in more)
    assert any(len(translation.alternatives) == 4 for translation in more)


def test_a_text_without_words_has_no_alternative():
    assert translator().translate(["---"], alternatives=4)[0] == Translation("---", 1.0)


def test_more_alternatives_than_the_beam_holds_are_refused():
    with pytest.raises(ConfigError) as caught:
        translator(choices).translate(["Hund"], alternatives=5)
    assert str(caught.value) == (
        "6 translations of a text, 5 of them alternatives, are more than a beam of 5 can hold: "
        "at most 5"
    )
    with pytest.raises(ConfigError):
        translator(choices, beam_size=1).translate([], alternatives=1)


def test_the_length_penalty_decides_between_short_and_long():
    def script(source):
        return [{END: 0.5, en("dog"): 0.4}]

    # log 0.5 against log 0.4 divided by (7 / 6) ** alpha.
    assert one("Hund", script, length_penalty=0).text == ""
    assert one("Hund", script, length_penalty=5).text == "dog"


# Prefixes


def two_ways(source: Sequence[int]) -> Places:
    return [{en("a"): 0.7, en("two"): 0.3}, {en("dog"): 0.6, en("dogs"): 0.4}]


def begun(text: str, prefix: str, script: Script = two_ways, **search: float) -> Translation:
    (translation,) = translator(script, **search).translate([text], prefixes=[prefix])
    return translation


def test_a_translation_begins_with_its_prefix_which_counts():
    assert one("zwei Hunde", two_ways).text == "a dog"
    translation = begun("zwei Hunde", "two")
    assert translation.text == "two dog"
    assert translation.score == pytest.approx((0.3 * 0.6 * 1.0) ** (1 / 3))


@pytest.mark.parametrize("prefix", ["two dogs", "  two   dogs ", "two\tdogs\n"])
def test_white_space_of_a_prefix_is_single_spaces(prefix):
    assert begun(" zwei Hunde\n", prefix).text == " two dogs\n"


@pytest.mark.parametrize("prefix", ["", " "])
@pytest.mark.parametrize("text", ["zwei Hunde\nja", "ZWEI HUNDE"])
def test_a_blank_prefix_asks_for_nothing(text, prefix):
    assert begun(text, prefix) == one(text, two_ways)


def test_each_text_has_its_own_prefix():
    texts = ["ein Hund", "ja\nja", "zwei Hunde", "---"]
    found = translator(two_ways).translate(texts, prefixes=["a dogs", "", "two", ""])
    assert [t.text for t in found] == ["a dogs", "a dog\na dog", "two dog", "---"]


def test_alternatives_begin_with_the_prefix_too():
    (translation,) = translator(two_ways).translate(["ja"], alternatives=2, prefixes=["two"])
    assert (translation.text, *alternatives(translation)) == ("two dog", "two dogs")


@pytest.mark.parametrize(("text", "count"), [("ja\nja", 2), ("---", 0)])
def test_a_prefix_needs_a_text_of_one_sentence(text, count):
    with pytest.raises(InputError) as caught:
        begun(text, "two")
    assert str(caught.value) == (
        f"the prefix 'two' needs a text of one sentence; its text has {count}"
    )


def test_a_prefix_needs_a_sentence_that_is_not_cut():
    with pytest.raises(InputError) as caught:
        begun("ein Hund ein Hund ein Hund", "two", max_source_pieces=4)
    assert str(caught.value) == (
        "the prefix 'two' needs a sentence of at most 4 pieces; its text is cut into 2"
    )


def test_a_prefix_that_cannot_be_written_is_refused():
    with pytest.raises(InputError, match=r"^the prefix 'two 犬' has characters the model cannot"):
        begun("zwei Hunde", "two 犬")


def test_as_many_prefixes_as_texts_are_needed():
    with pytest.raises(ValueError, match="zip"):
        translator().translate(["ja", "ja"], prefixes=["yes"])


def test_the_beginning_of_a_translation_gives_it_again():
    greedy = Translator.from_bundle(tiny_bundle()).with_search(SearchConfig(beam_size=1))
    target = tiny_bundle().tokenizers.target
    checked = 0
    for text, translation in zip(SOURCES, greedy.translate(SOURCES), strict=True):
        ((best,),) = greedy.search(greedy.plan(text).sources)
        (beginning,) = target.decode([best.tokens[:3]])
        (begun,) = greedy.translate([text], prefixes=[beginning])
        assert begun.text.startswith(beginning)
        # A model without training may spell a word as the tokenizer would not.
        if target.encode([beginning]) == [list(best.tokens[:3])]:
            assert begun.text == translation.text
            checked += 1
    assert checked > 5


# Draws


def test_drawn_translations_are_the_texts_own():
    drawing = Translator.from_bundle(tiny_bundle()).with_search(SearchConfig(temperature=1.0))
    texts = SOURCES[:6]
    found = drawing.translate(texts, alternatives=6)  # more than a beam holds
    assert any(len(translation.alternatives) == 6 for translation in found)
    assert [t.text for t in drawing.translate(texts[::-1])][::-1] == [t.text for t in found]
    other = drawing.with_search(SearchConfig(temperature=1.0, seed=2)).translate(texts)
    assert [t.text for t in other] != [t.text for t in found]


# Batches


def batches_of(texts: Sequence[str], **search: float) -> list[list[tuple[int, ...]]]:
    working = translator(**search)
    found = working.translate(texts)
    assert [t.text for t in found] == [
        " ".join(WORDS[word] for word in text.split()) for text in texts
    ]
    return working._engine.batches


def test_batches_stay_within_their_budget_end_tokens_included():
    texts = [" ".join(["ja", "sehr"] * n) for n in (1, 4, 2, 3, 1, 2, 4, 1)]
    batches = batches_of(texts, batch_tokens=18)
    lengths = [[len(source) for source in batch] for batch in batches]
    assert lengths == [[8, 8], [6, 4], [4, 2, 2], [2]]


def test_a_source_over_budget_is_translated_by_itself():
    batches = batches_of(["ja", "ja sehr ja sehr ja", "ja"], batch_tokens=4)
    assert [[len(source) for source in batch] for batch in batches] == [[5], [1, 1]]


def test_everything_goes_at_once_if_it_fits():
    assert len(batches_of(["ja", "ein Hund"] * 10, batch_tokens=60)) == 1
    assert len(batches_of(["ja", "ein Hund"] * 10, batch_tokens=59)) == 2


def test_hypotheses_are_bounded_too_in_whole_sentences():
    texts = ["ja", "ein Hund"] * 10
    assert len(batches_of(texts, beam_size=2, batch_rows=40)) == 1
    assert len(batches_of(texts, beam_size=2, batch_rows=39)) == 2
    assert len(batches_of(texts, beam_size=2, batch_rows=1)) == 20


def test_nothing_is_searched_where_there_is_nothing():
    working = translator()
    assert working.search([]) == []
    working.translate(["", "---"])
    assert working._engine.batches == []


# In three parts


def test_plan_search_and_finish_are_translate():
    texts = ["Hallo. Welt.", "", "ein Hund\n\nzwei Hunde läuft 犬 ja\n", "---"]
    parts = translator(choices, max_source_pieces=2)
    plans = [parts.plan(text) for text in texts]
    # All texts of a server together, and in another order.
    sources = [source for plan in reversed(plans) for source in plan.sources]
    results = iter(parts.search(sources, n_best=3))
    found = [parts.finish(plan, [next(results) for _ in plan.sources]) for plan in reversed(plans)]
    assert found[::-1] == parts.translate(texts, alternatives=2)


def test_a_plan_says_what_becomes_of_each_segment():
    plan = translator(max_source_pieces=2).plan("ja\n---\nein Hund läuft\n")
    assert plan.document.segments == ("ja", "ein Hund läuft")
    assert [len(segment.sources) for segment in plan.segments] == [1, 2]
    assert [len(source) for source in plan.sources] == [1, 2, 1]


def test_results_of_another_plan_are_refused():
    working = translator()
    with pytest.raises(AssertionError):
        working.finish(working.plan("ja\nja"), working.search([(5,)]))


# Loading


def test_a_stored_model_translates_as_it_did(tmp_path):
    stored = Translator.load(save_tiny_bundle(tmp_path))
    fresh = Translator.from_bundle(tiny_bundle())
    assert stored.translate(SOURCES[:4]) == fresh.translate(SOURCES[:4])
    assert Translator.load(str(tmp_path)).identity == stored.identity != ""
    assert fresh.identity == ""


def test_a_translator_says_what_it_is():
    real = Translator.from_bundle(tiny_bundle())
    assert (real.name, real.source_language, real.target_language) == ("tiny-de-en", "de", "en")
    assert real.engine == "int8"
    assert real.search_config == SearchConfig()


def test_words_are_linked_by_the_table_of_the_model_where_asked_for():
    bundle = tiny_bundle()
    partners = np.full((120, PARTNERS), PAD, np.uint16)
    partners[:, 0] = np.arange(120)
    table = Lexicon(np.array([END], np.uint16), partners)
    linking = Translator.from_bundle(dataclasses.replace(bundle, lexicon=table))
    asked = linking.translate_segments(SOURCES[:4], alternatives=1, links=True)
    plain = linking.translate_segments(SOURCES[:4], alternatives=1)
    aligner = WordAligner(table, bundle.tokenizers)
    for source, each, unlinked in zip(SOURCES[:4], asked, plain, strict=True):
        for candidate, other in zip(each.candidates, unlinked.candidates, strict=True):
            assert candidate == other._replace(links=aligner.align(source, candidate.text))
    assert any(each.candidates[0].links for each in asked)
    without = Translator.from_bundle(bundle)
    assert without.translate_segments(SOURCES[:4], alternatives=1, links=True) == plain


def test_other_decoding_options_are_another_translator():
    table = Lexicon(np.array([END], np.uint16), np.full((120, PARTNERS), PAD, np.uint16))
    real = Translator.from_bundle(
        dataclasses.replace(tiny_bundle(), identity="3f0c", lexicon=table)
    )
    greedy = real.with_search(SearchConfig(beam_size=1))
    assert real.search_config.beam_size == 5
    assert greedy.search_config.beam_size == 1
    assert greedy.identity == "3f0c"
    assert greedy.lexicon_identity == real.lexicon_identity != ""
    for attribute in ("name", "source_language", "target_language", "engine", "identity"):
        assert getattr(greedy, attribute) == getattr(real, attribute)
    texts = [[t.text for t in side.translate(SOURCES)] for side in (real, greedy)]
    assert texts[0] != texts[1]


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(BundleError, match="is not a model folder"):
        Translator.load(tmp_path / "nowhere")


# import mt


def run(program: str) -> None:
    subprocess.run([sys.executable, "-c", program], check=True)


def test_importing_the_library_does_not_import_torch():
    run(
        "import sys, mt, mt.errors, mt.config\n"
        "assert mt.MTError is mt.errors.MTError and mt.__version__\n"
        "assert not {'torch', 'numpy', 'sentencepiece', 'mt.translator'} & set(sys.modules)"
    )


def test_names_of_the_library_are_those_of_their_homes():
    assert mt.Translator is Translator
    assert mt.Translation is Translation
    assert mt.MTError is MTError
    assert all(getattr(mt, name) for name in mt.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"^module 'mt' has no attribute 'Translater'$"):
        _ = mt.Translater
    with pytest.raises(ImportError):
        from mt import Translater  # noqa: F401
