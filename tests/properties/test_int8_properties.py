"""What holds for the integer engine, whatever the model: its equations, and its independence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mt.config import ModelConfig
from mt.engine import attention, cells, decoder, encoder, int8, tables
from mt.engine.graph import Activation, Graph, Quantised
from mt.engine.int8 import Int8Engine
from mt.engine.reference import TorchEngine
from mt.errors import ConfigError
from mt.lexicon import Lexicon
from mt.model import Seq2Seq
from mt.parameters import trained_parameters
from mt.search import search
from mt.shapes import parameter_shapes
from mt.tokens import BEGIN, END, PAD, UNKNOWN
from support.configs import configs
from support.models import SOURCE_SIZE, TARGET_SIZE, tiny_config, tiny_model

seeds = st.integers(0, 2**32 - 1)
source = st.lists(st.integers(4, SOURCE_SIZE - 1), max_size=6)
sources = st.lists(source, min_size=1, max_size=5)


class FloatGraph(Graph):
    """The same graph over fp32 numbers in the place of integers, so that nothing is rounded."""

    integer = np.float32
    zero = 0

    def bounded(self, values: str) -> Activation:
        return Activation(values, None)

    def unbounded(self, values: str, axis: int = -1) -> Activation:
        largest = self("ReduceMax", values, self.constant(np.array([axis])))
        one = self("Exp", self("Sub", largest, largest))  # of the shape that scales have
        return Activation(values, one)

    def values(self, activation: Activation) -> str:
        return activation.integers

    def product_of(self, inputs: Activation, integers: str, scale: str, bias: str | None) -> str:
        product = self("MatMul", inputs.integers, self("Mul", integers, scale))
        return self("Add", product, bias) if bias else product

    def dot(self, left: Activation, right: Activation) -> str:
        return self("MatMul", left.integers, right.integers)

    def mean(self, weights: str, values: Activation) -> str:
        total = self("ReduceSum", weights, self.constant(np.array([-1])))
        return self("Div", self("MatMul", weights, values.integers), total)


def unrounded(weights: NDArray[Any]) -> Quantised:
    return Quantised(np.ascontiguousarray(weights), np.ones(weights.shape[1], np.float32))


def arrays(model: Seq2Seq) -> dict[str, NDArray[Any]]:
    return {name: p.detach().numpy() for name, p in trained_parameters(model).items()}


def float_engine(config: ModelConfig, model: Seq2Seq) -> Int8Engine:
    with pytest.MonkeyPatch.context() as patch:
        for module in (cells, encoder, decoder):
            patch.setattr(module, "Graph", FloatGraph)
        for module in (attention, cells, encoder, decoder):
            patch.setattr(module, "quantise", unrounded)
        for module in (encoder, decoder, int8, tables):
            patch.setattr(module, "TABLE", np.float32)
        return Int8Engine(config, arrays(model))


@settings(max_examples=60)
@example(tiny_config(attention="dot", residual=True, decoder_hidden_size=6), 1, [[4, 5], [6]])
@given(configs(), seeds, sources)
def test_without_rounding_the_graphs_give_what_the_model_gives(config, seed, sources) -> None:
    model = tiny_model(seed, config)
    reference, engine = TorchEngine(model), float_engine(config, model)
    state, its_state = reference.start(sources), engine.start(sources)
    previous = np.full(len(sources), reference.begin)
    rows = np.random.default_rng(seed).integers(0, len(sources), 2 * len(sources))
    for _ in range(3):
        expected, state = reference.step(previous, state)
        found, its_state = engine.step(previous, its_state)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)
        previous = expected.argmax(axis=1)[rows]
        state, its_state = state.select(rows), its_state.select(rows)
        rows = np.flip(np.arange(len(rows))).copy()


def written(previous: NDArray[np.int64], row: int) -> list[int]:
    """The tokens behind the first one that a row has been fed."""
    return [] if previous[row] == Int8Engine.begin else [int(previous[row])]


@settings(max_examples=40)
@given(configs(), seeds, sources, st.integers(1, TARGET_SIZE + 1))
def test_the_best_tokens_are_those_of_the_full_row(config, seed, sources, k) -> None:
    engine = Int8Engine(config, arrays(tiny_model(seed, config)))
    state, previous = engine.start(sources), np.full(len(sources), engine.begin)
    scores, _ = engine.step(previous, state)
    ids, values, _ = engine.step_top(previous, state, k)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(values, np.take_along_axis(scores, order, axis=1))
    np.testing.assert_array_equal(ids, order)


@given(configs())
def test_names_and_shapes_are_those_of_the_model(config) -> None:
    parameters = trained_parameters(Seq2Seq(config, SOURCE_SIZE, TARGET_SIZE))
    shapes = {name: tuple(parameter.shape) for name, parameter in parameters.items()}
    assert parameter_shapes(config, SOURCE_SIZE, TARGET_SIZE) == shapes


@given(seeds, st.integers(1, 300), st.integers(1, 8))
def test_the_best_tokens_of_many_blocks_keep_the_order_of_ids_among_equals(
    seed: int, pieces: int, k: int
) -> None:
    # Few distinct biases and nothing else: most scores have equals, within and across blocks.
    config = tiny_config()
    model = tiny_model(1, config, target_size=pieces + 4)
    weights = {name: np.zeros_like(array) for name, array in arrays(model).items()}
    random = np.random.default_rng(seed)
    weights["output_bias"] = random.integers(0, 3, pieces + 4).astype(np.float32)
    engine = Int8Engine(config, weights)
    scores, _ = engine.step(np.array([2]), engine.start([[4]]))
    ids, _, _ = engine.step_top(np.array([2]), engine.start([[4]]), k)
    np.testing.assert_array_equal(ids, np.argsort(-scores, axis=1, kind="stable")[:, :k])


@settings(max_examples=20)
@given(seeds, sources)
def test_a_search_finds_the_same_alone_and_among_others(seed, sources) -> None:
    engine = Int8Engine(tiny_config(), arrays(tiny_model(seed)))

    def found(batch):
        return search(
            engine, engine.start(batch), np.full(len(batch), 5), beam_size=3, alpha=1.0, n_best=2
        )

    assert found(sources) == [hypotheses for each in sources for hypotheses in found([each])]


@st.composite
def lexicons(draw: st.DrawFn) -> Lexicon:
    """A table of a few partners; the end and two more tokens are frequent."""
    seed = draw(seeds)
    partners = np.random.default_rng(seed).integers(0, TARGET_SIZE, (SOURCE_SIZE, 2))
    return Lexicon(np.array([END, 4, 5], np.uint16), partners.astype(np.uint16))


@settings(max_examples=60)
@given(configs(), seeds, sources, lexicons(), st.integers(0, 2), st.integers(1, TARGET_SIZE + 1))
def test_a_sentence_gets_the_same_bits_alone_and_among_others(
    config, seed, sources, lexicon, shortlist, k
) -> None:
    engine = Int8Engine(config, arrays(tiny_model(seed, config)), lexicon=lexicon)
    together = engine.start(sources, shortlist=shortlist)
    previous = np.full(len(sources), engine.begin)
    for _ in range(2):
        scores, _ = engine.step(previous, together)
        ids, values, together = engine.step_top(previous, together, k)
        for row in range(len(sources)):
            alone = engine.start([sources[row]], shortlist=shortlist)
            for token in (engine.begin, *written(previous, row)):
                at = np.array([token])
                its_scores, _ = engine.step(at, alone)
                its_ids, its_values, alone = engine.step_top(at, alone, k)
            np.testing.assert_array_equal(scores[row], its_scores[0])
            np.testing.assert_array_equal(values[row], its_values[0])
            allowed = values[row] > -np.inf
            np.testing.assert_array_equal(ids[row, allowed], its_ids[0, allowed])
        previous = ids[:, 0]


@settings(max_examples=40)
@given(configs(), seeds, sources, lexicons(), st.integers(1, 2), st.integers(1, TARGET_SIZE))
def test_a_shortlist_leaves_out_the_other_tokens_and_nothing_else(
    config, seed, sources, lexicon, count, k
) -> None:
    engine = Int8Engine(config, arrays(tiny_model(seed, config)), lexicon=lexicon)
    previous = np.full(len(sources), engine.begin)
    whole, _ = engine.step(previous, engine.start(sources))
    short, _ = engine.step(previous, engine.start(sources, shortlist=count))
    ids, values, after = engine.step_top(previous, engine.start(sources, shortlist=count), k)
    for row, source in enumerate(sources):
        allowed = np.setdiff1d(lexicon.allowed(source, count), [PAD, UNKNOWN, BEGIN])
        expected = np.full(TARGET_SIZE, -np.inf)
        expected[allowed] = whole[row, allowed] - np.log(np.exp(whole[row, allowed]).sum())
        np.testing.assert_allclose(short[row], expected, atol=1e-5)
        order = np.argsort(-short[row], kind="stable")[:k]
        finite = values[row] > -np.inf
        assert ids[row, finite].tolist() == order[short[row, order] > -np.inf].tolist()
        np.testing.assert_array_equal(values[row, finite], short[row, ids[row, finite]])
    # The step behind it goes on from the same state, whatever was left out.
    after = after.select(np.arange(len(sources))[::-1])
    before, _ = engine.step(previous, engine.step(previous, engine.start(sources))[1])
    again, _ = engine.step(previous, after)
    assert_same_but_for_what_is_left_out(before, again[::-1])


def assert_same_but_for_what_is_left_out(whole, short) -> None:
    """In each row the same log-probabilities, but for what the tokens left out had of the sum."""
    for before, after in zip(whole, short, strict=True):
        known = after > -np.inf
        shift = after[known] - before[known]
        np.testing.assert_allclose(shift, -np.log(np.exp(before[known]).sum()), atol=1e-4)


@settings(max_examples=30)
@given(configs(), seeds, sources, lexicons())
def test_both_engines_leave_out_the_same(config, seed, sources, lexicon) -> None:
    model = tiny_model(seed, config)
    engines = [
        TorchEngine(model, lexicon=lexicon),
        Int8Engine(config, arrays(model), lexicon=lexicon),
    ]
    rows = np.arange(len(sources)).repeat(2)
    found = []
    for engine in engines:
        state = engine.start(sources, shortlist=1)
        previous = np.full(len(sources), engine.begin)
        scores, state = engine.step(previous, state)
        found.append([scores, engine.step(previous[rows], state.select(rows))[0]])
        _, whole = engine.step(previous, engine.start(sources))
        assert_same_but_for_what_is_left_out(
            engine.step(previous[rows], whole.select(rows))[0], found[-1][1]
        )
    for reference, quick in zip(*found, strict=True):
        np.testing.assert_array_equal(np.isneginf(reference), np.isneginf(quick))


def test_a_shortlist_needs_a_lexical_table() -> None:
    model = tiny_model(1)
    for engine in (TorchEngine(model), Int8Engine(tiny_config(), arrays(model))):
        with pytest.raises(ConfigError, match=r"search\.shortlist = 3 needs a model with"):
            engine.start([[4]], shortlist=3)
