"""How long a fresh cell remembers, by the bias of its forget gate.

Before anything is learned the weights are small and the forget gate is about sigmoid(b), so after n
steps sigmoid(b)^n of the memory is left, half of it after log(1/2) / log(sigmoid(b)) steps: one
step at b = 0, two at 1, a hundred at 5. That is why the bias starts at 1 or more (Gers et al. 2000;
Jozefowicz et al. 2015), and what chrono initialisation spreads over the units (Tallec and Ollivier
2018).

Knows the cell without weights. Does not know training.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch

from mt.demonstrations.demonstration import Curve, Demonstration, Finding, Picture, Result
from mt.demonstrations.workspace import Workspace
from mt.lstm import LSTM, LSTMCell, LSTMState


class Plan(NamedTuple):
    biases: Sequence[float]
    steps: int


def retention(bias: float, steps: int) -> list[float]:
    """The share of a cell's content that is left after 0, 1, ... steps, measured.

    The cell has no weights, and its candidate no bias, so that nothing is written.
    """
    cell = LSTMCell(1, 1, forget_bias=bias)
    with torch.no_grad():
        for name, parameter in cell.named_parameters():
            if name != "b_f":
                parameter.zero_()
    layer = LSTM(1, 1).double()
    layer.load_cells(cell.double())
    one = torch.ones(1, 1, 1, dtype=torch.float64)
    state, left = LSTMState(torch.zeros_like(one), one), [1.0]
    with torch.no_grad():
        for _ in range(steps):
            _, state = layer(torch.zeros_like(one), state)
            left.append(state.cell.item())
    return left


def expected(bias: float, steps: int) -> float:
    """sigmoid(b)^n"""
    return float((1 + math.exp(-bias)) ** -steps)


def half_life(bias: float) -> float:
    """Steps after which sigmoid(b)^n is one half."""
    return math.log(2) / math.log1p(math.exp(-bias))


def measured_half_life(left: Sequence[float]) -> float:
    """Where the measured shares pass one half, between two steps as an exponential does.

    NaN where they do not.
    """
    for step, (before, after) in enumerate(pairwise(left)):
        if after <= 0.5:
            return step + math.log(before / 0.5) / math.log(before / after)
    return math.nan


def show(plan: Plan, workspace: Workspace) -> Result:
    findings, curves = [], []
    for bias in plan.biases:
        steps = max(plan.steps, math.ceil(half_life(bias)))
        left = retention(bias, steps)
        case = f"b = {bias:g}"
        findings += [
            Finding(
                case,
                "half-life in steps",
                measured_half_life(left),
                half_life(bias),
                "log(1/2) / log(sigmoid(b))",
            ),
            Finding(
                case,
                f"share left after {plan.steps} steps",
                left[plan.steps],
                expected(bias, plan.steps),
                "sigmoid(b)^n",
            ),
        ]
        curves.append(Curve(case, range(plan.steps + 1), left[: plan.steps + 1]))
    picture = Picture(
        "what a fresh cell remembers", "steps n", "share of the cell left", curves, logarithmic=True
    )
    return Result(findings, [picture])


DEMONSTRATION = Demonstration(
    "half-life",
    "A cell without weights keeps sigmoid(b)^n of its content over n steps.",
    "Gers, Schmidhuber and Cummins 2000; Jozefowicz et al. 2015",
    full=Plan(biases=(0, 1, 2, 3, 5), steps=40),
    smoke=Plan(biases=(0, 1, 2, 3, 5), steps=40),
    show=show,
)
