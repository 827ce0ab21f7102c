"""Models with attention, whole: computed both ways, trained, stored, quantised."""

from __future__ import annotations

import itertools
from dataclasses import replace
from math import log
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from mt.bundle import load_bundle, save_bundle
from mt.card import model_card
from mt.config import ModelConfig, parse
from mt.engine import load_engine
from mt.engine.int8 import Int8Engine
from mt.engine.reference import TorchEngine
from mt.errors import BundleError, ConfigError
from mt.loss.cross_entropy import cross_entropy
from mt.model import Seq2Seq
from mt.model.attention import Score
from mt.parameters import load_model, trained_parameters, without_attention
from mt.search import search
from mt.shapes import parameter_shapes
from mt.tokens import BEGIN, END, PAD, UNKNOWN
from support.bundles import SOURCES as SENTENCES
from support.bundles import tiny_bundle
from support.models import SOURCE_SIZE, TARGET_SIZE, padded, tiny_config, tiny_model

CLOSE: dict[str, Any] = {"rtol": 0.0, "atol": 1e-12}
SCORES: tuple[Score, ...] = ("dot", "general", "additive")
each_score = pytest.mark.parametrize("score", SCORES)
SOURCES = [[4, 5, 6, 7, END], [8, END], [END], [9, 10, 4, END]]
PREVIOUS = torch.tensor([[BEGIN, 5, 6, 7], [BEGIN, 8, 9, 4], [BEGIN, 4, 4, 4], [BEGIN, 5, 5, 6]])
LUONG: dict[str, Any] = {"deep_output": False, "embedding_size": 6}
MODELS: dict[str, dict[str, Any]] = {
    **{score: {"attention": score} for score in SCORES},
    "attentional state": {"attention": "general", **LUONG},
    "attentional state, additive": {"attention": "additive", **LUONG, "tied_output": False},
    "reversed": {
        "attention": "general",
        "bidirectional": False,
        "reverse_source": True,
        "residual": True,
        "encoder_layers": 3,
    },
    "without context": {"attention": "dot", "context_size": 0},
    "other cell": {"attention": "general", "layer_norm": True, "coupled_gates": True},
}
each_model = pytest.mark.parametrize("options", MODELS.values(), ids=MODELS)


def config_of(options: dict[str, Any], **changes: Any) -> ModelConfig:
    """A tiny configuration in which the decoder is as wide as the encoder, 6, so that dot fits."""
    return tiny_config(**{"decoder_hidden_size": 6, **options, **changes})


# Models


@each_model
def test_teacher_forcing_equals_step_by_step(options: dict[str, Any]) -> None:
    model = tiny_model(1, config_of(options), dtype=torch.float64)
    source, lengths = padded(SOURCES)
    at_once = model.logits(model(source, lengths, PREVIOUS))
    state = model.encode(source, lengths)
    for tokens, expected in zip(PREVIOUS.T, at_once, strict=True):
        logits, state = model.step(tokens, state)
        torch.testing.assert_close(logits, expected, **CLOSE)


@each_model
def test_a_source_means_the_same_alone_and_padded(options: dict[str, Any]) -> None:
    model = tiny_model(1, config_of(options), dtype=torch.float64)
    together = model(*padded(SOURCES), PREVIOUS)
    assert torch.equal(together, model(*padded(SOURCES, filler=9), PREVIOUS))
    for row, source in enumerate(SOURCES):
        alone = model(*padded([source]), PREVIOUS[row : row + 1])
        torch.testing.assert_close(together[:, row], alone[:, 0], **CLOSE)


@each_model
def test_names_and_shapes_are_told_without_torch(options: dict[str, Any]) -> None:
    config = config_of(options)
    parameters = trained_parameters(Seq2Seq(config, SOURCE_SIZE, TARGET_SIZE))
    shapes = {name: tuple(parameter.shape) for name, parameter in parameters.items()}
    assert parameter_shapes(config, SOURCE_SIZE, TARGET_SIZE) == shapes


@each_model
def test_every_parameter_learns(options: dict[str, Any]) -> None:
    model = tiny_model(1, config_of(options), dtype=torch.float64).train()
    targets = PREVIOUS.T.flatten()
    readouts = model(*padded(SOURCES), PREVIOUS).flatten(0, 1)
    cross_entropy(readouts, model.output_weight, model.output_bias, targets).smoothed.backward()
    for name, parameter in trained_parameters(model).items():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name


