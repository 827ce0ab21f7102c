"""How far two predictions are apart, against the definition and torch's own kl_div."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import mt.loss.divergence
from mt.loss.divergence import divergence

P, E, V = 8, 4, 11
CLOSE: dict[str, Any] = {"rtol": 0.0, "atol": 1e-12}


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight positions are two whole chunks and a rest."""
    monkeypatch.setattr(mt.loss.divergence, "CHUNK_ROWS", 3)


def example(count: int = P) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    random = torch.Generator().manual_seed(1)
    shapes = ((count, E), (count, E), (V, E), (V,))
    first, second, weight, bias = (
        torch.randn(shape, generator=random, dtype=torch.float64).requires_grad_()
        for shape in shapes
    )
    return first, second, weight, bias


def by_definition(first: Tensor, second: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    log_p, log_q = (F.linear(each, weight, bias).log_softmax(dim=1) for each in (first, second))
    there = F.kl_div(log_q, log_p, log_target=True, reduction="sum")  # KL(p || q)
    back = F.kl_div(log_p, log_q, log_target=True, reduction="sum")
    return (there + back) / 2


def test_one_position_by_hand() -> None:
    # Readouts 1 and 0 meet weights (0, log 3): p = (1/4, 3/4), q = (1/2, 1/2).
    weight, bias = torch.tensor([[0.0], [math.log(3)]]), torch.zeros(2)
    found = divergence(torch.ones(1, 1), torch.zeros(1, 1), weight, bias)
    there = 1 / 4 * math.log(1 / 2) + 3 / 4 * math.log(3 / 2)
    back = 1 / 2 * math.log(2) + 1 / 2 * math.log(2 / 3)
    assert found.item() == pytest.approx((there + back) / 2)
    assert found.item() == pytest.approx(math.log(3) / 8)  # the same, shorter


@pytest.mark.parametrize("count", [1, 3, 4, P], ids="P={}".format)
def test_value_and_gradients_are_those_of_the_definition(count: int) -> None:
    mine, reference = example(count), example(count)
    found, expected = divergence(*mine), by_definition(*reference)
    torch.testing.assert_close(found, expected, **CLOSE)
    (3 * found).backward()
    (3 * expected).backward()
    for tensor, other in zip(mine, reference, strict=True):
        torch.testing.assert_close(tensor.grad, other.grad, **CLOSE)


def test_equal_predictions_are_not_apart_and_pull_nowhere() -> None:
    first, _, weight, bias = example()
    found = divergence(first, first.detach().clone(), weight, bias)
    found.backward()
    assert found.item() == 0
    for tensor in (first, weight, bias):
        assert tensor.grad is not None
        assert tensor.grad.abs().max() < 1e-15


def test_neither_prediction_comes_first() -> None:
    first, second, weight, bias = example()
    torch.testing.assert_close(
        divergence(first, second, weight, bias), divergence(second, first, weight, bias), **CLOSE
    )


def test_nothing_is_kept_of_the_size_of_all_logits() -> None:
    kept: list[int] = []

    def note(tensor: Tensor) -> Tensor:
        kept.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        divergence(*example(100))
    assert max(kept) == 100 * E < 100 * V


def test_without_gradients_the_value_is_the_same() -> None:
    inputs = example()
    with torch.no_grad():
        silent = divergence(*inputs)
    assert not silent.requires_grad
    torch.testing.assert_close(silent, divergence(*inputs).detach(), **CLOSE)


def test_products_are_taken_in_the_precision_of_autocast() -> None:
    inputs = tuple(tensor.detach().float() for tensor in example())
    exact = divergence(*inputs)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = divergence(*inputs)
    assert rounded.dtype == torch.float32
    assert rounded != exact
    assert rounded.item() == pytest.approx(exact.item(), rel=0.05)
