"""The cell over sequences with its gradient written out, against the equations and autograd."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from mt.lstm import LSTM, LSTMCell, LSTMState
from mt.lstm.unrolled import unroll

STEPS, ROWS, INPUTS, HIDDEN = 6, 4, 3, 5
LENGTHS = torch.tensor([6, 3, 1, 5])
WITHIN = (torch.arange(STEPS)[:, None] < LENGTHS)[..., None]


def arguments(seed: int = 1) -> list[Tensor]:
    """inputs, hidden, cell, W_x, W_h, bias; each waits for its gradient."""
    torch.manual_seed(seed)
    shapes = [
        (STEPS, ROWS, INPUTS),
        (ROWS, HIDDEN),
        (ROWS, HIDDEN),
        (4 * HIDDEN, INPUTS),
        (4 * HIDDEN, HIDDEN),
        (4 * HIDDEN,),
    ]
    return [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]


def run(*values: Tensor, **how: Any) -> tuple[Tensor, Tensor, Tensor]:
    inputs, hidden, cell, W_x, W_h, bias = values
    outputs, state = unroll(inputs, LSTMState(hidden, cell), W_x, W_h, bias, **how)
    return outputs, *state


def by_the_cell(*values: Tensor, within: Tensor | None = None, backwards: bool = False) -> Any:
    """The same by the equations of `LSTMCell`, step by step."""
    inputs, hidden, cell, W_x, W_h, bias = values
    a_cell = LSTMCell(INPUTS, HIDDEN).double()
    for gate, *parts in zip("ifco", W_x.chunk(4), W_h.chunk(4), bias.chunk(4), strict=True):
        for name, part in zip((f"W_x{gate}", f"W_h{gate}", f"b_{gate}"), parts, strict=True):
            delattr(a_cell, name)
            setattr(a_cell, name, part)
    state, outputs = LSTMState(hidden, cell), [torch.zeros(())] * STEPS
    for t in reversed(range(STEPS)) if backwards else range(STEPS):
        gates = a_cell(inputs[t], state)
        after = LSTMState(gates.hidden, gates.cell)
        if within is not None:
            after = LSTMState(*(torch.where(within[t], *s) for s in zip(after, state, strict=True)))
        state = after
        outputs[t] = state.hidden if within is None else state.hidden * within[t]
    return torch.stack(outputs), *state


HOW = [
    {},
    {"backwards": True},
    {"within": WITHIN},
    {"within": WITHIN, "backwards": True},
]


@pytest.mark.parametrize("how", HOW, ids=["forward", "backward", "padded", "padded backward"])
def test_outputs_and_gradients_are_those_of_the_equations(how: dict[str, Any]) -> None:
    found = [*run(*(values := arguments()), **how)]
    expected = [*by_the_cell(*(others := arguments()), **how)]
    torch.manual_seed(2)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)
    slopes = [torch.randn_like(each) for each in found]
    torch.autograd.backward(found, slopes)
    torch.autograd.backward(expected, slopes)
    for value, other in zip(values, others, strict=True):
        torch.testing.assert_close(value.grad, other.grad, rtol=0, atol=1e-11)


def layer(**options: Any) -> LSTM:
    torch.manual_seed(3)
    return LSTM(INPUTS, HIDDEN, **options)


def trained(make: Callable[[], LSTM], lengths: Tensor | None) -> tuple[Tensor, ...]:
    """Outputs, states and gradients of a pass in bf16."""
    a_layer = make()
    inputs = torch.randn(STEPS, ROWS, INPUTS, generator=torch.Generator().manual_seed(4))
    inputs.requires_grad_()
    torch.manual_seed(5)
    with torch.autocast("cpu", torch.bfloat16):
        outputs, state = a_layer(inputs, lengths=lengths)
    (outputs.float().square().sum() + state.cell.square().sum() + state.hidden.sum()).backward()
    gradients = [p.grad for p in a_layer.parameters() if p.grad is not None]
    return outputs.float(), state.hidden.float(), state.cell.float(), inputs.grad, *gradients


@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["full", "padded"])
@pytest.mark.parametrize(
    "options", [{}, {"bidirectional": True}, {"weight_drop": 0.5}], ids=["", "both", "dropped"]
)
def test_a_layer_trains_alike_by_either_path(
    options: dict[str, Any], lengths: Tensor | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {}
    for unrolls in (True, False):
        monkeypatch.setattr(LSTM, "_unrolls", lambda self, unrolls=unrolls: unrolls)
        found[unrolls] = trained(lambda: layer(**options), lengths)
    for ours, theirs in zip(found[True], found[False], strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0.05, atol=0.05)  # bf16 has three digits


def test_the_path_is_for_training_in_bf16_on_a_cpu_without_amx(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    a_layer = layer()
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": False})
    assert not a_layer._unrolls()
    with torch.autocast("cpu", torch.bfloat16):
        assert a_layer._unrolls()
        with torch.no_grad():
            assert not a_layer._unrolls()
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True})
        assert not a_layer._unrolls()


def test_the_memory_stays_in_full_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LSTM, "_unrolls", lambda self: True)
    inputs = torch.randn(STEPS, ROWS, INPUTS).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        outputs, state = layer()(inputs)
    assert (outputs.dtype, state.hidden.dtype, state.cell.dtype) == (
        torch.bfloat16,
        torch.float32,
        torch.float32,
    )
