"""Layers of every kind, and the cells they have to equal.

Knows how a layer promises to read sequences and works it out by its cells, one row and one step at
a time. Does not know what a cell computes.

Shapes: T steps, N rows, I inputs, H hidden units, D directions.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from mt.config import STANDARD, Variant
from mt.lstm import LSTM, Layer, LoopedLSTM, LSTMCell, LSTMState

VARIANTS = [Variant(*options) for options in itertools.product([True, False], repeat=4)]
"""Every combination of the variants' options."""

KINDS: dict[str, Variant | None] = {
    "fused": None,
    "looped": STANDARD,
    "output_tanh off": Variant(output_tanh=False),
    "coupled_gates": Variant(coupled_gates=True),
    "peepholes": Variant(peepholes=True),
    "layer_norm": Variant(layer_norm=True),
    "all four": Variant(output_tanh=False, coupled_gates=True, peepholes=True, layer_norm=True),
}
"""The fused layer (None), the loop, and the loop with each option and with all."""


def make_layer(variant: Variant | None, input_size: int, hidden_size: int, **options: Any) -> Layer:
    """A layer with initial weights: fused for None, else looped."""
    if variant is None:
        return LSTM(input_size, hidden_size, **options)
    return LoopedLSTM(input_size, hidden_size, variant=variant, **options)


@torch.no_grad()
def randomised(layer: Layer, seed: int = 1) -> Layer:
    """The layer in float64 with every trained parameter drawn at random, biases too."""
    random = torch.Generator().manual_seed(seed)
    for parameter in layer.double().parameters():
        if parameter.requires_grad:
            parameter.normal_(generator=random)
    return layer


def unrolled(
    cells: Sequence[LSTMCell],
    inputs: Tensor,
    state: LSTMState | None = None,
    lengths: Tensor | None = None,
) -> tuple[Tensor, LSTMState]:
    """What a layer's `forward` promises, by its cells: outputs [T, N, D*H], state [D, N, H].

    Each row is cut to its length; the second direction reads it from its end to its start.
    """
    if lengths is None:
        return _unrolled(cells, inputs, state)
    outputs, finals = [], []
    for row, length in enumerate(lengths.tolist()):
        own = state and LSTMState(state.hidden[:, [row]], state.cell[:, [row]])
        output, final = _unrolled(cells, inputs[:length, [row]], own)
        outputs.append(pad(output, (0, 0, 0, 0, 0, len(inputs) - length)))
        finals.append(final)
    hidden, memory = (torch.cat(states, dim=1) for states in zip(*finals, strict=True))
    return torch.cat(outputs, dim=1), LSTMState(hidden, memory)


def _unrolled(
    cells: Sequence[LSTMCell], inputs: Tensor, state: LSTMState | None
) -> tuple[Tensor, LSTMState]:
    outputs, finals = [], []
    for direction, cell in enumerate(cells):
        own = state and LSTMState(state.hidden[direction], state.cell[direction])
        gates = cell.unroll(inputs.flip(0) if direction else inputs, own)
        outputs.append(gates.hidden.flip(0) if direction else gates.hidden)
        finals.append(LSTMState(gates.hidden[-1], gates.cell[-1]))
    hidden, memory = (torch.stack(states) for states in zip(*finals, strict=True))
    return torch.cat(outputs, dim=-1), LSTMState(hidden, memory)


def as_leaves(inputs: Tensor, state: LSTMState) -> tuple[Tensor, LSTMState]:
    """Copies with gradients of their own."""
    hidden, cell = (value.detach().clone().requires_grad_() for value in state)
    return inputs.detach().clone().requires_grad_(), LSTMState(hidden, cell)


def weighted(*values: Tensor) -> Tensor:
    """A sum in which every element has a weight of its own, so that none can hide."""
    total = torch.zeros((), dtype=torch.float64)
    for value in values:
        total = total + (value * torch.linspace(-1, 2, value.numel()).view(value.shape)).sum()
    return total


@torch.no_grad()
def gradients(layer: Layer) -> list[dict[str, Tensor]]:
    """The gradients of a layer by direction and by the name of the cell's parameter."""
    twin = copy.deepcopy(layer)
    for parameter, original in zip(twin.parameters(), layer.parameters(), strict=True):
        if original.requires_grad:
            assert original.grad is not None
            parameter.copy_(original.grad)
    return [dict(cell.named_parameters()) for cell in twin.cells()]