def test_a_context_goes_into_the_output_and_not_back_into_the_decoder() -> None:
    model = tiny_model(1, config_of(MODELS["general"]))
    source, lengths = padded(SOURCES)
    state = model.encode(source, lengths)
    assert state.memory is not None
    other = state._replace(memory=state.memory._replace(values=state.memory.values + 1))
    logits, after = model.step(PREVIOUS[:, 0], state)
    changed, its_after = model.step(PREVIOUS[:, 0], other)
    assert not torch.equal(logits, changed)
    assert torch.equal(after.lstm.hidden, its_after.lstm.hidden)
    assert torch.equal(after.lstm.cell, its_after.lstm.cell)


def test_units_of_a_sentence_are_dropped_alike_at_all_its_positions_and_only_in_training() -> None:
    model = tiny_model(1, config_of(MODELS["dot"], layer_dropout=0.5)).train()
    torch.manual_seed(1)
    memory = model.encode(*padded(SOURCES)).memory
    assert memory is not None
    dropped = memory.values[0] == 0  # the first sentence fills all five positions
    assert 0 < dropped[0].sum() < 6
    assert (dropped == dropped[0]).all()
    memory = model.eval().encode(*padded(SOURCES)).memory
    assert memory is not None
    assert (memory.values[0] != 0).all()


def test_weights_are_given_on_request_in_the_order_of_the_source() -> None:
    # An encoder that reads from the end to the beginning, whose states are all but its embeddings.
    model = tiny_model(1, config_of(MODELS["reversed"], residual=False), dtype=torch.float64)
    source, lengths = padded(SOURCES)
    weights = model.attention_weights(source, lengths, PREVIOUS)
    assert weights.shape == (4, 4, 5)
    reading = model.encoder(source, lengths)
    attention = model.decoder.attention
    assert attention is not None
    run = model.decoder.run(PREVIOUS, model.encode(source, lengths))
    for row, length in enumerate(lengths.tolist()):
        # What was read last, at the end of its row of states, is the source's first token.
        states = reading.states[:length, row].flip(0)
        energies = run.outputs[:, row] @ attention.W_a @ states.T
        torch.testing.assert_close(weights[row, :, :length], energies.softmax(dim=1), **CLOSE)
        assert not weights[row, :, length:].any()


def test_a_search_finds_what_brute_force_finds() -> None:
    config = config_of(MODELS["additive"])
    model = tiny_model(3, config, target_size=7)
    engine = TorchEngine(model)
    sources, longest = [[4, 5, 6], [7]], 3
    found = search(
        engine, engine.start(sources), np.full(2, longest), beam_size=64, alpha=0.0, n_best=1
    )
    letters = [token for token in range(7) if token > END]
    for source, hypotheses in zip(sources, found, strict=True):
        scored = {
            tokens: probability_of(model, source, tokens)
            for length in range(longest + 1)
            for tokens in itertools.product(letters, repeat=length)
        }
        best = max(scored, key=lambda tokens: scored[tokens])
        assert hypotheses[0].tokens == best
        assert hypotheses[0].log_probability == pytest.approx(scored[best], abs=1e-4)


def probability_of(model: Seq2Seq, source: list[int], tokens: tuple[int, ...]) -> float:
    """log P(tokens and their end | source), over the tokens that may be written."""
    with torch.no_grad():
        previous = torch.tensor([[BEGIN, *tokens]])
        logits = model.logits(model(*padded([[*source, END]]), previous))[:, 0]
        logits[:, [PAD, UNKNOWN, BEGIN]] = -torch.inf
        rows = logits.log_softmax(dim=1)
    return sum(row[token].item() for row, token in zip(rows, [*tokens, END], strict=True))


