"""A model whose layers are run by their reference cells, so that every activation can be looked at.

Knows how to put cells where a model has layers. Everything else is the model's own code:
embeddings, what goes from layer to layer, bridge, attention. Does not
know texts, or what the activations mean.

Shapes: T steps, N rows, I inputs, H hidden units, D directions (1 or 2).
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import TypeVar

import torch
from torch import Tensor, nn

from mt.lstm import Activations, Layer, LSTMCell, LSTMState, VariantCell, zero_state
from mt.model import Decoder, Encoder, Model

M = TypeVar("M", bound=Model)


class WatchedLayer(nn.Module):
    """A layer as its cells, one a direction; it keeps what they computed in its last pass."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.cells = nn.ModuleList(layer.cells())
        self.activations: list[Activations] = []
        """Of each direction, [T, N, H] in the order of the inputs, not of the reading."""
        self.initial: list[LSTMState] = []
        """Of each direction, [N, H]: before its first step."""

    def forward(
        self, inputs: Tensor, state: LSTMState | None = None, lengths: Tensor | None = None
    ) -> tuple[Tensor, LSTMState]:
        """As `Layer.forward`, for sequences that all fill T."""
        assert lengths is None or bool((lengths == len(inputs)).all()), "rows of equal length"
        self.activations, self.initial = [], []
        finals = []
        for direction, cell in enumerate(self.cells):
            assert isinstance(cell, LSTMCell)
            initial = zero_state(cell.b_i, inputs.shape[1], cell.hidden_size)
            if state is not None:
                initial = LSTMState(state.hidden[direction], state.cell[direction])
            activations = cell.unroll(inputs.flip(0) if direction else inputs, initial)
            finals.append(LSTMState(activations.hidden[-1], activations.cell[-1]))
            self.activations.append(flipped(activations) if direction else activations)
            self.initial.append(initial)
        outputs = torch.cat([activations.hidden for activations in self.activations], dim=-1)
        return outputs, LSTMState(*(torch.stack(each) for each in zip(*finals, strict=True)))

    @property
    def variant(self) -> tuple[bool, bool]:
        """Whether h is made of tanh(c), and whether of c normalised (see `mt.lstm.variants`)."""
        cell = self.cells[0]
        if isinstance(cell, VariantCell):
            return cell.variant.output_tanh, cell.variant.layer_norm
        return True, False


def watch(model: M) -> M:
    """A copy of a model, in evaluation mode and without gradients, all layers of it watched."""
    watched = copy.deepcopy(model).eval().requires_grad_(False)
    for side in watched.children():
        if isinstance(side, Encoder | Decoder):
            side.layers = nn.ModuleList(WatchedLayer(layer) for layer in _of(side.layers))
    return watched.requires_grad_(False)  # again: cells come with gradients


def watched_layers(layers: nn.ModuleList) -> Iterator[WatchedLayer]:
    """The layers of a side of a watched model, with their type."""
    for layer in layers:
        assert isinstance(layer, WatchedLayer)
        yield layer


def flipped(activations: Activations) -> Activations:
    """The same from the last step to the first."""
    return Activations(*(values.flip(0) for values in activations))


def _of(layers: nn.ModuleList) -> Iterator[Layer]:
    for layer in layers:
        assert isinstance(layer, Layer)
        yield layer
