"""Attention: each score by hand, and what padding may not change."""

from __future__ import annotations

from math import exp, tanh
from typing import Any

import pytest
import torch
from torch import Tensor

from mt.model.attention import Attention, Memory, Score

CLOSE: dict[str, Any] = {"rtol": 0.0, "atol": 1e-12}
SCORES: tuple[Score, ...] = ("dot", "general", "additive")
each_score = pytest.mark.parametrize("score", SCORES)


def remembered(attention: Attention) -> Memory:
    """One sentence of two positions, s_1 = (1, 0) and s_2 = (0, 2)."""
    return attention.remember(torch.tensor([[[1.0, 0.0], [0.0, 2.0]]]), torch.tensor([2]))


def set_weights(attention: Attention) -> Attention:
    with torch.no_grad():
        if attention.score == "general":
            attention.W_a.copy_(torch.tensor([[0.0, 1.0], [2.0, 0.0]]))
        if attention.score == "additive":
            attention.W_a.copy_(torch.tensor([[1.0, 0.0], [0.0, 0.5]]))
            attention.U_a.copy_(torch.tensor([[0.0, 1.0], [1.0, 0.0]]))
            attention.v_a.copy_(torch.tensor([2.0, -1.0]))
    return attention


@pytest.mark.parametrize(
    ("score", "energies"),
    [
        ("dot", [3, 2]),  # (3, 1) . (1, 0) and (3, 1) . (0, 2)
        ("general", [2, 6]),  # W_a s = (0, 2) and (2, 0)
        # W_a h = (3, 0.5), U_a s = (0, 1) and (2, 0)
        ("additive", [2 * tanh(3) - tanh(1.5), 2 * tanh(5) - tanh(0.5)]),
    ],
)
def test_a_step_by_hand(score: Score, energies: list[float]) -> None:
    attention = set_weights(Attention(score, 2, 2))
    found = attention(torch.tensor([[[3.0, 1.0]]]), remembered(attention))
    first = exp(energies[0]) / (exp(energies[0]) + exp(energies[1]))
    assert found.weights.flatten().tolist() == pytest.approx([first, 1 - first])
    assert found.context.flatten().tolist() == pytest.approx([first, 2 * (1 - first)])


@each_score
def test_a_score_has_the_parameters_of_its_formula(score: Score) -> None:
    size = 2 if score == "dot" else 3
    shapes = {name: tuple(p.shape) for name, p in Attention(score, 2, size).named_parameters()}
    assert (
        shapes
        == {
            "dot": {},
            "general": {"W_a": (2, 3)},
            "additive": {"W_a": (2, 2), "U_a": (2, 3), "v_a": (2,)},
        }[score]
    )


@each_score
def test_weights_sum_to_one_and_are_zero_in_padding(score: Score) -> None:
    attention, states, queries = random_case(score)
    lengths = torch.tensor([1, 3, 4])
    weights = attention(queries, attention.remember(states, lengths)).weights
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(3, 2, dtype=torch.float64), **CLOSE)
    for row, length in enumerate(lengths):
        assert (weights[row, :, :length] > 0).all()
        assert not weights[row, :, length:].any()


@each_score
def test_what_stands_in_the_padding_changes_nothing(score: Score) -> None:
    attention, states, queries = random_case(score)
    lengths = torch.tensor([1, 3, 4])
    other = states.clone()
    other[0, 1:], other[1, 3:] = 1e3, -1e3
    found, again = (attention(queries, attention.remember(s, lengths)) for s in (states, other))
    assert torch.equal(found.context, again.context)
    for row, length in enumerate(lengths.tolist()):
        memory = attention.remember(states[row : row + 1, :length], torch.tensor([length]))
        alone = attention(queries[row : row + 1], memory)
        torch.testing.assert_close(found.context[row], alone.context[0], **CLOSE)


@each_score
def test_rows_of_a_sentence_share_what_is_remembered(score: Score) -> None:
    attention, states, queries = random_case(score)
    memory = attention.remember(states, torch.tensor([1, 3, 4]))
    chosen = memory.select(torch.tensor([2, 2, 0, 1])).select(torch.tensor([3, 0, 1, 0]))
    assert chosen.keys is memory.keys
    sentences = [1, 2, 2, 2]
    found = attention(queries[sentences], chosen)
    expected = attention(queries, memory)
    torch.testing.assert_close(found.context, expected.context[sentences], **CLOSE)
    torch.testing.assert_close(found.weights, expected.weights[sentences], **CLOSE)


@each_score
def test_gradients_are_those_of_small_differences(score: Score) -> None:
    attention, states, queries = random_case(score)
    lengths = torch.tensor([1, 3, 4])

    def context(queries: Tensor, states: Tensor, *_: Tensor) -> Tensor:
        result: Tensor = attention(queries, attention.remember(states, lengths)).context
        return result

    inputs = (queries.requires_grad_(), states.requires_grad_(), *attention.parameters())
    assert torch.autograd.gradcheck(context, inputs)


def random_case(score: Score) -> tuple[Attention, Tensor, Tensor]:
    """Attention over states [3, 4, 3] from queries [3, 2, 3], in float64."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        attention = Attention(score, 3, 3).double()
        states = torch.randn(3, 4, 3, dtype=torch.float64)
        return attention, states, torch.randn(3, 2, 3, dtype=torch.float64)
