"""The chunked loss against torch's own cross entropy, which holds all logits at once."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

import mt.loss.cross_entropy
from mt.loss.cross_entropy import cross_entropy

P, E, V = 8, 4, 11
Inputs: TypeAlias = tuple[Tensor, Tensor, Tensor]
CLOSE: dict[str, Any] = {"rtol": 0.0, "atol": 1e-12}
smoothings = pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
positions = pytest.mark.parametrize("count", [1, 3, 4, P], ids="P={}".format)


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight positions are two whole chunks and a rest."""
    monkeypatch.setattr(mt.loss.cross_entropy, "CHUNK_ROWS", 3)


def test_one_position_by_hand() -> None:
    # The readout (1,) meets weights (0, 0, log 2): probabilities 1/4, 1/4, 1/2.
    readouts = torch.ones(1, 1, requires_grad=True)
    weight = torch.tensor([[0.0], [0.0], [math.log(2)]])
    loss = cross_entropy(readouts, weight, torch.zeros(3), torch.tensor([2]), smoothing=0.3)
    assert loss.nll.item() == pytest.approx(-math.log(1 / 2))
    # The right token has 0.7 + 0.1 of the mass, the two others 0.1 each.
    expected = -0.8 * math.log(1 / 2) - 2 * 0.1 * math.log(1 / 4)
    assert loss.smoothed.item() == pytest.approx(expected)
    # d loss / d z = softmax - mass = (1/4 - 0.1, 1/4 - 0.1, 1/2 - 0.8); times the weights.
    loss.smoothed.backward()
    assert readouts.grad is not None
    assert readouts.grad.item() == pytest.approx(-0.3 * math.log(2))


@smoothings
@positions
def test_value_and_gradients_are_those_of_torch(smoothing: float, count: int) -> None:
    mine, targets = example(count)
    reference, _ = example(count)
    loss = cross_entropy(*mine, targets, smoothing=smoothing)
    expected = torch_cross_entropy(*reference, targets, smoothing)
    torch.testing.assert_close(loss.smoothed, expected, **CLOSE)
    loss.smoothed.backward()
    expected.backward()
    for tensor, other in zip(mine, reference, strict=True):
        torch.testing.assert_close(tensor.grad, other.grad, **CLOSE)


def test_an_incoming_gradient_scales_the_gradients() -> None:
    mine, targets = example(P)
    reference, _ = example(P)
    (3 * cross_entropy(*mine, targets).smoothed).backward()
    (3 * torch_cross_entropy(*reference, targets, 0.0)).backward()
    for tensor, other in zip(mine, reference, strict=True):
        torch.testing.assert_close(tensor.grad, other.grad, **CLOSE)


