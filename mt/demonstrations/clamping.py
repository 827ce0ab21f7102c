"""A gate held open: the cell without it, on the path that the standard cell has.

A gate without weights and with a large enough bias is 1 at every step. Its derivative, s (1 - s) of
the sigmoid s, is 0 there, so no gradient reaches its weights and training leaves it as it is. The
equations are then those of a cell that has no such gate, and the fused layer still computes them.

Knows fused layers and their stacked matrices. Does not know training.
"""

from __future__ import annotations

import torch

from mt.lstm import LSTM
from mt.model import Seq2Seq

OPEN = 20.0
"""A bias at which the sigmoid is 1 in single precision, to the last bit: 1 - sigmoid(20) is 2e-9,
less than half of the last place."""
GATES = {"input": 0, "forget": 1, "output": 3}
"""Where a gate's rows stand in the fused matrices: i, f, g, o."""


@torch.no_grad()
def clamp_open(model: Seq2Seq, gate: str) -> None:
    """Hold a gate of every layer at 1: no weights, and the bias `OPEN`."""
    for layer in model.modules():
        if isinstance(layer, LSTM):
            for name, parameter in layer.fused.named_parameters():
                if parameter.requires_grad:  # all but the second bias, which is zero
                    size = len(parameter) // 4
                    rows = parameter[GATES[gate] * size : (GATES[gate] + 1) * size]
                    rows.fill_(OPEN if name.startswith("bias") else 0.0)
