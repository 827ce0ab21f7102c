"""The variants of the memory cell against numbers worked out by hand.

They use L = log 3, because sigmoid(L) = 3/4, sigmoid(-L) = 1/4, sigmoid(0) = 1/2,
sigmoid(2L) = 9/10 and tanh(L / 2) = 1/2.
"""

from __future__ import annotations

import math

import pytest
import torch

from mt.config import STANDARD, Variant
from mt.lstm import Activations, LSTMCell, LSTMState, VariantCell
from support.layers import VARIANTS

L = math.log(3)
N, I, H = 4, 3, 5  # noqa: E741 - the letter of the literature


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(1)


# One step of one unit, by hand. The biases alone decide: all W are 0.


def test_without_output_tanh_the_cell_is_shown_as_it_is() -> None:
    cell = silent(Variant(output_tanh=False), 1, b_i=L, b_f=-L, b_o=L, b_c=L / 2)
    # c = 1/4 * 8 + 3/4 * 1/2 = 19/8; h = o c = 3/4 * 19/8
    assert_step(cell, memory=[8.0], cell=[19 / 8], output=[3 / 4], hidden=[57 / 32])


def test_coupled_gates_forget_as_much_as_they_write() -> None:
    cell = silent(Variant(coupled_gates=True), 1, b_i=-L, b_c=L / 2)
    # i = 1/4, so f = 3/4, and g = 1/2: c = 3/4 * 1/2 + 1/4 * 1/2 = 1/2; h = 1/2 tanh(1/2)
    assert_step(
        cell,
        memory=[0.5],
        input=[1 / 4],
        forget=[3 / 4],
        cell=[1 / 2],
        hidden=[math.tanh(1 / 2) / 2],
    )


def test_peepholes_show_the_old_cell_to_two_gates_and_the_new_one_to_the_third() -> None:
    cell = silent(Variant(peepholes=True), 1, p_i=L, p_f=-L, p_o=8 * L / 5, b_c=L / 2)
    # i = sigmoid(L * 1) = 3/4, f = sigmoid(-L * 1) = 1/4, c = 1/4 * 1 + 3/4 * 1/2 = 5/8,
    # o = sigmoid(8L/5 * 5/8) = 3/4
    assert_step(
        cell,
        memory=[1.0],
        input=[3 / 4],
        forget=[1 / 4],
        candidate=[1 / 2],
        cell=[5 / 8],
        output=[3 / 4],
        hidden=[3 / 4 * math.tanh(5 / 8)],
    )


def test_a_peephole_sees_its_own_unit_alone() -> None:
    cell = silent(Variant(peepholes=True), 2, p_i=[L, -L])
    # c' = (1, 1): i = (sigmoid(L), sigmoid(-L)); f = 1/2 and g = 0, so c = 1/2
    assert_step(cell, memory=[1.0, 1.0], input=[3 / 4, 1 / 4], cell=[1 / 2, 1 / 2])


def test_layer_normalisation_of_the_gates_together_and_of_the_cell() -> None:
    cell = silent(Variant(layer_norm=True), 2)
    fill(
        cell,
        # W_x x: the output gate's (2000, -2000) and six zeros have mean 0 and variance
        # 2 * 2000**2 / 8 = 1000**2: normalised (2, -2), and 0 for the others, whatever their gain.
        W_xo=[[2000.0], [-2000.0]],
        gain_xi=5.0,
        gain_xf=5.0,
        gain_xo=L / 4,
        gain_xc=5.0,
        # W_h h', h' = (1, -1): (1000, -1000) for i, o and c, the negative for f: mean 0, variance
        # 1000**2: normalised (1, -1) and (-1, 1).
        W_hi=diagonal(1000.0),
        W_hf=diagonal(-1000.0),
        W_ho=diagonal(1000.0),
        W_hc=diagonal(1000.0),
        gain_hi=L,
        gain_hf=L,
        gain_ho=L / 2,
        gain_hc=L / 2,
        b_o=L,
        gain_cell=[L / 2, L],
        shift_cell=[L, -3 * L / 2],
    )
    # a_i = (L, -L); a_f = (-L, L); a_o = (L/2 + L/2 + L, -L/2 - L/2 + L) = (2L, 0);
    # a_c = (L/2, -L/2). c = (1/4 * 1000 + 3/4 * 1/2, 3/4 * 2000 - 1/4 * 1/2), normalised (-1, 1):
    # shown (tanh(-L/2 + L), tanh(L - 3L/2)) = (1/2, -1/2)
    assert_step(
        cell,
        x=1.0,
        hidden_before=[1.0, -1.0],
        memory=[1000.0, 2000.0],
        input=[3 / 4, 1 / 4],
        forget=[1 / 4, 3 / 4],
        output=[9 / 10, 1 / 2],
        candidate=[1 / 2, -1 / 2],
        cell=[250.375, 1499.875],
        hidden=[9 / 20, -1 / 4],
    )


