"""The memory cell against numbers worked out by hand, the fused layer against torch's own.

Hand-made numbers use L = log 3, because sigmoid(L) = 3/4, sigmoid(-L) = 1/4, sigmoid(0) = 1/2
and tanh(L / 2) = 1/2.
"""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mt.lstm import LSTM, LSTMCell, LSTMState, zero_state
from support.layers import as_leaves, randomised, unrolled

L = math.log(3)
CLOSE: dict[str, Any] = {"rtol": 0.0, "atol": 1e-10}
T, N, I, H = 6, 4, 3, 5  # noqa: E741 - the letter of the literature
both_directions = pytest.mark.parametrize("bidirectional", [False, True], ids=["one", "both"])


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(1)


# One step, by hand


def test_one_step_of_one_unit_is_what_the_equations_say() -> None:
    cell = hand_made(
        # Each pre-activation is W_x * 2 + W_h * (-1) + b, for x = 2 and h' = -1.
        i=(L, L, 0.0),  # 2L - L + 0 = L, so i = 3/4
        f=(L, L, -2 * L),  # 2L - L - 2L = -L, so f = 1/4
        o=(L, 3 * L, L),  # 2L - 3L + L = 0, so o = 1/2
        c=(L / 2, L, L / 2),  # L - L + L/2 = L/2, so g = 1/2
    )
    # c = f c' + i g = (2L - 3/2) / 4 + 3/4 * 1/2 = L/2; h = o tanh(c) = 1/2 * 1/2 = 1/4
    state = LSTMState(torch.tensor([[-1.0]]), torch.tensor([[2 * L - 1.5]]))
    gates = cell(torch.tensor([[2.0]]), state)
    expected = {
        "input": 3 / 4,
        "forget": 1 / 4,
        "output": 1 / 2,
        "candidate": 1 / 2,
        "cell": L / 2,
        "hidden": 1 / 4,
    }
    assert {name: value.item() for name, value in gates._asdict().items()} == pytest.approx(
        expected
    )


def test_row_k_of_a_matrix_feeds_unit_k() -> None:
    cell = silent(LSTMCell(1, 2))
    with torch.no_grad():
        cell.W_hi[0, 1] = L  # unit 1's hidden state opens unit 0's input gate
        cell.W_xc[1, 0] = L / 2  # the input writes to unit 1 alone
    state = LSTMState(torch.tensor([[0.0, 1.0]]), torch.tensor([[8.0, 4.0]]))
    gates = cell(torch.tensor([[1.0]]), state)
    # i = (3/4, 1/2), g = (0, 1/2), f = o = 1/2; c = (1/2 * 8 + 0, 1/2 * 4 + 1/2 * 1/2)
    assert gates.input.tolist()[0] == pytest.approx([3 / 4, 1 / 2])
    assert gates.candidate.tolist()[0] == pytest.approx([0, 1 / 2])
    assert gates.cell.tolist()[0] == pytest.approx([4, 2.25])
    assert gates.hidden.tolist()[0] == pytest.approx([math.tanh(4) / 2, math.tanh(2.25) / 2])


def test_unrolling_hands_the_state_from_step_to_step() -> None:
    cell = silent(LSTMCell(1, 1))
    with torch.no_grad():
        cell.W_xc.fill_(L / 2)
    gates = cell.unroll(torch.tensor([[[1.0]], [[1.0]], [[0.0]]]))
    # All gates are 1/2 and g is 1/2, 1/2, 0: c = 1/4, then 1/8 + 1/4 = 3/8, then 3/16.
    assert gates.cell.flatten().tolist() == pytest.approx([1 / 4, 3 / 8, 3 / 16])
    assert gates.forget.shape == (3, 1, 1)


def test_unrolling_starts_from_zeros_unless_told_otherwise() -> None:
    cell, inputs = LSTMCell(I, H), torch.randn(T, N, I)
    zeros = zero_state(cell.b_i, N, H)
    assert torch.equal(cell.unroll(inputs).hidden, cell.unroll(inputs, zeros).hidden)
    ones = LSTMState(torch.ones(N, H), torch.ones(N, H))
    assert not torch.equal(cell.unroll(inputs).hidden, cell.unroll(inputs, ones).hidden)


