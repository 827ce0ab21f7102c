"""What holds for every shape of model and any batch: nothing depends on padding or neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mt.config import ModelConfig, Variant
from mt.engine.reference import TorchEngine
from mt.loss.cross_entropy import cross_entropy
from mt.model import Seq2Seq, reverse_each
from mt.parameters import trained_parameters
from mt.search import Hypothesis, search
from mt.tokens import BEGIN, END
from support.configs import configs
from support.layers import VARIANTS, make_layer, randomised, unrolled
from support.models import SOURCE_SIZE, TARGET_SIZE, padded, tiny_model

CLOSE: dict[str, Any] = {"rtol": 0.0, "atol": 1e-12}
seeds = st.integers(0, 2**32 - 1)


def rows(size: int, *, min_size: int = 0) -> st.SearchStrategy[list[list[int]]]:
    """Up to five rows of ordinary tokens, empty ones among them."""
    row = st.lists(st.integers(END + 1, size - 1), min_size=min_size, max_size=6)
    return st.lists(row, min_size=1, max_size=5)


@dataclass(frozen=True)
class Case:
    """A float64 model and a batch of sources."""

    model: Seq2Seq
    sources: list[list[int]]

    @property
    def batch(self) -> tuple[Tensor, Tensor]:
        return padded([[*source, END] for source in self.sources])


@st.composite
def cases(draw: st.DrawFn) -> Case:
    model = tiny_model(draw(seeds), draw(configs()), dtype=torch.float64)
    return Case(model, draw(rows(SOURCE_SIZE)))


@given(cases())
def test_a_source_encodes_the_same_alone_and_in_any_batch(case: Case) -> None:
    together = case.model.encode(*case.batch)
    for place, source in enumerate(case.sources):
        alone = case.model.encode(*padded([[*source, END]]))
        row = together.select(torch.tensor([place]))
        torch.testing.assert_close(row.lstm.hidden, alone.lstm.hidden, **CLOSE)
        torch.testing.assert_close(row.lstm.cell, alone.lstm.cell, **CLOSE)
        torch.testing.assert_close(row.context, alone.context, **CLOSE)


@given(cases(), st.data())
def test_teacher_forcing_equals_step_by_step(case: Case, data: st.DataObject) -> None:
    steps = data.draw(st.integers(1, 5))
    token = st.integers(END + 1, TARGET_SIZE - 1)
    written = st.lists(token, min_size=steps - 1, max_size=steps - 1)
    previous = torch.tensor([[BEGIN, *data.draw(written)] for _ in case.sources])
    at_once = case.model.logits(case.model(*case.batch, previous))
    state = case.model.encode(*case.batch)
    for tokens, expected in zip(previous.T, at_once, strict=True):
        logits, state = case.model.step(tokens, state)
        torch.testing.assert_close(logits, expected, **CLOSE)


@given(seeds, configs())
def test_every_trained_parameter_learns(seed: int, config: ModelConfig) -> None:
    model = tiny_model(seed, config, dtype=torch.float64).train()
    source, lengths = padded([[4, 5, 6, 7, 8, END], [9, 10, END]])
    previous = torch.tensor([[BEGIN, 4, 5, 6], [BEGIN, 7, 8, 9]])
    targets = torch.tensor([4, 7, 5, 8, 6, 9, END, END])
    readouts = model(source, lengths, previous).flatten(0, 1)
    cross_entropy(readouts, model.output_weight, model.output_bias, targets).smoothed.backward()
    for name, parameter in trained_parameters(model).items():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name


@settings(max_examples=50)  # two searches a sentence
@given(
    seed=seeds,
    config=configs(),
    sources=rows(SOURCE_SIZE),
    beam_size=st.integers(1, 5),
    alpha=st.sampled_from([0.0, 1.0]),
)
def test_a_translation_is_the_same_alone_and_in_any_batch(
    seed: int, config: ModelConfig, sources: list[list[int]], beam_size: int, alpha: float
) -> None:
    engine = TorchEngine(tiny_model(seed, config))

    def translate(batch: list[list[int]]) -> list[list[Hypothesis]]:
        limits = np.array([len(source) + 4 for source in batch])
        state = engine.start(batch)
        return search(engine, state, limits, beam_size=beam_size, alpha=alpha, n_best=beam_size)

    for source, found in zip(sources, translate(sources), strict=True):
        (expected,) = translate([source])
        assert [each.tokens for each in found] == [each.tokens for each in expected]
        assert [each.finished for each in found] == [each.finished for each in expected]
        scores = [each.score for each in expected]
        assert [each.score for each in found] == pytest.approx(scores, rel=0, abs=1e-5)


@given(
    seed=seeds,
    variant=st.sampled_from([None, *VARIANTS]),
    inputs=st.integers(1, 4),
    hidden=st.integers(1, 4),
    bidirectional=st.booleans(),
    lengths=st.lists(st.integers(1, 5), min_size=1, max_size=4),
)
def test_a_layer_equals_its_cells_on_any_shape(
    seed: int,
    variant: Variant | None,
    inputs: int,
    hidden: int,
    bidirectional: bool,
    lengths: list[int],
) -> None:
    layer = randomised(make_layer(variant, inputs, hidden, bidirectional=bidirectional), seed)
    random = torch.Generator().manual_seed(seed)
    shape = (max(lengths), len(lengths), inputs)
    batch = torch.randn(shape, generator=random, dtype=torch.float64)
    outputs, final = layer(batch, lengths=torch.tensor(lengths))
    expected, expected_final = unrolled(layer.cells(), batch, lengths=torch.tensor(lengths))
    torch.testing.assert_close(outputs, expected, **CLOSE)
    torch.testing.assert_close(final.hidden, expected_final.hidden, **CLOSE)
    torch.testing.assert_close(final.cell, expected_final.cell, **CLOSE)


@given(rows(SOURCE_SIZE, min_size=1))
def test_reversing_each_row_is_list_reversal_and_undoes_itself(sources: list[list[int]]) -> None:
    tokens, lengths = padded(sources)
    turned = reverse_each(tokens, lengths)
    assert torch.equal(turned, padded([source[::-1] for source in sources])[0])
    assert torch.equal(reverse_each(turned, lengths), tokens)
