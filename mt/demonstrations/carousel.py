"""The constant error carousel: a cell whose forget gate is open keeps its content for ever.

With f = 1 and i = 0 the equation c = f c' + i g leaves the cell as it is, and the derivative of the
last cell by the first is a product of ones: neither memory nor gradient fades, whatever the inputs
(Hochreiter and Schmidhuber 1997, 4). The gates are set by the project's own parameters: no weights,
and biases so large that the sigmoid rounds to 1 and to 0.

Knows the cell and two gates. Does not know training.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from mt.demonstrations.clamping import OPEN
from mt.demonstrations.demonstration import Curve, Demonstration, Finding, Picture, Result
from mt.demonstrations.workspace import Workspace
from mt.lstm import LSTM, LSTMCell, LSTMState

SHUT = -200.0
"""A bias at which the sigmoid is 0: exp(-200) is below the smallest number of single precision."""
LEAKING = 8.0
"""A bias that comes close, for comparison."""


class Plan(NamedTuple):
    steps: int
    hidden: int


class Kept(NamedTuple):
    """What is left of a cell's content, as shares of what was there: 1 is all of it."""

    memory: list[float]
    """c_t / c_0 after 1, 2, ... T steps, of the unit that has lost or gained most."""
    gradient: float
    """The derivative of c_T by c_0, of the unit whose is farthest from 1."""


def carousel(steps: int, hidden: int, *, seed: int, forget_bias: float = OPEN) -> Kept:
    """Run the cell over random inputs with both gates set, and look at what becomes of its content.

    Args:
        forget_bias: of the forget gate, which has no weights.
    """
    random = torch.Generator().manual_seed(seed)
    layer = LSTM(hidden, hidden)
    layer.load_cells(_gated(hidden, forget_bias))
    inputs = torch.randn(steps, 1, 1, hidden, generator=random)
    content = torch.randn(1, 1, hidden, generator=random).requires_grad_()
    state, memory = LSTMState(torch.zeros_like(content), content), []
    for x in inputs:
        _, state = layer(x, state)
        memory.append(_farthest_from_one(state.cell / content))
    (gradient,) = torch.autograd.grad(state.cell.sum(), content)
    return Kept(memory, _farthest_from_one(gradient))


def show(plan: Plan, workspace: Workspace) -> Result:
    kept = carousel(plan.steps, plan.hidden, seed=workspace.seed)
    leaking = carousel(plan.steps, plan.hidden, seed=workspace.seed, forget_bias=LEAKING)
    steps = f"{plan.steps:,} steps"
    leak = f"{steps}, forget bias {LEAKING:g}"
    decay = (1 + math.exp(-LEAKING)) ** -plan.steps
    exact, formula = "the equation: a product of ones", "sigmoid(b)^T"
    farthest = max(abs(share - 1) for share in kept.memory)
    findings = [
        Finding(steps, "|c_t / c_0 - 1|, largest of all steps", farthest, 0.0, exact),
        Finding(steps, "|dc_T / dc_0 - 1|", abs(kept.gradient - 1), 0.0, exact),
        Finding(leak, "c_T / c_0", leaking.memory[-1], decay, formula),
        Finding(leak, "dc_T / dc_0", leaking.gradient, decay, formula),
    ]
    count = range(1, plan.steps + 1)
    curves = [
        Curve("forget gate at 1", count, kept.memory),
        Curve(f"forget bias {LEAKING:g}", count, leaking.memory),
    ]
    picture = Picture("constant error carousel", "steps t", "c_t / c_0", curves)
    return Result(findings, [picture])


def _gated(hidden: int, forget_bias: float) -> LSTMCell:
    """A cell that forgets by its bias alone and writes nothing."""
    cell = LSTMCell(hidden, hidden)
    with torch.no_grad():
        for gate, bias in (("f", forget_bias), ("i", SHUT)):
            cell.get_parameter(f"W_x{gate}").zero_()
            cell.get_parameter(f"W_h{gate}").zero_()
            cell.get_parameter(f"b_{gate}").fill_(bias)
    return cell


def _farthest_from_one(values: Tensor) -> float:
    flat = values.detach().flatten()
    return flat[(flat - 1).abs().argmax()].item()


DEMONSTRATION = Demonstration(
    "carousel",
    "With the forget gate at 1 and the input gate at 0, memory and gradient stay what they are.",
    "Hochreiter and Schmidhuber 1997, 4",
    full=Plan(steps=10_000, hidden=16),
    smoke=Plan(steps=1_000, hidden=16),
    show=show,
)