def test_what_is_all_equal_is_normalised_to_nothing() -> None:
    cell = silent(Variant(layer_norm=True), 2, b_i=L, b_c=L / 2, gain_cell=7.0, shift_cell=L / 2)
    # No W, so LN(0) = 0 and the biases decide: both units have i = 3/4, g = 1/2, f = o = 1/2:
    # c = 1/2 * 1/4 + 3/8 = 1/2 twice, which LN takes to 0: h = 1/2 tanh(0 * 7 + L/2) = 1/4
    assert_step(
        cell, memory=[1 / 4, 1 / 4], input=[3 / 4] * 2, cell=[1 / 2] * 2, hidden=[1 / 4] * 2
    )


def test_options_combine_each_in_its_own_line() -> None:
    variant = Variant(output_tanh=False, coupled_gates=True, peepholes=True)
    cell = silent(variant, 1, p_i=L, p_o=8 * L / 5, b_c=L / 2)
    # i = 3/4, f = 1 - i = 1/4, c = 1/4 + 3/8 = 5/8, o = 3/4, h = 3/4 * 5/8
    assert_step(cell, memory=[1.0], forget=[1 / 4], cell=[5 / 8], hidden=[15 / 32])


def test_all_four_options_together() -> None:
    variant = Variant(output_tanh=False, coupled_gates=True, peepholes=True, layer_norm=True)
    cell = silent(variant, 2, p_i=[L, -L], p_o=0.0, b_c=L / 2, gain_cell=4.0, shift_cell=1.0)
    # i = (3/4, 1/4) by the peepholes, f = (1/4, 3/4), g = 1/2, c' = (1, 1), so
    # c = (1/4 + 3/8, 3/4 + 1/8) = (5/8, 7/8): mean 3/4, variance 1/64, and LN takes it to
    # -+ 1 / sqrt(1 + 64e-5); h = 1/2 (4 LN(c) + 1)
    norm = 1 / math.sqrt(1 + 64e-5)
    hidden = [(1 - 4 * norm) / 2, (1 + 4 * norm) / 2]
    assert_step(cell, memory=[1.0, 1.0], cell=[5 / 8, 7 / 8], hidden=hidden)


# What is common to all


def test_without_any_option_it_is_the_standard_cell() -> None:
    standard = LSTMCell(I, H)
    cell = VariantCell(I, H, variant=STANDARD)
    cell.load_state_dict(standard.state_dict())
    inputs = torch.randn(6, N, I)
    for mine, reference in zip(cell.unroll(inputs), standard.unroll(inputs), strict=True):
        torch.testing.assert_close(mine, reference)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_option_does_something_beside_the_others(variant: Variant) -> None:
    cell = VariantCell(I, H, variant=variant)
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.normal_()
    x, state = torch.randn(N, I), LSTMState(torch.randn(N, H), torch.randn(N, H))
    before = cell(x, state)
    for option, standard in STANDARD._asdict().items():
        if getattr(variant, option) == standard:
            continue
        other = VariantCell(I, H, variant=variant._replace(**{option: standard}))
        other.load_state_dict(cell.state_dict(), strict=False)
        assert not torch.equal(other(x, state).hidden, before.hidden), option


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_variant_hands_out_every_gate_activation(variant: Variant) -> None:
    gates = VariantCell(I, H, variant=variant).unroll(torch.randn(6, N, I))
    assert isinstance(gates, Activations)
    assert all(activation.shape == (6, N, H) for activation in gates)
    if variant.coupled_gates:
        torch.testing.assert_close(gates.input + gates.forget, torch.ones(6, N, H))


