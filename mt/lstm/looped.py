"""A layer of any variant of the cell over whole sequences, as a loop over the steps.

Knows how to run the equations of `mt.lstm.variants` at a fair speed: gates and directions in
stacked matrices, the products with the inputs of all steps taken at once, lengths by masks. Does
not know tokens, stacks or translation, nor the fused path, which only the standard equations have
(`mt.lstm.fused`).

Shapes: T steps, N rows, I inputs, H hidden units, D directions (1 or 2), G gates that have
parameters, the candidate among them (4, or 3 where input and forget gate are coupled).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout, layer_norm

from mt.config import Variant
from mt.lstm.cell import LSTMCell, LSTMState, zero_state
from mt.lstm.layer import Layer
from mt.lstm.variants import VariantCell


class LoopedLSTM(Layer):
    """A layer of a variant.

    In each parameter the gates stand one below the other, in the order i, f, o, c, and the
    directions one behind the other: weight_ih [D, G*H, I], weight_hh [D, G*H, H], bias [D, G*H];
    peephole [D, (G-1)*H]; gain_ih and gain_hh [D, G*H], gain_cell and shift_cell [D, H].
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        variant: Variant,
        bidirectional: bool = False,
        forget_bias: float = 1.0,
        chrono_length: int = 0,
        weight_drop: float = 0.0,
    ) -> None:
        super().__init__(input_size, hidden_size, bidirectional, weight_drop)
        self.variant = variant
        cells = [
            VariantCell(
                input_size,
                hidden_size,
                variant=variant,
                forget_bias=forget_bias,
                chrono_length=chrono_length,
            )
            for _ in range(2 if bidirectional else 1)
        ]
        for name, parts in _parts(variant).items():
            self.register_parameter(name, nn.Parameter(_stack(cells, parts)))

    # register_parameter hides the attributes from type checkers: say what they are.
    weight_ih: nn.Parameter
    weight_hh: nn.Parameter
    bias: nn.Parameter
    peephole: nn.Parameter
    gain_ih: nn.Parameter
    gain_hh: nn.Parameter
    gain_cell: nn.Parameter
    shift_cell: nn.Parameter

    def forward(
        self, inputs: Tensor, state: LSTMState | None = None, lengths: Tensor | None = None
    ) -> tuple[Tensor, LSTMState]:
        """As `Layer.forward`."""
        state = state or zero_state(self.bias, len(self.bias), inputs.shape[1], self.hidden_size)
        # One mask for the whole batch and all its steps.
        W_h = dropout(self.weight_hh, self.weight_drop, self.training).mT
        within = self._within(inputs, lengths)
        hidden = []
        for from_input, mask in zip(self._from_inputs(inputs), within.unbind(1), strict=True):
            after = self._advance(from_input, state, W_h)
            # Outside of its own steps a row stands still.
            state = LSTMState(
                torch.where(mask, after.hidden, state.hidden),
                torch.where(mask, after.cell, state.cell),
            )
            hidden.append(state.hidden)
        outputs = torch.stack(hidden, dim=1) * within  # [D, T, N, H]
        if self.bidirectional:
            return torch.cat([outputs[0], outputs[1].flip(0)], dim=-1), state
        return outputs[0], state

    def step(self, x: Tensor, state: LSTMState) -> LSTMState:
        """As `Layer.step`."""
        assert not self.bidirectional, "a single step has one direction"
        (from_input,) = self._from_inputs(x[None])
        before = LSTMState(state.hidden[None], state.cell[None])
        after = self._advance(from_input, before, self.weight_hh.mT)
        return LSTMState(after.hidden[0], after.cell[0])

    @torch.no_grad()
    def cells(self) -> tuple[VariantCell, ...]:
        """As `Layer.cells`."""
        return tuple(self._cell(direction) for direction in range(len(self.bias)))

    @torch.no_grad()
    def load_cells(self, *cells: LSTMCell) -> None:
        """As `Layer.load_cells`; the cells are of the same variant."""
        assert len(cells) == len(self.bias), "one cell for each direction"
        for cell in cells:
            assert isinstance(cell, VariantCell)
            assert cell.variant == self.variant, "the same equations"
        for name, parts in _parts(self.variant).items():
            self.get_parameter(name).copy_(_stack(cells, parts))

    def _advance(self, from_input: Tensor, state: LSTMState, W_h: Tensor) -> LSTMState:
        """One step: [D, N, G*H] from the input, state [D, N, H], W_h [D, H, G*H] -> state."""
        variant, cell = self.variant, state.cell
        if variant.layer_norm:
            sums = from_input + _normalised(torch.bmm(state.hidden, W_h), self.gain_hh)
        else:
            sums = torch.baddbmm(from_input, state.hidden, W_h)
        a = dict(zip(variant.gates, sums.chunk(len(variant.gates), dim=-1), strict=True))
        i = torch.sigmoid(self._seeing("i", a["i"], cell))
        f = 1 - i if variant.coupled_gates else torch.sigmoid(self._seeing("f", a["f"], cell))
        cell = f * cell + i * torch.tanh(a["c"])
        o = torch.sigmoid(self._seeing("o", a["o"], cell))
        # With weights of half precision the memory may be in fp32, and stays so.
        return LSTMState((o * self._shown(cell)).to(W_h.dtype), cell)

    def _from_inputs(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """inputs [T, N, I] -> for each step their part of every gate's sum, [D, N, G*H]."""
        rows, W_x = self._directed(inputs).flatten(1, 2), self.weight_ih.mT
        bias = self.bias[:, None]
        if self.variant.layer_norm:
            sums = _normalised(torch.bmm(rows, W_x), self.gain_ih) + bias
        else:
            sums = torch.baddbmm(bias, rows, W_x)
        # unbind, as the gradient of an index for each step would be as large as all steps.
        return tuple(sums.unflatten(1, inputs.shape[:2]).unbind(1))

    def _within(self, inputs: Tensor, lengths: Tensor | None) -> Tensor:
        """[D, T, N, 1]: whether the step that a direction takes lies within the row."""
        steps, rows = inputs.shape[:2]
        if lengths is None:
            lengths = torch.full((rows,), steps)
        mask = torch.arange(steps)[:, None, None] < lengths[:, None]
        return self._directed(mask.to(inputs.device))

    def _directed(self, values: Tensor) -> Tensor:
        """[T, ...] -> [D, T, ...]: in the order in which each direction comes by the steps."""
        return torch.stack([values, values.flip(0)] if self.bidirectional else [values])

    def _seeing(self, gate: str, sums: Tensor, cell: Tensor) -> Tensor:
        if not self.variant.peepholes:
            return sums
        first = self.variant.seeing.index(gate) * self.hidden_size
        return sums + self.peephole[:, None, first : first + self.hidden_size] * cell

    def _shown(self, cell: Tensor) -> Tensor:
        if self.variant.layer_norm:
            cell = _normalised(cell, self.gain_cell) + self.shift_cell[:, None]
        return torch.tanh(cell) if self.variant.output_tanh else cell

    def _cell(self, direction: int) -> VariantCell:
        cell = VariantCell(self.input_size, self.hidden_size, variant=self.variant).to(self.bias)
        for name, parts in _parts(self.variant).items():
            blocks = self.get_parameter(name)[direction].chunk(len(parts))
            for part, block in zip(parts, blocks, strict=True):
                cell.get_parameter(part).copy_(block)
        return cell


def _parts(variant: Variant) -> dict[str, list[str]]:
    """For each parameter of the layer the cell's, which stand in it one below the other."""
    gates = variant.gates
    parts = {
        "weight_ih": [f"W_x{gate}" for gate in gates],
        "weight_hh": [f"W_h{gate}" for gate in gates],
        "bias": [f"b_{gate}" for gate in gates],
    }
    if variant.peepholes:
        parts["peephole"] = [f"p_{gate}" for gate in variant.seeing]
    if variant.layer_norm:
        parts["gain_ih"] = [f"gain_x{gate}" for gate in gates]
        parts["gain_hh"] = [f"gain_h{gate}" for gate in gates]
        parts["gain_cell"], parts["shift_cell"] = ["gain_cell"], ["shift_cell"]
    return parts


def _stack(cells: Sequence[LSTMCell], parts: Sequence[str]) -> Tensor:
    with torch.no_grad():
        return torch.stack([torch.cat([*map(cell.get_parameter, parts)]) for cell in cells])


def _normalised(values: Tensor, gain: Tensor) -> Tensor:
    """values [D, rows, F] normalised over F, times gain [D, F]."""
    return layer_norm(values, values.shape[-1:], eps=1e-5) * gain[:, None]
