"""Exploding gradients, with and without clipping.

A tanh layer whose recurrent matrix stretches what it is multiplied with has gradients that grow
with every step back. One such gradient throws the weights far away, and what was learned is lost;
scaled down to a fixed norm, it keeps its direction and does no harm (Pascanu et al. 2013, 3.2).

The same layer learns the same adding problem from the same sequences by plain gradient descent,
once with its gradient clipped and once as it is.

Knows the two runs. Does not know the task (`adding`).

Shapes: T steps, N rows.
"""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mt.demonstrations.adding import Adding
from mt.demonstrations.demonstration import Curve, Demonstration, Finding, Picture, Result
from mt.demonstrations.networks import Network, input_gradients
from mt.demonstrations.workspace import Findings, Workspace


class Plan(NamedTuple):
    length: int
    hidden: int
    rows: int
    gain: float
    """Of the recurrent matrix, which is orthogonal but for it."""
    learning_rate: float
    clip_norm: float
    updates: int


def show(plan: Plan, workspace: Workspace) -> Result:
    runs = {
        name: workspace.case(
            f"explosion-{name}",
            partial(_case, plan, clip, workspace),
        )
        for name, clip in (("clipped", plan.clip_norm), ("unclipped", math.inf))
    }
    findings = []
    for name, found in runs.items():
        findings += [
            Finding(name, "updates done before a number overflowed", len(found["norms"])),
            Finding(name, "largest norm of the gradient", max(found["norms"])),
            Finding(name, "longest step of the weights", max(found["steps"])),
            Finding(
                name,
                "mean squared error of the last updates, 100 at most",
                _mean(found["losses"][-100:]),
                Adding().baseline(plan.length),
                "answering 1: 2 * 1/12",
            ),
        ]
    pictures = [
        Picture(
            title,
            "updates",
            label,
            [
                Curve(name, range(1, len(found[key]) + 1), found[key])
                for name, found in runs.items()
            ],
            logarithmic=True,
        )
        for title, label, key in (
            ("norm of the gradient", "norm", "norms"),
            ("adding problem (baseline 0.167)", "squared error", "losses"),
        )
    ]
    return Result(findings, [_by_lag(plan, workspace), *pictures])


def _by_lag(plan: Plan, workspace: Workspace) -> Picture:
    """The gradient at each step of an input close to zero, where tanh squashes nothing."""
    random = torch.Generator().manual_seed(workspace.seed)
    inputs = 1e-6 * torch.randn(plan.length, plan.rows, 2, generator=random)
    curves = []
    for gain in (1 / plan.gain, 1.0, plan.gain):
        network = _network(plan, gain, workspace.seed)
        norms = input_gradients(network, inputs, lambda outputs: outputs[-1].sum())
        curves.append(Curve(f"W_h stretches by {gain:.3g}", range(plan.length), norms[::-1]))
    return Picture("gradient by lag", "steps back", "norm", curves, logarithmic=True)


def _case(plan: Plan, clip_norm: float, workspace: Workspace, folder: Path) -> Findings:
    """One run, to its end or to where it leaves the finite numbers.

    It takes a minute, so there are no checkpoints.
    """
    del folder
    task, network = Adding(), _network(plan, plan.gain, workspace.seed)
    random = torch.Generator().manual_seed(workspace.seed)
    parameters = [p for p in network.parameters() if p.requires_grad]
    norms, steps, losses = [], [], []
    for _ in range(plan.updates):
        inputs, wanted = task.batch(plan.length, plan.rows, random)
        loss = task.loss(network(inputs), wanted)
        network.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(parameters, clip_norm).item()
        if not math.isfinite(norm + loss.item()):
            break
        norms.append(norm)
        losses.append(loss.item())
        steps.append(plan.learning_rate * min(norm, clip_norm))
        _descend(parameters, plan.learning_rate)
    return {"norms": norms, "steps": steps, "losses": losses}


def _network(plan: Plan, gain: float, seed: int) -> Network:
    torch.manual_seed(seed)
    return Network(Adding.inputs, plan.hidden, Adding.outputs, kind="rnn", gain=gain)


@torch.no_grad()
def _descend(parameters: list[nn.Parameter], learning_rate: float) -> None:
    for parameter in parameters:
        gradient: Tensor | None = parameter.grad
        assert gradient is not None
        parameter.sub_(learning_rate * gradient)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


DEMONSTRATION = Demonstration(
    "explosion",
    "One exploding gradient undoes what was learned; clipped, it does no harm.",
    "Pascanu, Mikolov and Bengio 2013, 3.2",
    full=Plan(
        length=20,
        hidden=32,
        rows=32,
        gain=1.5,
        learning_rate=0.1,
        clip_norm=1.0,
        updates=3_000,
    ),
    smoke=Plan(
        length=20, hidden=32, rows=32, gain=1.5, learning_rate=0.1, clip_norm=1.0, updates=300
    ),
    show=show,
)
