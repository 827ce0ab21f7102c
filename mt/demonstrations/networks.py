"""The networks that demonstrations train: one recurrent layer and a linear readout.

Knows layers and their gradients with respect to inputs. Does not know tasks.

Shapes: T steps, N rows, I inputs, H hidden units, O outputs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from mt.lstm import LSTM

Kind = Literal["lstm", "rnn"]


class Network(nn.Module):
    """The project's LSTM layer, or the plain tanh layer it is compared with, and a readout.

    The plain layer is h = tanh(W_x x + W_h h' + b) (Elman 1990), as torch initialises it or, where
    a `gain` is given, with a W_h that stretches every vector by that factor and biases of zero.
    """

    def __init__(
        self,
        inputs: int,
        hidden: int,
        outputs: int,
        *,
        kind: Kind = "lstm",
        forget_bias: float = 1.0,
        chrono_length: int = 0,
        gain: float | None = None,
    ) -> None:
        super().__init__()
        self.layer: LSTM | nn.RNN
        if kind == "lstm":
            self.layer = LSTM(inputs, hidden, forget_bias=forget_bias, chrono_length=chrono_length)
        else:
            self.layer = nn.RNN(inputs, hidden)
            if gain is not None:
                nn.init.orthogonal_(self.layer.get_parameter("weight_hh_l0"), gain=gain)
                for bias in ("bias_ih_l0", "bias_hh_l0"):
                    nn.init.zeros_(self.layer.get_parameter(bias))
        self.readout = nn.Linear(hidden, outputs)

    def forward(self, inputs: Tensor) -> Tensor:
        """inputs [T, N, I] -> the readout of every step [T, N, O]."""
        hidden, _ = self.layer(inputs)
        read: Tensor = self.readout(hidden)
        return read


def input_gradients(
    network: Network, inputs: Tensor, loss: Callable[[Tensor], Tensor]
) -> list[float]:
    """How much a loss depends on each step's input: the Euclidean norm of its gradient, a row.

    Computed in double precision, as a vanishing gradient soon leaves the range of single; the
    network is in single before and after, with the same weights.

    Args:
        inputs: [T, N, I].
        loss: of the outputs [T, N, O]; a sum over rows, so that rows do not thin each other out.

    Returns:
        For each step the mean norm over the rows, first step first.
    """
    exact = network.double()
    at = inputs.double().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(exact(at)), at)
    network.float()
    norms: list[float] = gradient.norm(dim=2).mean(dim=1).tolist()
    return norms
