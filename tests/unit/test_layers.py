"""What every kind of layer promises: to equal its cells, forward and backward, and to drop weights.

The cells' own numbers are worked out by hand in `test_lstm` and `test_variants`.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from mt.config import Variant
from mt.lstm import Layer, LSTMState
from support.layers import KINDS, as_leaves, gradients, make_layer, randomised, unrolled, weighted

CLOSE: dict[str, Any] = {"rtol": 0.0, "atol": 1e-10}
T, N, I, H = 6, 4, 3, 5  # noqa: E741 - the letter of the literature
LENGTHS = torch.tensor([3, T, 1, 5])  # not sorted: the state has to follow its row
kinds = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
both_directions = pytest.mark.parametrize("bidirectional", [False, True], ids=["one", "both"])

Kind = Variant | None


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(1)


@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["full", "padded"])
@both_directions
@kinds
def test_a_layer_equals_its_cells_forward_and_backward(
    kind: Kind, bidirectional: bool, lengths: Tensor | None
) -> None:
    layer = random_layer(kind, bidirectional)
    cells = layer.cells()
    own_inputs, own_state = random_inputs(layer)
    inputs, state = as_leaves(own_inputs, own_state)

    outputs, final = layer(own_inputs, own_state, lengths)
    expected, expected_final = unrolled(cells, inputs, state, lengths)
    torch.testing.assert_close(outputs, expected, **CLOSE)
    torch.testing.assert_close(final.hidden, expected_final.hidden, **CLOSE)
    torch.testing.assert_close(final.cell, expected_final.cell, **CLOSE)

    weighted(outputs, *final).backward()
    weighted(expected, *expected_final).backward()
    for mine, reference in zip((own_inputs, *own_state), (inputs, *state), strict=True):
        torch.testing.assert_close(mine.grad, reference.grad, **CLOSE)
    for mine, cell in zip(gradients(layer), cells, strict=True):
        for name, parameter in cell.named_parameters():
            torch.testing.assert_close(mine[name], parameter.grad, **CLOSE)


@both_directions
@kinds
def test_without_a_state_a_layer_starts_from_zeros(kind: Kind, bidirectional: bool) -> None:
    layer = random_layer(kind, bidirectional)
    inputs, _ = random_inputs(layer)
    outputs, final = layer(inputs)
    expected, expected_final = unrolled(layer.cells(), inputs)
    torch.testing.assert_close(outputs, expected, **CLOSE)
    torch.testing.assert_close(final.cell, expected_final.cell, **CLOSE)


@both_directions
@kinds
def test_padding_is_not_read_written_or_learnt_from(kind: Kind, bidirectional: bool) -> None:
    layer = random_layer(kind, bidirectional)
    inputs, state = random_inputs(layer)
    outputs, final = layer(inputs, state, LENGTHS)
    weighted(outputs, *final).backward()
    assert inputs.grad is not None
    beyond = torch.arange(T)[:, None] >= LENGTHS
    assert not outputs[beyond].any()
    assert not inputs.grad[beyond].any()
    assert inputs.grad[~beyond].any(dim=-1).all()
    with torch.no_grad():
        inputs[beyond] = 9
    others, other_final = layer(inputs, state, LENGTHS)
    assert torch.equal(others, outputs)
    assert torch.equal(other_final.cell, final.cell)


@kinds
def test_the_backward_direction_ends_at_the_first_position(kind: Kind) -> None:
    layer = random_layer(kind, bidirectional=True)
    outputs, final = layer(random_inputs(layer)[0], lengths=LENGTHS)
    assert torch.equal(final.hidden[1], outputs[0, :, H:])
    assert torch.equal(final.hidden[0, 1], outputs[-1, 1, :H])


@kinds
def test_one_step_equals_one_step_of_the_whole_sequence(kind: Kind) -> None:
    layer = random_layer(kind, bidirectional=False)
    inputs, state = random_inputs(layer)
    outputs, final = layer(inputs, state)
    after = LSTMState(state.hidden[0], state.cell[0])
    for x, output in zip(inputs, outputs, strict=True):
        after = layer.step(x, after)
        torch.testing.assert_close(after.hidden, output, **CLOSE)
    torch.testing.assert_close(after.cell, final.cell[0], **CLOSE)


@both_directions
@kinds
def test_converting_to_cells_and_back_is_the_identity(kind: Kind, bidirectional: bool) -> None:
    layer, other = random_layer(kind, bidirectional), random_layer(kind, bidirectional, seed=2)
    other.load_cells(*layer.cells())
    for name, parameter in layer.named_parameters():
        assert torch.equal(parameter, other.get_parameter(name)), name


@both_directions
@kinds
def test_an_optimiser_moves_a_layer_and_its_cells_alike(kind: Kind, bidirectional: bool) -> None:
    layer = random_layer(kind, bidirectional)
    cells = layer.cells()
    inputs = torch.randn(T, N, I, dtype=torch.float64)
    optimisers = [
        torch.optim.Adam(layer.parameters(), lr=0.05),
        torch.optim.Adam([p for cell in cells for p in cell.parameters()], lr=0.05),
    ]
    for _ in range(3):
        for optimiser in optimisers:
            optimiser.zero_grad()
        outputs, final = layer(inputs)
        weighted(outputs, *final).backward()
        expected, expected_final = unrolled(cells, inputs)
        weighted(expected, *expected_final).backward()
        for optimiser in optimisers:
            optimiser.step()
    for mine, reference in zip(layer.cells(), cells, strict=True):
        for name, parameter in reference.named_parameters():
            torch.testing.assert_close(mine.get_parameter(name), parameter, **CLOSE)
    second = [p for name, p in layer.named_parameters() if "bias_hh" in name]  # the fused layer's
    assert not any(parameter.any() for parameter in second)


def test_the_loop_with_the_standard_equations_equals_the_fused_layer() -> None:
    fused = random_layer(None, bidirectional=True)
    looped = random_layer(Variant(), bidirectional=True)
    for mine, cell in zip(cells := looped.cells(), fused.cells(), strict=True):
        mine.load_state_dict(cell.state_dict())
    looped.load_cells(*cells)
    inputs, state = random_inputs(fused)
    outputs, final = looped(inputs, state, LENGTHS)
    expected, expected_final = fused(inputs, state, LENGTHS)
    torch.testing.assert_close(outputs, expected, **CLOSE)
    torch.testing.assert_close(final.hidden, expected_final.hidden, **CLOSE)
    torch.testing.assert_close(final.cell, expected_final.cell, **CLOSE)


# Weight drop


@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["full", "padded"])
@both_directions
@kinds
def test_weight_drop_thins_the_recurrent_matrices_by_one_mask_for_the_whole_batch(
    kind: Kind, bidirectional: bool, lengths: Tensor | None
) -> None:
    layer = random_layer(kind, bidirectional, weight_drop=0.25)
    inputs, state = random_inputs(layer)
    outputs, final = layer.train()(inputs, state, lengths)
    weighted(outputs, *final).backward()
    # A weight that takes part anywhere, at any step of any row, has a gradient.
    recurrent = [p for name, p in layer.named_parameters() if "weight_hh" in name]
    masks = [parameter.grad != 0 for parameter in recurrent]
    kept = torch.cat([mask.flatten() for mask in masks]).double()
    # The share of 75 draws and more has a standard deviation of at most 0.05.
    assert kept.mean().item() == pytest.approx(0.75, abs=0.15)
    with torch.no_grad():
        for parameter, mask in zip(recurrent, masks, strict=True):
            parameter.mul_(mask.double() / 0.75)
    expected, expected_final = layer.eval()(inputs, state, lengths)
    torch.testing.assert_close(outputs, expected, **CLOSE)
    torch.testing.assert_close(final.cell, expected_final.cell, **CLOSE)


@kinds
def test_weight_drop_draws_a_mask_for_each_batch_and_repeats_with_the_seed(kind: Kind) -> None:
    layer = random_layer(kind, bidirectional=False, weight_drop=0.5).train()
    inputs, state = random_inputs(layer)
    torch.manual_seed(2)
    first, second = (layer(inputs, state)[0] for _ in range(2))
    torch.manual_seed(2)
    assert torch.equal(layer(inputs, state)[0], first)
    assert not torch.equal(first, second)


@kinds
def test_weight_drop_leaves_the_parameters_evaluation_and_single_steps_alone(kind: Kind) -> None:
    plain = random_layer(kind, bidirectional=False)
    layer = random_layer(kind, bidirectional=False, weight_drop=0.5)
    inputs, state = random_inputs(layer)
    layer.train()(inputs, state)
    for name, parameter in plain.named_parameters():
        assert torch.equal(layer.get_parameter(name), parameter), name
    assert torch.equal(layer.eval()(inputs, state)[0], plain(inputs, state)[0])
    before = LSTMState(state.hidden[0], state.cell[0])
    assert torch.equal(
        layer.train().step(inputs[0], before).cell, plain.step(inputs[0], before).cell
    )


# Arithmetic in bf16


@kinds
def test_a_layer_learns_in_bf16_and_a_loop_keeps_its_memory_in_fp32(kind: Kind) -> None:
    layer = make_layer(kind, I, H, bidirectional=True, weight_drop=0.5)
    with torch.autocast("cpu", torch.bfloat16):
        outputs, final = layer(torch.randn(T, N, I).bfloat16(), None, LENGTHS)
    outputs.float().sum().backward()
    if kind is not None:
        assert final.cell.dtype == torch.float32
    for name, parameter in layer.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            assert parameter.grad.dtype == torch.float32
            assert parameter.grad.isfinite().all()


def random_layer(kind: Kind, bidirectional: bool, *, seed: int = 1, **options: Any) -> Layer:
    return randomised(make_layer(kind, I, H, bidirectional=bidirectional, **options), seed)


def random_inputs(layer: Layer) -> tuple[Tensor, LSTMState]:
    """Inputs [T, N, I] and an initial state [D, N, H], which take gradients."""
    shape = (2 if layer.bidirectional else 1, N, H)
    return as_leaves(
        torch.randn(T, N, I, dtype=torch.float64),
        LSTMState(torch.randn(shape, dtype=torch.float64), torch.randn(shape, dtype=torch.float64)),
    )