@smoothings
def test_gradients_are_the_slopes_of_the_value(smoothing: float) -> None:
    inputs, targets = example(4)

    def value(readouts: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return cross_entropy(readouts, weight, bias, targets, smoothing=smoothing).smoothed

    assert torch.autograd.gradcheck(value, inputs)


def test_a_second_derivative_is_refused_rather_than_wrong() -> None:
    (readouts, weight, bias), targets = example(P)
    loss = cross_entropy(readouts, weight, bias, targets)
    (slope,) = torch.autograd.grad(loss.smoothed.square(), readouts, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        slope.square().sum().backward()


@smoothings
def test_the_reported_likelihood_is_never_smoothed(smoothing: float) -> None:
    (readouts, weight, bias), targets = example(P)
    loss = cross_entropy(readouts, weight, bias, targets, smoothing=smoothing)
    expected = torch_cross_entropy(readouts, weight, bias, targets, 0.0)
    torch.testing.assert_close(loss.nll, expected, **CLOSE)
    assert not loss.nll.requires_grad
    assert loss.positions == P


def test_sums_over_parts_add_up_to_the_sum_over_all() -> None:
    (readouts, weight, bias), targets = example(P)
    parts = [
        cross_entropy(readouts[rows], weight, bias, targets[rows], smoothing=0.1)
        for rows in (slice(0, 5), slice(5, None))
    ]
    whole = cross_entropy(readouts, weight, bias, targets, smoothing=0.1)
    torch.testing.assert_close(whole.smoothed, parts[0].smoothed + parts[1].smoothed, **CLOSE)
    torch.testing.assert_close(whole.nll, parts[0].nll + parts[1].nll, **CLOSE)
    assert whole.positions == parts[0].positions + parts[1].positions


def test_no_positions_cost_nothing() -> None:
    inputs, targets = example(0)
    loss = cross_entropy(*inputs, targets, smoothing=0.1)
    assert (loss.smoothed.item(), loss.nll.item(), loss.positions) == (0, 0, 0)
    loss.smoothed.backward()
    assert all(tensor.grad is not None and not tensor.grad.any() for tensor in inputs)


def test_only_one_chunk_of_logits_is_computed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes: list[tuple[int, ...]] = []
    linear = F.linear

    def spy(*arguments: Tensor) -> Tensor:
        logits = linear(*arguments)
        shapes.append(tuple(logits.shape))
        return logits

    monkeypatch.setattr(F, "linear", spy)
    inputs, targets = example(P)
    cross_entropy(*inputs, targets, smoothing=0.1)
    assert shapes == [(3, V), (3, V), (2, V)]


def test_without_gradients_the_value_is_the_same_and_only_the_logits_are_paid_for() -> None:
    inputs, targets = example(P)
    product = 2 * P * E * V  # multiplications and additions of one matrix product
    with FlopCounterMode(display=False) as flops:
        expected = cross_entropy(*inputs, targets, smoothing=0.1)
    assert flops.get_total_flops() == 3 * product  # logits, and the gradients of both factors
    with torch.no_grad(), FlopCounterMode(display=False) as flops:
        loss = cross_entropy(*inputs, targets, smoothing=0.1)
    assert flops.get_total_flops() == product
    assert torch.equal(loss.smoothed, expected.smoothed)
    assert torch.equal(loss.nll, expected.nll)
    assert not loss.smoothed.requires_grad


def test_under_autocast_products_are_bf16_and_sums_stay_float32() -> None:
    reference, targets = example(P)
    readouts, weight, bias = (tensor.detach().float().requires_grad_() for tensor in reference)
    types: set[torch.dtype] = set()
    linear = F.linear

    def spy(*arguments: Tensor) -> Tensor:
        types.update(argument.dtype for argument in arguments)
        return linear(*arguments)

    with pytest.MonkeyPatch.context() as patch, torch.autocast("cpu", dtype=torch.bfloat16):
        patch.setattr(F, "linear", spy)
        loss = cross_entropy(readouts, weight, bias, targets, smoothing=0.1)
    loss.smoothed.backward()
    assert types == {torch.bfloat16}
    expected = torch_cross_entropy(*reference, targets, 0.1)
    expected.backward()
    assert loss.smoothed.dtype == torch.float32
    # bf16 has 8 bits: a factor is off by up to 1/256, a sum of a few products by little more.
    assert loss.smoothed.item() == pytest.approx(expected.item(), rel=0.01)
    for tensor, other in zip((readouts, weight, bias), reference, strict=True):
        assert tensor.grad is not None
        assert tensor.grad.dtype == torch.float32
        assert other.grad is not None
        error = (tensor.grad - other.grad).norm() / other.grad.norm()
        assert error < 0.02


def test_large_logits_do_not_overflow() -> None:
    weight = torch.tensor([[1000.0], [-1000.0]])
    loss = cross_entropy(torch.ones(1, 1), weight, torch.zeros(2), torch.tensor([1]))
    assert loss.nll.item() == 2000


def example(count: int) -> tuple[Inputs, Tensor]:
    """Readouts, weight and bias that take gradients, and targets; the same at every call."""
    random = torch.Generator().manual_seed(1)
    readouts, weight, bias = (
        torch.randn(shape, generator=random, dtype=torch.float64).requires_grad_()
        for shape in ((count, E), (V, E), (V,))
    )
    return (readouts, weight, bias), torch.randint(V, (count,), generator=random)


def torch_cross_entropy(
    readouts: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, smoothing: float
) -> Tensor:
    logits = F.linear(readouts, weight, bias)
    return F.cross_entropy(logits, targets, label_smoothing=smoothing, reduction="sum")
