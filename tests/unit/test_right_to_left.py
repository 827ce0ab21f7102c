"""Models that write the last token first: text keeps its order, tokens turn round once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mt.bundle import load_bundle, save_bundle
from mt.card import model_card
from mt.config import DataConfig, ModelConfig, SearchConfig
from mt.corpus import Corpus, Sentences, make_batch
from mt.corpus.augment import Augmented
from mt.corpus.filters import FilterReport
from mt.decoding import SearchTask, decode
from mt.engine import load_engine
from mt.ensemble import check_alike
from mt.errors import BundleError, InputError
from mt.likelihood import SCORED, force_pairs
from mt.parameters import Part
from mt.planning import Planner
from mt.tokenizer import RightToLeft
from mt.tokens import BEGIN, END, PAD
from mt.training.initial import Halves, Whole
from mt.translator import Translator
from support.bundles import SOURCES, TARGETS, tiny_bundle, tiny_tokenizers

BACKWARD = tiny_bundle(reverse_target=True)
DATA = DataConfig.model_validate(
    {
        "source_language": "de",
        "target_language": "en",
        "train_source": ["a"],
        "train_target": ["b"],
    }
)


def corpus(*, reverse_target: bool) -> Corpus:
    source = Sentences.of([[11], [12, 13], [14, 15]])
    target = Sentences.of([[5, 6, 7], [8], [9, 10]])
    return Corpus(source, target, FilterReport(3, 3, 0, 0, 0, 0), reverse_target=reverse_target)


def test_ids_turn_round_and_text_does_not() -> None:
    plain = tiny_tokenizers()
    pair = plain.writing(right_to_left=True)
    assert pair.source is plain.source
    assert pair.target.encode(TARGETS) == [ids[::-1] for ids in plain.target.encode(TARGETS)]
    assert pair.target.decode(pair.target.encode(TARGETS)) == TARGETS
    sampled = pair.target.sample(TARGETS, 0.5, seed=3)
    assert sampled == [ids[::-1] for ids in plain.target.sample(TARGETS, 0.5, seed=3)]
    assert pair.target.content == plain.target.content
    assert plain.writing(right_to_left=False) is plain


def test_a_pair_turns_round_once() -> None:
    with pytest.raises(AssertionError):
        tiny_tokenizers().writing(right_to_left=True).writing(right_to_left=True)


def test_each_sentence_turns_round_in_its_place() -> None:
    sentences = Sentences.of([[1, 2, 3], [], [4], [5, 6]])
    assert [row.tolist() for row in sentences.reversed()] == [[3, 2, 1], [], [4], [6, 5]]
    part = Sentences(sentences.ids, sentences.starts[2:])  # as blocks of a longer text are
    assert [row.tolist() for row in part.reversed()] == [[4], [6, 5]]
    assert len(Sentences.of([]).reversed()) == 0


def test_batches_have_the_targets_turned_round() -> None:
    batch = make_batch(corpus(reverse_target=True), [0, 2])
    assert batch.target.tolist() == [[7, 6, 5, END], [10, 9, END, PAD]]
    assert batch.previous.tolist() == [[BEGIN, 7, 6, 5], [BEGIN, 10, 9, END]]
    assert batch.source.tolist() == [[11, END, PAD], [14, 15, END]]
    forward = make_batch(corpus(reverse_target=False), [0, 2])
    assert forward.target.tolist() == [[5, 6, 7, END], [9, 10, END, PAD]]


def test_joined_pairs_turn_round_as_a_whole() -> None:
    # The target of "A B" is written B last word first, then A: joined first, turned round after.
    config = DATA.model_copy(update={"joined_share": 1.0})
    pairs = [
        Augmented(corpus(reverse_target=turned), tiny_tokenizers(), config, 1).epoch(0)
        for turned in (False, True)
    ]
    forward, backward = (make_batch(epoch, range(len(epoch))).target.numpy() for epoch in pairs)
    assert len(forward) < 3
    for ours, theirs in zip(forward, backward, strict=True):
        written = np.flatnonzero(ours == END)[0]
        assert theirs[:written].tolist() == ours[:written][::-1].tolist()


def test_translations_are_ordinary_text() -> None:
    sources = tiny_tokenizers().source.encode(SOURCES)
    found = decode(load_engine(BACKWARD), [*map(SearchTask, sources)], SearchConfig())
    expected = tiny_tokenizers().target.decode([best.tokens[::-1] for (best,) in found])
    translator = Translator.from_bundle(BACKWARD)
    assert translator.right_to_left
    assert [each.text for each in translator.translate(SOURCES)] == expected
    plain = Translator.from_bundle(tiny_bundle())
    assert not plain.right_to_left
    assert [each.text for each in plain.translate(SOURCES)] != expected


def test_given_translations_are_scored_from_their_end() -> None:
    source, target = tiny_tokenizers()
    pairs = list(zip(source.encode(SOURCES), target.encode(TARGETS), strict=True))
    expected = force_pairs(
        load_engine(BACKWARD), [(ids, own[::-1]) for ids, own in pairs], SearchConfig()
    )
    found = Translator.from_bundle(BACKWARD).score(SOURCES, TARGETS)
    assert {pair.status for pair in found} == {SCORED}
    assert [pair.log_probabilities for pair in found] == expected
    assert found[0].pieces == (*target.pieces(pairs[0][1][::-1]), "</s>")


def test_a_translation_and_its_score_agree() -> None:
    translator = Translator.from_bundle(BACKWARD)
    source = SOURCES[4]
    ((best,),) = translator.search(translator.plan(source).sources)
    text = translator.translate([source])[0].text
    ids = translator._planner.tokenizers.target.encode([text])[0]
    if tuple(ids) == best.tokens and best.finished:  # else the text has other pieces of its own
        (pair,) = translator.score([source], [text])
        assert pair.log_probability == pytest.approx(best.log_probability, abs=1e-4)


def test_a_prefix_is_refused() -> None:
    translator = Translator.from_bundle(BACKWARD)
    with pytest.raises(InputError, match="a right-to-left model"):
        translator.translate(["Guten Morgen."], prefixes=["Good"])
    assert (
        translator.translate(["Guten Morgen."], prefixes=[""])[0].text
        == translator.translate(["Guten Morgen."])[0].text
    )


def test_one_vocabulary_for_both_sides_is_still_one() -> None:
    for bundle in (tiny_bundle(joint=True), tiny_bundle(joint=True, reverse_target=True)):
        assert Planner.of(bundle)._suspicious("Good morning, how are you?")


def test_training_goes_on_only_in_the_same_order(tmp_path: Path) -> None:
    save_bundle(tmp_path, BACKWARD, model_card(BACKWARD))
    forward = tiny_bundle().config.model
    halves: list[Part] = ["encoder", "decoder"]
    starts = [Whole(tmp_path, DATA), *(Halves({h: tmp_path}, DATA, joint=False) for h in halves)]
    for start, option in zip(starts, ("init_from", None, "init_decoder"), strict=True):
        start.model(BACKWARD.config.model)
        if option is None:
            start.model(forward)
        else:
            with pytest.raises(BundleError, match=f"{option}: tiny-de-en has not model.reverse_t"):
                start.model(forward)


def test_models_of_both_orders_are_no_ensemble() -> None:
    with pytest.raises(BundleError, match="in their target order, left to right and right to left"):
        check_alike(["one", "other"], [tiny_bundle(), BACKWARD])
    check_alike(["one", "other"], [BACKWARD, tiny_bundle(reverse_target=True, context_size=7)])


def test_a_model_folder_keeps_the_order_and_names_it_only_where_it_is_turned(
    tmp_path: Path,
) -> None:
    for name, bundle in (("forward", tiny_bundle()), ("backward", BACKWARD)):
        save_bundle(tmp_path / name, bundle, model_card(bundle))
    backward = load_bundle(tmp_path / "backward")
    assert backward.config.model.reverse_target
    assert not isinstance(backward.tokenizers.target, RightToLeft)  # as the file has it
    assert "reverse_target = True" in model_card(backward)
    assert Translator.load(tmp_path / "backward").right_to_left
    (config,) = (tmp_path / "forward").glob("config-*.json")
    assert "reverse_target" not in config.read_text()
    assert not load_bundle(tmp_path / "forward").config.model.reverse_target
    assert "reverse_target" not in ModelConfig().model_dump()
    assert replace(backward).config.model.model_dump()["reverse_target"] is True
