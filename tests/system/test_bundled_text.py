"""Letter case and languages, with the vocabulary and the model that are shipped.

The figures are measured elsewhere; the tests here keep them from being lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from mt import Translator
from mt.corpus import read_pairs
from mt.explain import Explainer
from mt.flags import NUMBERS, TARGET_LANGUAGE
from mt.scoring import evaluate
from mt.text.casing import Case, restore
from mt.text.digits import find_runs


@pytest.fixture(scope="module")
def translator() -> Translator:
    return Translator.load()


def _texts(translator: Translator, sources: Sequence[str]) -> list[str]:
    return [translation.text for translation in translator.translate(sources)]


@pytest.mark.parametrize(
    "text", ["DER HUND BELLT.", "ICH HABE KEINE ZEIT.", "WO IST DER BAHNHOF?", "NEIN!"]
)
def test_capitals_are_translated_as_lower_case_and_put_back(
    translator: Translator, text: str
) -> None:
    capitals, lower = _texts(translator, [text, text.lower()])

    assert capitals == lower.upper()


def test_title_case_is_translated_as_lower_case_and_put_back(translator: Translator) -> None:
    title, lower = _texts(translator, ["Der Hund Bellt Im Garten.", "der hund bellt im garten."])

    assert title == restore(lower, Case.TITLE)


def test_each_line_of_a_document_is_judged_by_itself(translator: Translator) -> None:
    text = "WO IST DER BAHNHOF?\nGuten Morgen.\nwo ist der bahnhof?\n"

    assert _texts(translator, [text]) == [
        "WHERE IS THE STATION?\nGood morning.\nWhere is the station?\n"
    ]


def test_case_can_be_left_as_it_is(translator: Translator) -> None:
    config = translator.search_config
    as_written = translator.with_search(config.model_copy(update={"truecase": False}))

    assert [each.case for each in as_written.plan("DER HUND BELLT.").segments] == [Case.ORDINARY]
    assert as_written.plan("DER HUND BELLT.").sources != translator.plan("DER HUND BELLT.").sources


NUMBERED = {
    "de-en": [
        "Seine Schulden belaufen sich auf 2000 Dollar.",
        "Ich setze 10 Dollar auf das Pferd.",
    ],
    "en-de": [
        "In 1848, people came to California to dig for gold.",
        "The first American colonists arrived in the 17th century.",
    ],
}
"""Whose numbers the models, left to themselves, get wrong."""


@pytest.mark.parametrize("name", NUMBERED)
def test_digits_are_those_of_the_source_unless_they_are_left_to_the_model(name: str) -> None:
    translator, texts = Translator.load(name), NUMBERED[name]
    config = translator.search_config
    free = translator.with_search(config.model_copy(update={"copy_digits": False}))
    copied, drawn = translator.translate(texts, alternatives=4), free.translate(texts)
    for text, found, other in zip(texts, copied, drawn, strict=True):
        assert find_runs(found.text) == find_runs(text) != find_runs(other.text)
        assert (NUMBERS in found.flags, NUMBERS in other.flags) == (False, True)
        digits = {run for each in found.alternatives for run in find_runs(each.text)}
        assert digits <= {*find_runs(text)}
    explained = Explainer.load(name).explain(texts[0]).translation
    assert find_runs(explained) == find_runs(texts[0])


def test_a_prefix_may_have_other_digits(translator: Translator) -> None:
    (found,) = translator.translate(["Ich bin 17 Jahre alt."], prefixes=["I am 18"])
    assert found.text.startswith("I am 18")


def test_a_prefix_is_written_as_it_is_given(translator: Translator) -> None:
    (found,) = translator.translate(["DER HUND BELLT."], prefixes=["The dog"])

    assert found.text.startswith("The dog")
    assert not found.text.isupper()


def test_english_is_flagged_and_german_is_not(translator: Translator) -> None:
    texts = ["The dog is barking in the garden.", "Der Hund bellt im Garten.", "Taxi"]
    flagged = [TARGET_LANGUAGE in found.flags for found in translator.translate(texts)]

    assert flagged == [True, False, False]


@pytest.mark.shared
def test_held_out_sentences_count_as_ordinary(translator: Translator, corpora: Path) -> None:
    folder = corpora / "tatoeba-de-en"
    sources, _ = read_pairs([folder / "test.de.xz"], [folder / "test.en.xz"])

    odd = [
        text
        for text in sources
        if any(each.case is not Case.ORDINARY for each in translator.plan(text).segments)
    ]

    assert odd == []


@pytest.mark.shared
def test_held_out_sentences_in_capitals_are_understood(
    translator: Translator, corpora: Path
) -> None:
    folder = corpora / "tatoeba-de-en"
    sources, references = read_pairs([folder / "test.de.xz"], [folder / "test.en.xz"])

    found = _texts(translator, [text.upper() for text in sources[:100]])

    # As they are written, it is less than 1.
    assert evaluate(found, references[:100], interval=False)["bleu_lc"].value > 20
