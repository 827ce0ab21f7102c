"""The reference engine: what it lets be written, and what it accepts as a bundle's weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from mt.bundle import Bundle, BundleConfig
from mt.config import ModelConfig, SearchConfig, TokenizerConfig
from mt.engine import load_engine
from mt.engine.reference import TorchEngine
from mt.errors import BundleError
from mt.model import Seq2Seq
from mt.parameters import half_precision, load_model, trained_parameters
from mt.search import TopScorer, search
from mt.tokenizer import TokenizerPair, train_tokenizers
from mt.tokens import BEGIN, END, PAD, UNKNOWN
from support.models import TARGET_SIZE, padded, tiny_config, tiny_model

SOURCES = [[4, 5, 6], [7], [], [8, 9]]
NEVER = [PAD, UNKNOWN, BEGIN]
ALLOWED = [token for token in range(TARGET_SIZE) if token not in NEVER]


# Steps


def test_a_row_spreads_all_probability_over_the_tokens_that_may_be_written() -> None:
    rows = first_step(tiny_model(1))
    assert rows.shape == (len(SOURCES), TARGET_SIZE)
    assert (rows[:, NEVER] == -np.inf).all()
    assert np.isfinite(rows[:, ALLOWED]).all()
    assert np.exp(rows).sum(axis=1) == pytest.approx(1)


def test_a_step_is_the_models_renormalised_over_those_tokens() -> None:
    model = tiny_model(1)
    source, lengths = padded([[*source, END] for source in SOURCES])  # the engine adds the end
    with torch.no_grad():
        state = model.encode(source, lengths)
        logits, _ = model.step(torch.full((len(SOURCES),), BEGIN), state)
    expected = logits[:, ALLOWED].log_softmax(dim=1).numpy()
    np.testing.assert_allclose(first_step(model)[:, ALLOWED], expected, rtol=0, atol=1e-6)


def test_a_model_in_training_is_not_asked() -> None:
    with pytest.raises(AssertionError, match=r"model\.eval\(\)"):
        TorchEngine(tiny_model(1).train()).start(SOURCES)


def test_rows_of_a_state_can_be_picked_reordered_and_repeated() -> None:
    engine = TorchEngine(tiny_model(1))
    state = engine.start(SOURCES)
    previous = np.array([4, 5, 6, 7])
    rows = np.array([3, 3, 0, 1, 2])
    expected, _ = engine.step(previous, state)
    found, _ = engine.step(previous[rows], state.select(rows))
    np.testing.assert_allclose(found, expected[rows], rtol=0, atol=1e-6)


@pytest.mark.parametrize("k", [1, 3, len(ALLOWED)])
def test_the_top_of_a_step_is_the_top_of_its_full_rows(k: int) -> None:
    engine = TorchEngine(tiny_model(1))
    previous, state = first(engine)
    rows, after = engine.step(previous, state)
    ids, values, after_top = engine.step_top(previous, state, k)
    expected = np.argsort(-rows, axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(ids, expected)
    np.testing.assert_array_equal(values, np.take_along_axis(rows, expected, axis=1))
    assert torch.equal(after_top.decoder.lstm.cell, after.decoder.lstm.cell)
    assert isinstance(engine, TopScorer)


@pytest.mark.parametrize("k", [1, 2, 5])
def test_of_equal_tokens_the_lower_id_comes_first(k: int) -> None:
    model = tiny_model(1, target_size=300)
    with torch.no_grad():
        model.output_weight.zero_()
        model.output_bias.zero_()
        model.output_bias[[40, 200]] = torch.tensor([1.0, 2.0])
    engine = TorchEngine(model)
    ids, values, _ = engine.step_top(*first(engine), k)
    assert (ids == [200, 40, END, END + 1, END + 2][:k]).all()
    assert (np.diff(values, axis=1) <= 0).all()


def test_a_model_gone_wrong_is_an_error_and_not_a_translation() -> None:
    model = tiny_model(1)
    with torch.no_grad():
        model.output_bias[7] = torch.nan
    engine = TorchEngine(model)
    with pytest.raises(ArithmeticError, match="nan"):
        search(engine, engine.start([[4]]), np.array([3]), beam_size=2, alpha=1.0)


def test_the_model_is_used_as_it_is_at_each_call() -> None:
    model = tiny_model(1)
    engine = TorchEngine(model)
    before, _ = engine.step(*first(engine))
    with torch.no_grad():
        model.output_bias[4] += 5
    after, _ = engine.step(*first(engine))
    assert (after[:, 4] > before[:, 4]).all()


# Bundles


def test_half_precision_comes_back_as_the_same_model(tokenizers: TokenizerPair) -> None:
    model = tiny_model(1, source_size=len(tokenizers.source), target_size=len(tokenizers.target))
    bundle = bundle_of(model, tokenizers)
    loaded = load_model(bundle)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.half())  # what half precision leaves of it
    for name, parameter in model.named_parameters():
        assert torch.equal(loaded.get_parameter(name), parameter), name
        assert loaded.get_parameter(name).dtype == torch.float32
    np.testing.assert_array_equal(first_step(loaded.eval()), first_step(model))


@pytest.mark.parametrize("tied_output", [True, False])
def test_a_bundle_stores_each_trained_parameter_once_in_half_precision(tied_output: bool) -> None:
    weights = half_precision(tiny_model(1, tiny_config(tied_output=tied_output)))
    assert {array.dtype for array in weights.values()} == {np.dtype(np.float16)}
    assert ("separate_output" in weights) is not tied_output
    assert "output_weight" not in weights
    assert "decoder.embedding.weight" in weights


def test_the_zero_biases_are_neither_trained_nor_stored() -> None:
    model = tiny_model(1)
    left_out = set(dict(model.named_parameters())) - set(half_precision(model))
    assert left_out == {name for name, _ in model.named_parameters() if "bias_hh" in name}
    assert len(left_out) == 2 * 2 + 2  # two layers of two directions, and two of one
    assert not any(model.get_parameter(name).any() for name in left_out)
    assert set(trained_parameters(model)) == set(half_precision(model))


def test_stored_weights_do_not_follow_the_model() -> None:
    model = tiny_model(1)
    stored = half_precision(model)["output_bias"].copy()
    weights = half_precision(model)
    with torch.no_grad():
        model.output_bias.add_(1)
    np.testing.assert_array_equal(weights["output_bias"], stored)


Change = Callable[[dict[str, NDArray[Any]]], object]
DAMAGES: dict[str, tuple[Change, str]] = {
    "missing": (lambda w: w.pop("output_bias"), "output_bias has shape none, expected"),
    "unknown": (lambda w: w.update(extra=w["output_bias"]), "extra has shape .*, expected none"),
    "too long": (
        lambda w: w.update(output_bias=np.zeros(7, np.float16)),
        r"output_bias has shape \(7,\), expected \(",
    ),
    "turned": (
        lambda w: w.update({"decoder.readout.weight": w["decoder.readout.weight"].T}),
        "decoder.readout.weight has shape",
    ),
}


@pytest.mark.parametrize(("damage", "message"), DAMAGES.values(), ids=DAMAGES)
def test_weights_that_do_not_fit_the_configuration_are_refused_by_name(
    damage: Change, message: str, tokenizers: TokenizerPair
) -> None:
    model = tiny_model(1, source_size=len(tokenizers.source), target_size=len(tokenizers.target))
    weights = half_precision(model)
    damage(weights)
    with pytest.raises(BundleError, match=message):
        load_model(replace(bundle_of(model, tokenizers), weights=weights))


def test_a_tokenizer_of_another_size_is_refused(tokenizers: TokenizerPair) -> None:
    model = tiny_model(1, source_size=len(tokenizers.source), target_size=7)
    with pytest.raises(BundleError, match=r"decoder.embedding.weight has shape \(7, 5\)"):
        load_model(bundle_of(model, tokenizers))


def test_a_loaded_engine_drops_nothing_and_a_loaded_model_is_ready_to_train(
    tokenizers: TokenizerPair,
) -> None:
    sizes = [len(tokenizer) for tokenizer in tokenizers]
    config = tiny_config(embedding_dropout=0.5, layer_dropout=0.5)
    model = tiny_model(1, config, source_size=sizes[0], target_size=sizes[1])
    bundle = bundle_of(model, tokenizers, config)
    engine = load_engine(bundle)
    once, _ = engine.step(*first(engine))
    again, _ = engine.step(*first(engine))
    np.testing.assert_array_equal(once, again)
    assert load_model(bundle).training


@pytest.fixture(scope="module")
def tokenizers() -> TokenizerPair:
    lines = ["ein kleines haus", "das haus ist klein", "eine katze sitzt im haus", "die katze"]
    others = ["a small house", "the house is small", "a cat sits in the house", "the cat"]
    return train_tokenizers(lines, others, TokenizerConfig(vocabulary_size=30))


def bundle_of(
    model: Seq2Seq, tokenizers: TokenizerPair, config: ModelConfig | None = None
) -> Bundle:
    """The model as a bundle, of the tiny configuration if None is given."""
    bundle_config = BundleConfig(
        name="tiny",
        source_language="de",
        target_language="en",
        joint_vocabulary=False,
        model=config or tiny_config(),
        search=SearchConfig(),
    )
    return Bundle(bundle_config, tokenizers, half_precision(model), record={})


def first(engine: TorchEngine) -> tuple[NDArray[np.int64], Any]:
    """What an engine is asked at the first step for SOURCES."""
    return np.full(len(SOURCES), BEGIN), engine.start(SOURCES)


def first_step(model: Seq2Seq) -> NDArray[np.float32]:
    """[sources, V] log-probabilities of the first token."""
    engine = TorchEngine(model)
    return engine.step(*first(engine))[0]