# Initial weights


@pytest.mark.parametrize("variant", VARIANTS)
def test_gains_start_at_one_and_peepholes_and_shifts_at_nothing(variant: Variant) -> None:
    for name, parameter in VariantCell(I, H, variant=variant).named_parameters():
        if name.startswith(("p_", "shift_")):
            assert parameter.tolist() == [0.0] * H, name
        if name.startswith("gain_"):
            assert parameter.tolist() == [1.0] * H, name


def test_only_what_has_an_equation_has_parameters() -> None:
    def added(variant: Variant) -> tuple[set[str], set[str]]:
        standard = {name for name, _ in LSTMCell(I, H).named_parameters()}
        found = {name for name, _ in VariantCell(I, H, variant=variant).named_parameters()}
        return found - standard, standard - found

    forget = {"W_xf", "W_hf", "b_f"}
    assert added(Variant(output_tanh=False)) == (set(), set())
    assert added(Variant(coupled_gates=True)) == (set(), forget)
    assert added(Variant(peepholes=True)) == ({"p_i", "p_f", "p_o"}, set())
    assert added(Variant(peepholes=True, coupled_gates=True)) == ({"p_i", "p_o"}, forget)
    gains = {f"gain_{side}{gate}" for side in "xh" for gate in "ifoc"} | {"gain_cell", "shift_cell"}
    assert added(Variant(layer_norm=True)) == (gains, set())


def test_coupled_gates_start_as_open_to_the_past_as_the_forget_bias_says() -> None:
    cell = VariantCell(I, H, variant=Variant(coupled_gates=True), forget_bias=L)
    assert cell.b_i.tolist() == pytest.approx([-L] * H)  # i = 1/4, f = 3/4 = sigmoid(L)
    assert not cell.b_o.any()


def test_chrono_initialisation_of_coupled_gates_sets_the_gate_that_stays() -> None:
    cell = VariantCell(1, 500, variant=Variant(coupled_gates=True), chrono_length=21)
    u = (-cell.b_i).exp()  # f = 1 - sigmoid(-log(u)) = u / (1 + u), with u from 1 to 20
    assert 1 <= u.min() < 1.5
    assert 19.5 < u.max() <= 20


Values = float | list[float] | list[list[float]]


def silent(variant: Variant, units: int, **values: Values) -> VariantCell:
    """A cell of one input in float64, all of it 0 but the parameters named."""
    cell = VariantCell(1, units, variant=variant).double()
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.zero_()
    return fill(cell, **values)


def fill(cell: VariantCell, **values: Values) -> VariantCell:
    with torch.no_grad():
        for name, value in values.items():
            cell.get_parameter(name).copy_(torch.tensor(value, dtype=torch.float64))
    return cell


def diagonal(value: float) -> list[list[float]]:
    return [[value, 0.0], [0.0, value]]


def assert_step(
    cell: VariantCell,
    /,
    *,
    memory: list[float],
    x: float = 0.0,
    hidden_before: list[float] | None = None,
    **expected: list[float],
) -> None:
    """One step from the memory c' (and h', else 0) gives the activations expected."""
    hidden = hidden_before or [0.0] * len(memory)
    state = LSTMState(*(torch.tensor([row], dtype=torch.float64) for row in (hidden, memory)))
    gates = cell(torch.tensor([[x]], dtype=torch.float64), state)
    for name, values in expected.items():
        assert getattr(gates, name)[0].tolist() == pytest.approx(values), name
