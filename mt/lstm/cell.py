"""The LSTM memory cell: the equations as the literature writes them.

Knows one step and its gates: each has its own named matrices, a step is six lines, and it hands out
all its activations. This is the form to read; the form to run is `mt.lstm.fused`, converted from
this one and back, and proven equal to it forward and backward by the tests. Does not know the cells
that follow other equations (`mt.lstm.variants`).

The equations (Hochreiter and Schmidhuber 1997; forget gate by Gers, Schmidhuber and Cummins 2000;
notation of Graves 2013, without peepholes), with x the input and h', c' the previous states:

    i = sigmoid(W_xi x + W_hi h' + b_i)     input gate: how much of the candidate is written
    f = sigmoid(W_xf x + W_hf h' + b_f)     forget gate: how much of the old cell is kept
    o = sigmoid(W_xo x + W_ho h' + b_o)     output gate: how much of the cell is shown
    g = tanh(W_xc x + W_hc h' + b_c)        candidate: what could be written
    c = f * c' + i * g                      cell state: the memory
    h = o * tanh(c)                         hidden state: what the rest of the network sees

The candidate's parameters have the letter c, as in Graves.

Along c the gradient is multiplied by f alone at each step, by no weight matrix and no squashing
function: with f = 1 it neither vanishes nor explodes, however many steps pass (the constant error
carousel; the cell of 1997, which has no forget gate, is always there). A forget gate has to learn
to stay near 1. At first it is about sigmoid(b_f): 0.5 where the bias is 0, of which ten steps leave
a thousandth, and 0.73 where it is 1, of which they leave 4 %. That is why the bias starts at 1
(Gers et al. 2000; Jozefowicz et al. 2015). Chrono initialisation (Tallec and Ollivier 2018, section
2) goes on from there and draws for each unit how long it remembers: from the dependencies of at
most T_max steps that are expected,

    b_f = log(u) with u from Uniform(1, T_max - 1);  b_i = -b_f

which makes f = u / (1 + u) and i = 1 / (1 + u), a memory that decays over 1 + u steps.

Shapes: T steps, N rows, I inputs, H hidden units.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn


class LSTMState(NamedTuple):
    """What the cell carries from step to step; any leading axes, such as layers, come first."""

    hidden: Tensor
    """[..., N, H]"""
    cell: Tensor
    """[..., N, H]"""

    def select(self, rows: Tensor) -> LSTMState:
        """The state of the given rows, which may repeat and come in any order."""
        return LSTMState(self.hidden.index_select(-2, rows), self.cell.index_select(-2, rows))


class Activations(NamedTuple):
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

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        forget_bias: float = 1.0,
        chrono_length: int = 0,
        gates: str = "ifoc",
    ) -> None:
        """A cell with initial weights.

        Args:
            input_size: I.
            hidden_size: H.
            forget_bias: initial bias of the forget gate.
            chrono_length: T_max of chrono initialisation, at least 3, which replaces forget_bias;
                0 is off.
            gates: the letters that get parameters; all, but for subclasses whose step does with
                fewer.
        """
        assert chrono_length == 0 or chrono_length >= 3, chrono_length
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        biases = _initial_biases(hidden_size, forget_bias, chrono_length)
        for gate in gates:
            self.register_parameter(f"W_x{gate}", _xavier(hidden_size, input_size))
            self.register_parameter(f"W_h{gate}", _orthogonal(hidden_size))
            self.register_parameter(f"b_{gate}", nn.Parameter(biases[gate]))

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

    def forward(self, x: Tensor, state: LSTMState) -> Activations:
        """x [N, I], state [N, H] -> all activations of the step, each [N, H]."""
        h, c = state
        i = torch.sigmoid(x @ self.W_xi.T + h @ self.W_hi.T + self.b_i)
        f = torch.sigmoid(x @ self.W_xf.T + h @ self.W_hf.T + self.b_f)
        o = torch.sigmoid(x @ self.W_xo.T + h @ self.W_ho.T + self.b_o)
        g = torch.tanh(x @ self.W_xc.T + h @ self.W_hc.T + self.b_c)
        c = f * c + i * g
        h = o * torch.tanh(c)
        return Activations(i, f, o, g, c, h)

    def unroll(self, inputs: Tensor, state: LSTMState | None = None) -> Activations:
        """inputs [T, N, I] -> the activations of every step, each [T, N, H].

        `.hidden` is the output sequence; `.hidden[-1]` and `.cell[-1]` are the final state. The
        first state is zero unless given, and T at least 1.
        """
        assert len(inputs) > 0
        state = state or zero_state(self.b_i, inputs.shape[1], self.hidden_size)
        steps = []
        for x in inputs:
            gates = self(x, state)
            state = LSTMState(gates.hidden, gates.cell)
            steps.append(gates)
        return Activations(*(torch.stack(activations) for activations in zip(*steps, strict=True)))


def zero_state(like: Tensor, *shape: int) -> LSTMState:
    """The state before the first step: zeros of a shape [..., N, H].

    They are of the type of `like`, which ought to be a parameter: under autocast inputs are of half
    precision, and would keep the memory in it.
    """
    zeros = like.new_zeros(shape)
    return LSTMState(zeros, zeros)


def _initial_biases(size: int, forget_bias: float, chrono_length: int) -> dict[str, Tensor]:
    biases = {gate: torch.zeros(size) for gate in "ifoc"}
    biases["f"].fill_(forget_bias)
    if chrono_length:
        biases["f"].uniform_(1, chrono_length - 1).log_()
        biases["i"] = -biases["f"]
    return biases


def _xavier(rows: int, columns: int) -> nn.Parameter:
    # Products keep the variance of what goes in and of the gradients (Glorot and Bengio 2010).
    return nn.Parameter(nn.init.xavier_uniform_(torch.empty(rows, columns)))


def _orthogonal(size: int) -> nn.Parameter:
    # One orthogonal block a gate (Saxe et al. 2014): W_h h is at first as long as h.
    return nn.Parameter(nn.init.orthogonal_(torch.empty(size, size)))