def test_a_state_selects_rows_that_repeat_and_reorder() -> None:
    state = LSTMState(torch.arange(6.0).view(2, 3, 1), -torch.arange(6.0).view(2, 3, 1))
    picked = state.select(torch.tensor([2, 0, 0, 1]))
    assert picked.hidden[..., 0].tolist() == [[2, 0, 0, 1], [5, 3, 3, 4]]
    assert picked.cell[..., 0].tolist() == [[-2, 0, 0, -1], [-5, -3, -3, -4]]


# The fused layer (`test_layers` proves it equal to the cell)


@both_directions
def test_a_plain_torch_lstm_with_two_biases_converts_to_their_sum(bidirectional: bool) -> None:
    plain = nn.LSTM(I, H, bidirectional=bidirectional).double()
    assert all(parameter.all() for parameter in plain.parameters()), "no bias is zero"
    layer = LSTM(I, H, bidirectional=bidirectional).double()
    layer.fused.load_state_dict(plain.state_dict())
    layer.load_cells(*layer.cells())
    assert not any(layer.fused.get_parameter(f"bias_hh{end}").any() for end in suffixes(layer))
    inputs, state = random_inputs(layer)
    expected, (expected_hidden, expected_cell) = plain(inputs, state)
    outputs, final = layer(inputs, state)
    torch.testing.assert_close(outputs, expected, **CLOSE)
    torch.testing.assert_close(final.hidden, expected_hidden, **CLOSE)
    torch.testing.assert_close(final.cell, expected_cell, **CLOSE)


# Initial weights


@pytest.mark.parametrize("forget_bias", [1.0, -2.5])
@both_directions
def test_only_the_forget_gate_starts_with_a_bias_and_in_one_vector(
    bidirectional: bool, forget_bias: float
) -> None:
    layer = LSTM(I, H, bidirectional=bidirectional, forget_bias=forget_bias)
    expected = [0.0] * H + [forget_bias] * H + [0.0] * 2 * H  # order i, f, g, o
    for suffix in suffixes(layer):
        assert layer.fused.get_parameter(f"bias_ih{suffix}").tolist() == expected
        second = layer.fused.get_parameter(f"bias_hh{suffix}")
        assert second.tolist() == [0.0] * 4 * H
        assert not second.requires_grad


def test_the_forget_bias_is_one_unless_told_otherwise() -> None:
    assert LSTMCell(I, H).b_f.tolist() == [1.0] * H
    assert LSTM(I, H).cells()[0].b_f.tolist() == [1.0] * H


@both_directions
def test_chrono_initialisation_draws_how_long_each_unit_remembers(bidirectional: bool) -> None:
    layer = LSTM(1, 500, bidirectional=bidirectional, chrono_length=21)
    for cell in layer.cells():
        # f = u / (1 + u) and i = 1 / (1 + u): b_f = log(u), b_i = -log(u), u from 1 to 20.
        assert torch.equal(cell.b_i, -cell.b_f)
        u = cell.b_f.exp()
        assert 1 <= u.min() < 1.5
        assert 19.5 < u.max() <= 20
        # The mean of 500 uniform draws has a standard deviation of 19 / sqrt(12 * 500) = 0.25.
        assert u.mean().item() == pytest.approx(10.5, abs=1)
        assert not cell.b_o.any()
        assert not cell.b_c.any()


@both_directions
def test_each_recurrent_block_starts_orthogonal(bidirectional: bool) -> None:
    layer = LSTM(I, H, bidirectional=bidirectional)
    for suffix in suffixes(layer):
        for block in layer.fused.get_parameter(f"weight_hh{suffix}").chunk(4):
            torch.testing.assert_close(block @ block.T, torch.eye(H), rtol=0, atol=1e-6)


@both_directions
def test_each_input_block_starts_within_xaviers_bounds(bidirectional: bool) -> None:
    layer = LSTM(20, 30, bidirectional=bidirectional)
    bound = math.sqrt(6 / (20 + 30))  # Glorot and Bengio 2010, eq. 16, of a block by itself
    for suffix in suffixes(layer):
        for block in layer.fused.get_parameter(f"weight_ih{suffix}").chunk(4):
            assert block.abs().max() <= bound
            assert block.abs().max() > 0.95 * bound  # the four blocks as one would stay below 0.6