@pytest.fixture(scope="module", params=SCORES)
def reversing(request: pytest.FixtureRequest) -> tuple[ModelConfig, Seq2Seq]:
    """A model of the score that has learnt to write rows of five tokens the other way round."""
    config = config_of(
        {"attention": request.param},
        embedding_size=16,
        encoder_hidden_size=16,
        encoder_layers=1,
        decoder_hidden_size=32,
        decoder_layers=1,
        context_size=0,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = Seq2Seq(config, SOURCE_SIZE, TARGET_SIZE).train()
    random = np.random.default_rng(1)
    optimizer = torch.optim.Adam(trained_parameters(model).values(), lr=0.01)
    for _ in range(150):
        nll = nll_of_reversal(model, random.integers(4, SOURCE_SIZE, (32, 5)))
        optimizer.zero_grad()
        nll.backward()
        optimizer.step()
    return config, model.eval()


UNSEEN = np.random.default_rng(2).integers(4, SOURCE_SIZE, (64, 5))


def test_a_model_learns_where_to_look(reversing: tuple[ModelConfig, Seq2Seq]) -> None:
    _, model = reversing
    with torch.no_grad():
        # A guess among the seven tokens costs log 7, about 1.95 nats.
        assert nll_of_reversal(model, UNSEEN).item() < log(7) / 4
        weights = model.attention_weights(*ended(UNSEEN), shifted(UNSEEN))
    # At the token that is to be written, the last one first.
    assert weights[:, :5].mean(dim=0).argmax(dim=1).tolist() == [4, 3, 2, 1, 0]


def test_integers_translate_as_the_reference_does(reversing: tuple[ModelConfig, Seq2Seq]) -> None:
    config, model = reversing
    engines = [TorchEngine(model), Int8Engine(config, arrays(model))]
    reference, quick = (
        search(
            engine, engine.start(UNSEEN.tolist()), np.full(64, 8), beam_size=4, alpha=1.0, n_best=1
        )
        for engine in engines
    )
    alike = [a[0].tokens == b[0].tokens for a, b in zip(reference, quick, strict=True)]
    assert sum(alike) >= 0.95 * len(alike)
    right = [tuple(row[::-1]) == h[0].tokens for row, h in zip(UNSEEN.tolist(), quick, strict=True)]
    assert sum(right) > len(right) / 2  # one in 7 ** 5 by chance


@pytest.mark.parametrize(
    "options",
    [*MODELS.values(), {"attention": "general", "residual": True, "output_tanh": False}],
    ids=[*MODELS, "unbounded"],
)
def test_integers_are_the_same_bits_whatever_the_lengths_beside_them(
    options: dict[str, Any],
) -> None:
    # So long and wide that vector instructions and their remainders both have something to do.
    widths = {"encoder_hidden_size": 24, "decoder_hidden_size": 48, "embedding_size": 48}
    if not options.get("bidirectional", True):
        widths["encoder_hidden_size"] = 48
    config = config_of(options, **widths)
    engine = Int8Engine(config, arrays(tiny_model(1, config)))
    random = np.random.default_rng(1)
    lengths = (1, 7, 15, 16, 17, 31, 40, 70)
    sources = [random.integers(4, SOURCE_SIZE, length).tolist() for length in lengths]
    together, state = two_steps(engine, sources)
    for row, source in enumerate(sources):
        np.testing.assert_array_equal(together[:, row], two_steps(engine, [source])[0][:, 0])
    # Rows that repeat and change places find their own sentence.
    rows = np.array([7, 0, 0, 3])
    again, _ = engine.step(np.full(4, 5), state.select(rows))
    np.testing.assert_array_equal(again, engine.step(np.full(8, 5), state)[0][rows])


def two_steps(engine: Int8Engine, sources: list[list[int]]) -> tuple[np.ndarray, Any]:
    """[2, B, V] scores of BEGIN and of token 4, and the state after them."""
    first, state = engine.step(np.full(len(sources), BEGIN), engine.start(sources))
    second, state = engine.step(np.full(len(sources), 4), state)
    return np.stack([first, second]), state


def arrays(model: Seq2Seq) -> dict[str, np.ndarray]:
    return {name: p.detach().numpy() for name, p in trained_parameters(model).items()}


def nll_of_reversal(model: Seq2Seq, rows: np.ndarray) -> Tensor:
    """Mean over tokens, in nats."""
    targets = torch.from_numpy(np.pad(rows[:, ::-1], ((0, 0), (0, 1)), constant_values=END))
    readouts = model(*ended(rows), shifted(rows)).flatten(0, 1)
    loss = cross_entropy(readouts, model.output_weight, model.output_bias, targets.T.flatten())
    return loss.smoothed / loss.positions


def ended(rows: np.ndarray) -> tuple[Tensor, Tensor]:
    return padded([[*row, END] for row in rows.tolist()])


def shifted(rows: np.ndarray) -> Tensor:
    return torch.tensor([[BEGIN, *row[::-1]] for row in rows.tolist()])


# Configured, stored and put to use


def test_dot_needs_a_decoder_as_wide_as_the_encoder() -> None:
    table = {**tiny_config().model_dump(), "attention": "dot"}
    with pytest.raises(ConfigError) as caught:
        parse(ModelConfig, table, where="recipe x.toml")
    assert str(caught.value) == (
        'recipe x.toml: attention = "dot" needs a decoder as wide as the encoder, both directions '
        "counted (found 4 and 6); general and additive do not"
    )


def test_a_model_without_attention_is_stored_as_before_there_was_any() -> None:
    assert "attention" not in ModelConfig().model_dump()
    assert "attention" not in tiny_bundle().config.model_dump_json()
    assert not [name for name in tiny_bundle().weights if "attention" in name]
    model = Seq2Seq(tiny_config(), SOURCE_SIZE, TARGET_SIZE)
    assert model.encode(*padded(SOURCES)).memory is None


@each_score
def test_a_stored_model_comes_back_as_it_was(score: Score, tmp_path: Path) -> None:
    bundle = tiny_bundle(attention=score)
    save_bundle(tmp_path, bundle, "card")
    loaded = load_bundle(tmp_path)
    assert loaded.config == bundle.config
    assert loaded.config.model.attention == score
    stored, found = load_model(bundle), load_model(loaded)
    for name, parameter in stored.named_parameters():
        assert torch.equal(found.get_parameter(name), parameter), name
    assert f"| Attention | {score} (" in model_card(loaded)


def test_a_model_without_attention_says_so() -> None:
    assert "| Attention | none: the decoder sees the encoder's final" in model_card(tiny_bundle())


@pytest.mark.parametrize("options", [o for o in MODELS.values() if o.get("deep_output", True)])
def test_without_attention_a_model_is_what_it_was_if_nothing_had_been_found(
    options: dict[str, Any],
) -> None:
    bundle = tiny_bundle(**options)
    config, readout = bundle.config.model, bundle.weights["decoder.readout.weight"].copy()
    before = config.decoder_hidden_size + config.context_size
    readout[:, before : before + config.encoder_width] = 0
    deaf = replace(bundle, weights={**bundle.weights, "decoder.readout.weight": readout})
    student = without_attention(bundle)
    assert student.config.model == config.model_copy(update={"attention": "none"})
    inputs = *padded(SOURCES), PREVIOUS
    expected, attending, found = (load_model(b).eval()(*inputs) for b in (deaf, bundle, student))
    torch.testing.assert_close(found, expected)
    assert not torch.allclose(found, attending)


def test_an_attentional_state_is_nothing_without_attention() -> None:
    bundle = tiny_bundle(attention="general", deep_output=False, embedding_size=16)
    with pytest.raises(BundleError, match="tiny-de-en cannot do without its attention"):
        without_attention(bundle)


@pytest.mark.parametrize("engine", ["fp32", "int8"])
def test_weights_of_another_score_are_refused(engine: Any) -> None:
    bundle, other = tiny_bundle(attention="general"), tiny_bundle(attention="additive")
    with pytest.raises(BundleError, match=r"decoder\.attention\.U_a has shape"):
        load_engine(replace(bundle, weights=other.weights), engine)


@each_score
def test_all_engines_say_nearly_the_same(score: Score) -> None:
    bundle = tiny_bundle(attention=score)
    sources = bundle.tokenizers.source.encode(SENTENCES[:4])
    found = {}
    for name in ("fp32", "bf16", "int8"):
        engine = load_engine(bundle, name)  # type: ignore[arg-type]
        scores, state = engine.step(np.full(4, engine.begin), engine.start(sources))
        rows = np.array([3, 1, 1, 0])
        again, _ = engine.step(np.full(4, 9), state.select(rows))
        found[name] = np.concatenate([scores, again])
    known = np.isfinite(found["fp32"])
    for name in found:
        np.testing.assert_array_equal(np.isfinite(found[name]), known)
        np.testing.assert_allclose(found[name][known], found["fp32"][known], rtol=0.05, atol=0.3)
