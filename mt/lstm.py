"""The LSTM memory cell: the equations as the literature writes them, and the fused path.

Knows one layer and its gates. Does not know tokens, stacks or translation.

Two forms of the same mathematics, converted into each other and proven equal forward and
backward by the tests:

- `LSTMCell` is the one to read. Every gate has its own named matrices, one step is six lines,
  and each step can hand out its gate activations.
- `LSTM` is the one to run. It keeps the four gates in stacked matrices inside torch.nn.LSTM,
  so that a whole sequence is one call into oneDNN or cuDNN.

The equations (Hochreiter and Schmidhuber 1997; forget gate by Gers, Schmidhuber and Cummins 2000;
notation of Graves 2013, without peepholes), with x the input and h', c' the previous states:

    i = sigmoid(W_xi x + W_hi h' + b_i)     input gate: how much of the candidate is written
    f = sigmoid(W_xf x + W_hf h' + b_f)     forget gate: how much of the old cell is kept
    o = sigmoid(W_xo x + W_ho h' + b_o)     output gate: how much of the cell is shown
    g = tanh(W_xc x + W_hc h' + b_c)        candidate: what could be written
    c = f * c' + i * g                      cell state: the memory
    h = o * tanh(c)                         hidden state: what the rest of the network sees

Along c the gradient is multiplied by f alone at each step, by no weight matrix and no squashing
function: with f = 1 it neither vanishes nor explodes, however many steps pass (the constant
error carousel). That is why the forget gate's bias starts at 1.

Shapes: T steps, N rows, I inputs, H hidden units, D directions (1 or 2).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


class LSTMState(NamedTuple):
    """What the cell carries from step to step; any leading axes, such as layers, come first."""

    hidden: Tensor
    """[..., N, H]"""
    cell: Tensor
    """[..., N, H]"""

    def select(self, rows: Tensor) -> LSTMState:
        """The state of the given rows, which may repeat and come in any order."""
        return LSTMState(self.hidden.index_select(-2, rows), self.cell.index_select(-2, rows))


class Gates(NamedTuple):
    """Everything one step computes, each [..., N, H], for those who want to look inside."""

    input: Tensor
    forget: Tensor
    output: Tensor
    candidate: Tensor
    cell: Tensor
    hidden: Tensor


class LSTMCell(nn.Module):
    """One step of the memory cell, written as the equations above.

    Parameters are W_x* [H, I], W_h* [H, H] and b_* [H] for the input gate (i), forget gate (f),
    output gate (o) and candidate (c).
    """

    def __init__(self, input_size: int, hidden_size: int, *, forget_bias: float = 1.0) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        for gate in "ifoc":
            self.register_parameter(f"W_x{gate}", _xavier(hidden_size, input_size))
            self.register_parameter(f"W_h{gate}", _orthogonal(hidden_size))
            bias = forget_bias if gate == "f" else 0.0
            self.register_parameter(f"b_{gate}", nn.Parameter(torch.full((hidden_size,), bias)))

    # register_parameter hides the attributes from type checkers: say what they are.
    W_xi: nn.Parameter
    W_xf: nn.Parameter
    W_xo: nn.Parameter
    W_xc: nn.Parameter
    W_hi: nn.Parameter
    W_hf: nn.Parameter
    W_ho: nn.Parameter
    W_hc: nn.Parameter
    b_i: nn.Parameter
    b_f: nn.Parameter
    b_o: nn.Parameter
    b_c: nn.Parameter

    def forward(self, x: Tensor, state: LSTMState) -> Gates:
        """x [N, I], state [N, H] -> all activations of the step, each [N, H]."""
        h, c = state
        i = torch.sigmoid(x @ self.W_xi.T + h @ self.W_hi.T + self.b_i)
        f = torch.sigmoid(x @ self.W_xf.T + h @ self.W_hf.T + self.b_f)
        o = torch.sigmoid(x @ self.W_xo.T + h @ self.W_ho.T + self.b_o)
        g = torch.tanh(x @ self.W_xc.T + h @ self.W_hc.T + self.b_c)
        c = f * c + i * g
        h = o * torch.tanh(c)
        return Gates(i, f, o, g, c, h)

    def unroll(self, inputs: Tensor, state: LSTMState | None = None) -> Gates:
        """inputs [T, N, I] -> the activations of every step, each [T, N, H].

        `.hidden` is the output sequence; `.hidden[-1]` and `.cell[-1]` are the final state.
        """
        state = state or zero_state(inputs, self.hidden_size)
        steps = []
        for x in inputs:
            gates = self(x, state)
            state = LSTMState(gates.hidden, gates.cell)
            steps.append(gates)
        return Gates(*(torch.stack(activations) for activations in zip(*steps, strict=True)))


class LSTM(nn.Module):
    """One layer over whole sequences, fused, in one direction or both.

    torch.nn.LSTM adds two bias vectors where the equations have one. The second is held at zero
    and not trained, so that a gradient step moves a gate's bias exactly as it moves `LSTMCell`'s.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        bidirectional: bool = False,
        forget_bias: float = 1.0,
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bidirectional = bidirectional
        self.fused = nn.LSTM(input_size, hidden_size, bidirectional=bidirectional)
        directions = 2 if bidirectional else 1
        self.load_cells(
            *(LSTMCell(input_size, hidden_size, forget_bias=forget_bias) for _ in range(directions))
        )
        for suffix in self._suffixes():
            getattr(self.fused, f"bias_hh{suffix}").requires_grad_(False)

    def forward(
        self, inputs: Tensor, state: LSTMState | None = None, lengths: Tensor | None = None
    ) -> tuple[Tensor, LSTMState]:
        """Run over whole sequences.

        Args:
            inputs: [T, N, I], padded at the end.
            state: initial state [D, N, H]; zeros if None.
            lengths: [N] on the CPU, true lengths; None where every sequence fills T. Steps beyond
                a sequence's length change nothing: its final state is that of its last true step.

        Returns:
            outputs [T, N, D*H], zero beyond the lengths, and the final state [D, N, H].
        """
        # Unpacked input is worth a branch: only it takes oneDNN's fused path on a CPU.
        if lengths is None or bool((lengths == len(inputs)).all()):
            outputs, (hidden, cell) = self.fused(inputs, state)
            return outputs, LSTMState(hidden, cell)
        packed = pack_padded_sequence(inputs, lengths, enforce_sorted=False)
        outputs, (hidden, cell) = self.fused(packed, state)
        return pad_packed_sequence(outputs, total_length=len(inputs))[0], LSTMState(hidden, cell)

    def step(self, x: Tensor, state: LSTMState) -> LSTMState:
        """One step in one direction: x [N, I], state [N, H] -> state [N, H].

        The equations over the stacked matrices: two products instead of eight.
        """
        assert not self.bidirectional, "a single step has one direction"
        W_x, W_h, bias, _ = self.fused.all_weights[0]  # the second bias is zero
        stacked = torch.addmm(torch.addmm(bias, x, W_x.T), state.hidden, W_h.T)
        i, f, g, o = stacked.chunk(4, dim=1)
        cell = torch.sigmoid(f) * state.cell + torch.sigmoid(i) * torch.tanh(g)
        return LSTMState(torch.sigmoid(o) * torch.tanh(cell), cell)

    def cells(self) -> tuple[LSTMCell, ...]:
        """A copy of this layer as cells of named gates, one a direction (forward, backward)."""
        return tuple(self._cell(suffix) for suffix in self._suffixes())

    @torch.no_grad()
    def load_cells(self, *cells: LSTMCell) -> None:
        """Take over the parameters of one cell a direction; the inverse of `cells`."""
        suffixes = self._suffixes()
        assert len(cells) == len(suffixes), "one cell for each direction"
        for cell, suffix in zip(cells, suffixes, strict=True):
            # torch.nn.LSTM stacks the gates as input, forget, candidate, output.
            stacks = {
                "weight_ih": (cell.W_xi, cell.W_xf, cell.W_xc, cell.W_xo),
                "weight_hh": (cell.W_hi, cell.W_hf, cell.W_hc, cell.W_ho),
                "bias_ih": (cell.b_i, cell.b_f, cell.b_c, cell.b_o),
            }
            for name, gates in stacks.items():
                getattr(self.fused, name + suffix).copy_(torch.cat([*gates]))
            getattr(self.fused, f"bias_hh{suffix}").zero_()

    @torch.no_grad()
    def _cell(self, suffix: str) -> LSTMCell:
        weight = getattr(self.fused, f"weight_ih{suffix}")
        cell = LSTMCell(self.input_size, self.hidden_size).to(weight)
        bias = getattr(self.fused, f"bias_ih{suffix}") + getattr(self.fused, f"bias_hh{suffix}")
        for gate, x, h, b in zip(
            "ifco",
            weight.chunk(4),
            getattr(self.fused, f"weight_hh{suffix}").chunk(4),
            bias.chunk(4),
            strict=True,
        ):
            getattr(cell, f"W_x{gate}").copy_(x)
            getattr(cell, f"W_h{gate}").copy_(h)
            getattr(cell, f"b_{gate}").copy_(b)
        return cell

    def _suffixes(self) -> tuple[str, ...]:
        return ("_l0", "_l0_reverse") if self.bidirectional else ("_l0",)


def zero_state(inputs: Tensor, hidden_size: int) -> LSTMState:
    """The state before the first of inputs [T, N, I]: zeros [N, H]."""
    zeros = inputs.new_zeros(inputs.shape[1], hidden_size)
    return LSTMState(zeros, zeros)


def _xavier(rows: int, columns: int) -> nn.Parameter:
    return nn.Parameter(nn.init.xavier_uniform_(torch.empty(rows, columns)))


def _orthogonal(size: int) -> nn.Parameter:
    # One orthogonal block a gate (Saxe et al. 2014): at first h is neither blown up nor squeezed.
    return nn.Parameter(nn.init.orthogonal_(torch.empty(size, size)))