def test_no_two_blocks_start_equal() -> None:
    layer = LSTM(H, H, bidirectional=True)
    blocks = [b for cell in layer.cells() for b in cell.parameters() if b.ndim == 2]
    assert len({tuple(block.flatten().tolist()) for block in blocks}) == len(blocks) == 16


# The constant error carousel


@pytest.mark.parametrize("bias", [math.inf, 1000.0])
@pytest.mark.parametrize(
    ("fused", "bidirectional"),
    [(False, False), (True, False), (True, True)],
    ids=["cell", "fused", "fused in both directions"],
)
def test_an_open_forget_gate_keeps_the_cell_and_its_gradient_for_a_thousand_steps(
    bias: float, fused: bool, bidirectional: bool
) -> None:
    layer = random_layer(bidirectional)
    cells = layer.cells()
    with torch.no_grad():
        for cell in cells:
            cell.b_f.fill_(bias)  # sigmoid is 1 to the last bit, its slope 0
            cell.b_i.fill_(-bias)  # sigmoid is 0: nothing is written, whatever the candidate
    layer.load_cells(*cells)
    inputs = torch.randn(1000, N, I, dtype=torch.float64)
    shape = (2 if bidirectional else 1, N, H)
    hidden = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    memory = torch.randn(shape, dtype=torch.float64, requires_grad=True)

    state = LSTMState(hidden, memory)
    _, final = layer(inputs, state) if fused else unrolled(cells, inputs, state)
    assert torch.equal(final.cell, memory)
    final.cell.sum().backward()
    assert memory.grad is not None
    assert hidden.grad is not None
    assert (memory.grad == 1).all()
    assert (hidden.grad == 0).all()


def test_a_half_open_forget_gate_halves_the_gradient_at_each_step() -> None:
    cell = silent(LSTMCell(1, 1)).double()
    memory = torch.ones(1, 1, dtype=torch.float64, requires_grad=True)
    state = LSTMState(torch.zeros(1, 1, dtype=torch.float64), memory)
    cell.unroll(torch.zeros(10, 1, 1, dtype=torch.float64), state).cell[-1].sum().backward()
    assert memory.grad is not None
    assert memory.grad.item() == 0.5**10


def hand_made(**gates: tuple[float, float, float]) -> LSTMCell:
    """A cell of one unit and one input from (W_x, W_h, b) of each gate."""
    cell = LSTMCell(1, 1)
    with torch.no_grad():
        for gate, (x, h, b) in gates.items():
            cell.get_parameter(f"W_x{gate}").fill_(x)
            cell.get_parameter(f"W_h{gate}").fill_(h)
            cell.get_parameter(f"b_{gate}").fill_(b)
    return cell


def silent(cell: LSTMCell) -> LSTMCell:
    """The cell with all parameters zero: every gate 1/2, every candidate 0."""
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.zero_()
    return cell


def suffixes(layer: LSTM) -> tuple[str, ...]:
    """How torch.nn.LSTM ends the names of each direction's parameters."""
    return ("_l0", "_l0_reverse") if layer.bidirectional else ("_l0",)


def random_layer(bidirectional: bool) -> LSTM:
    """float64, all trained parameters random, biases too."""
    return randomised(LSTM(I, H, bidirectional=bidirectional))


def random_inputs(layer: LSTM) -> tuple[Tensor, LSTMState]:
    """Inputs [T, N, I] and an initial state [D, N, H], which take gradients."""
    shape = (len(suffixes(layer)), N, H)
    return as_leaves(
        torch.randn(T, N, I, dtype=torch.float64),
        LSTMState(torch.randn(shape, dtype=torch.float64), torch.randn(shape, dtype=torch.float64)),
    )


@pytest.mark.parametrize("lengths", [None, torch.tensor([3, 1])])
def test_where_autocast_would_take_fp16_the_layer_stays_in_fp32(monkeypatch, lengths):
    layer = LSTM(2, 3, bidirectional=True)
    inputs = torch.randn(3, 2, 2)
    state = LSTMState(torch.randn(2, 2, 3), torch.randn(2, 2, 3))
    expected, final = layer(inputs, state, lengths)
    monkeypatch.setattr(LSTM, "_would_halve", lambda layer: True)
    monkeypatch.setattr(LSTM, "_unrolls", lambda layer: False)
    with torch.autocast("cpu", torch.bfloat16):
        found, its_final = layer(inputs, state, lengths)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(its_final.cell, final.cell)
