"""The memory cell against numbers worked out by hand, and the fused path against the cell.

Hand-made numbers use L = log 3, because sigmoid(L) = 3/4, sigmoid(-L) = 1/4, sigmoid(0) = 1/2
and tanh(L / 2) = 1/2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mt.lstm import LSTM, LSTMCell, LSTMState, zero_state

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
    zeros = zero_state(inputs, H)
    assert torch.equal(cell.unroll(inputs).hidden, cell.unroll(inputs, zeros).hidden)
    ones = LSTMState(torch.ones(N, H), torch.ones(N, H))
    assert not torch.equal(cell.unroll(inputs).hidden, cell.unroll(inputs, ones).hidden)


def test_a_state_selects_rows_that_repeat_and_reorder() -> None:
    state = LSTMState(torch.arange(6.0).view(2, 3, 1), -torch.arange(6.0).view(2, 3, 1))
    picked = state.select(torch.tensor([2, 0, 0, 1]))
    assert picked.hidden[..., 0].tolist() == [[2, 0, 0, 1], [5, 3, 3, 4]]
    assert picked.cell[..., 0].tolist() == [[-2, 0, 0, -1], [-5, -3, -3, -4]]


# The fused path equals the cell


@both_directions
def test_fused_and_unrolled_agree_forward_and_backward(bidirectional: bool) -> None:
    layer = random_layer(bidirectional)
    cells = layer.cells()
    fused_inputs, fused_state = random_inputs(layer)
    inputs, state = as_leaves(fused_inputs, fused_state)

    outputs, final = layer(fused_inputs, fused_state)
    expected_outputs, expected_final = unrolled(cells, inputs, state)
    torch.testing.assert_close(outputs, expected_outputs, **CLOSE)
    torch.testing.assert_close(final.hidden, expected_final.hidden, **CLOSE)
    torch.testing.assert_close(final.cell, expected_final.cell, **CLOSE)

    weighted(outputs, *final).backward()
    weighted(expected_outputs, *expected_final).backward()
    for mine, reference in zip((fused_inputs, *fused_state), (inputs, *state), strict=True):
        torch.testing.assert_close(mine.grad, reference.grad, **CLOSE)
    assert_same_gradients(layer, cells)


@both_directions
def test_each_padded_sequence_equals_the_cell_unrolled_over_its_true_steps(
    bidirectional: bool,
) -> None:
    layer = random_layer(bidirectional)
    cells = layer.cells()
    inputs, state = random_inputs(layer)
    lengths = torch.tensor([3, T, 1, 5])  # not sorted: the state has to follow its row
    outputs, final = layer(inputs, state, lengths)
    for row, length in enumerate(lengths.tolist()):
        own = LSTMState(state.hidden[:, [row]], state.cell[:, [row]])
        expected, expected_final = unrolled(cells, inputs[:length, [row]], own)
        torch.testing.assert_close(outputs[:length, [row]], expected, **CLOSE)
        assert not outputs[length:, row].any()
        torch.testing.assert_close(final.hidden[:, [row]], expected_final.hidden, **CLOSE)
        torch.testing.assert_close(final.cell[:, [row]], expected_final.cell, **CLOSE)


@both_directions
def test_padding_gets_no_gradient(bidirectional: bool) -> None:
    layer = random_layer(bidirectional)
    inputs, state = random_inputs(layer)
    outputs, final = layer(inputs, state, torch.tensor([3, T, 1, 5]))
    weighted(outputs, *final).backward()
    assert inputs.grad is not None
    used = (inputs.grad != 0).all(dim=-1)
    assert used.sum(dim=0).tolist() == [3, T, 1, 5]


def test_the_backward_direction_ends_at_the_first_position() -> None:
    layer = random_layer(bidirectional=True)
    outputs, final = layer(random_inputs(layer)[0], lengths=torch.tensor([3, T, 1, 5]))
    assert torch.equal(final.hidden[1], outputs[0, :, H:])
    assert torch.equal(final.hidden[0, 1], outputs[-1, 1, :H])


def test_one_step_equals_one_step_of_the_whole_sequence() -> None:
    layer = random_layer(bidirectional=False)
    inputs, state = random_inputs(layer)
    outputs, final = layer(inputs, state)
    after = LSTMState(state.hidden[0], state.cell[0])
    for x, output in zip(inputs, outputs, strict=True):
        after = layer.step(x, after)
        torch.testing.assert_close(after.hidden, output, **CLOSE)
    torch.testing.assert_close(after.cell, final.cell[0], **CLOSE)


@both_directions
def test_converting_to_cells_and_back_is_the_identity(bidirectional: bool) -> None:
    layer, other = random_layer(bidirectional), random_layer(bidirectional)
    other.load_cells(*layer.cells())
    for name, parameter in layer.named_parameters():
        assert torch.equal(parameter, other.get_parameter(name)), name


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


@both_directions
def test_an_optimiser_moves_fused_and_reference_alike(bidirectional: bool) -> None:
    layer = random_layer(bidirectional)
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
        expected, expected_final = unrolled(cells, inputs, None)
        weighted(expected, *expected_final).backward()
        for optimiser in optimisers:
            optimiser.step()
    for mine, reference in zip(layer.cells(), cells, strict=True):
        for name, parameter in reference.named_parameters():
            torch.testing.assert_close(mine.get_parameter(name), parameter, **CLOSE)
    assert not any(layer.fused.get_parameter(f"bias_hh{end}").any() for end in suffixes(layer))


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
    layer = LSTM(I, H, bidirectional=bidirectional).double()
    with torch.no_grad():
        for parameter in layer.parameters():
            if parameter.requires_grad:
                parameter.normal_()
    return layer


def random_inputs(layer: LSTM) -> tuple[Tensor, LSTMState]:
    """Inputs [T, N, I] and an initial state [D, N, H], which take gradients."""
    shape = (len(suffixes(layer)), N, H)
    return as_leaves(
        torch.randn(T, N, I, dtype=torch.float64),
        LSTMState(torch.randn(shape, dtype=torch.float64), torch.randn(shape, dtype=torch.float64)),
    )


def as_leaves(inputs: Tensor, state: LSTMState) -> tuple[Tensor, LSTMState]:
    """Copies with gradients of their own."""
    hidden, cell = (value.detach().clone().requires_grad_() for value in state)
    return inputs.detach().clone().requires_grad_(), LSTMState(hidden, cell)


def unrolled(
    cells: Sequence[LSTMCell], inputs: Tensor, state: LSTMState | None
) -> tuple[Tensor, LSTMState]:
    """What LSTM.forward promises, by the cells: the second reads from the end to the start."""
    outputs, finals = [], []
    for direction, cell in enumerate(cells):
        own = state and LSTMState(state.hidden[direction], state.cell[direction])
        gates = cell.unroll(inputs.flip(0) if direction else inputs, own)
        outputs.append(gates.hidden.flip(0) if direction else gates.hidden)
        finals.append(LSTMState(gates.hidden[-1], gates.cell[-1]))
    hidden, memory = (torch.stack(states) for states in zip(*finals, strict=True))
    return torch.cat(outputs, dim=-1), LSTMState(hidden, memory)


def weighted(*values: Tensor) -> Tensor:
    """A sum in which every element has a weight of its own, so that none can hide."""
    total = torch.zeros((), dtype=torch.float64)
    for value in values:
        total = total + (value * torch.linspace(-1, 2, value.numel()).view(value.shape)).sum()
    return total


def assert_same_gradients(layer: LSTM, cells: Sequence[LSTMCell]) -> None:
    for suffix, cell in zip(suffixes(layer), cells, strict=True):
        for stack, name in (("weight_ih", "W_x"), ("weight_hh", "W_h"), ("bias_ih", "b_")):
            stacked = layer.fused.get_parameter(stack + suffix).grad
            assert stacked is not None
            for gate, block in zip("ifco", stacked.chunk(4), strict=True):
                torch.testing.assert_close(block, cell.get_parameter(name + gate).grad, **CLOSE)
