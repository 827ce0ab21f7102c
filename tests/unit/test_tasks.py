"""What a model is for: translating, answering or continuing, sentences or whole texts."""

import dataclasses
import json

import pytest
from pydantic import ValidationError

from mt.bundle import BundleConfig, load_bundle, save_bundle
from mt.card import model_card
from mt.config import Recipe, SearchConfig
from mt.errors import BundleError, InputError
from mt.text import whole_document
from mt.translator import Translator
from support.bundles import tiny_bundle


def bundle(search=None, **purpose):
    made = tiny_bundle()
    config = made.config.model_copy(update={**purpose, **({"search": search} if search else {})})
    return dataclasses.replace(made, config=config)


def test_what_a_model_is_for_is_written_only_where_it_is_not_to_translate_sentences(tmp_path):
    plain = tiny_bundle().config
    assert (plain.task, plain.segmentation) == ("translate", "sentences")
    assert not {"task", "segmentation"} & set(plain.model_dump())
    assert not {"task", "segmentation"} & set(json.loads(plain.model_dump_json()))
    save_bundle(tmp_path, bundle(task="answer", segmentation="whole"), "card")
    stored = load_bundle(tmp_path).config
    assert (stored.task, stored.segmentation) == ("answer", "whole")


@pytest.mark.parametrize("kind", [BundleConfig, Recipe])
def test_other_tasks_are_refused(kind):
    with pytest.raises(ValidationError, match="'translate', 'answer' or 'continue'"):
        kind.model_validate({"task": "sing"})


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("One. Two!\nThree?\n", ("One. Two! Three?",)),
        (" \t one  two \u2028 three\r\n", ("one  two three",)),
        ("?!", ("?!",)),
        (" \n\t", ()),
        ("", ()),
    ],
)
def test_a_whole_text_is_one_segment_whatever_it_holds(text, segments):
    document = whole_document(text, letterless=True)
    assert document.segments == segments
    ends = text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]
    assert document.gaps == (ends if segments else (text,))


@pytest.mark.parametrize("segmentation", ["sentences", "whole"])
def test_what_has_no_letter_is_answered_and_never_translated(segmentation):
    numbers = " 12.05.2023\n3,50 €\n2+2?"
    made = bundle(segmentation=segmentation)
    translating = Translator.from_bundle(made, engine="fp32")
    assert translating.plan(numbers).sources == ()
    assert translating.translate([numbers])[0].text == numbers
    (cut_elsewhere,) = translating.translate_segments(["2026"])
    assert (cut_elsewhere.text, cut_elsewhere.score) == ("2026", 1.0)
    answering = Translator.from_bundle(
        bundle(task="answer", segmentation=segmentation), engine="fp32"
    )
    assert answering.plan("2+2?").sources


def test_a_model_of_whole_texts_sees_two_sentences_as_one_segment():
    whole = Translator.from_bundle(bundle(segmentation="whole"), engine="fp32")
    split = Translator.from_bundle(bundle(), engine="fp32")
    text = "Guten Morgen.\nIch habe keine Zeit."
    assert len(whole.plan(text).segments) == 1
    assert len(split.plan(text).segments) == 2
    (result,) = whole.translate([text])
    assert result == dataclasses.replace(
        whole.translate(["Guten Morgen. Ich habe keine Zeit."])[0], alternatives=result.alternatives
    )


def test_a_whole_text_that_is_too_long_is_refused_and_never_cut():
    limit = SearchConfig(max_source_pieces=12)
    whole = Translator.from_bundle(bundle(limit, segmentation="whole"), engine="fp32")
    assert whole.translate(["Hast du Hunger?"])[0].flags <= {"truncated", "repeated"}
    with pytest.raises(InputError, match=r"pieces is too long.* at most 12 \(search"):
        whole.translate(["Hast du Hunger?", "Ein Hund läuft über die Wiese. Ich habe keine Zeit."])
    split = Translator.from_bundle(bundle(limit), engine="fp32")
    assert "split" in split.translate(["Ein Hund läuft über die Wiese und die Wiese."])[0].flags


def test_what_a_model_is_for_survives_other_decoding_options():
    answering = Translator.from_bundle(bundle(task="answer", segmentation="whole"), engine="fp32")
    other = answering.with_search(SearchConfig(beam_size=2))
    assert (other.task, other.segmentation) == ("answer", "whole")


def test_a_language_model_is_no_translator():
    with pytest.raises(BundleError, match="tiny-de-en is a language model"):
        Translator.from_bundle(bundle(task="continue"), engine="fp32")


def test_models_for_different_tasks_are_no_ensemble(tmp_path):
    for name, task in (("a", "translate"), ("b", "answer")):
        save_bundle(tmp_path / name, bundle(task=task), "card")
    with pytest.raises(BundleError, match="they differ in their task, translate and answer"):
        Translator.load_ensemble([tmp_path / "a", tmp_path / "b"])


def test_the_card_of_a_model_that_answers_says_so():
    made = bundle(task="answer", segmentation="whole")
    record = {name: value for name, value in made.record.items() if name != "bleu"}
    card = model_card(dataclasses.replace(made, record={**record, "exact": 61.25}))
    assert "A sequence-to-sequence LSTM question-answering model." in card
    assert "| Answers | questions in de, in en |" in card
    assert "| Longest segment | 100 pieces; longer texts are refused |" in card
    assert "| Validation exact match | 61.25, greedy," in card
    assert "BLEU" not in card
