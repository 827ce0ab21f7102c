"""The adding problem: the sum of two marked numbers, far apart in a long sequence.

Each step has a number from Uniform(0, 1) and a mark, which is 1 at one step of the first half and
at one of the second, else 0. Wanted after the last step is the sum of the two marked numbers
(Hochreiter and Schmidhuber 1997, 5.4; in this form Arjovsky et al. 2016, 5.1). Always answering 1,
the mean, has a squared error of 2/12: each number's variance is 1/12.

Learned on a curriculum of lengths, from chrono initialisation for the last of them.

Knows the task. Does not know how it is learned (`learning`).

Shapes: T steps, N rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from mt.demonstrations.demonstration import Curve, Demonstration, Finding, Picture, Result
from mt.demonstrations.learning import Schooling, course, curriculum, learn, unseen_loss
from mt.demonstrations.networks import Network
from mt.demonstrations.workspace import Findings, Workspace


class Adding:
    """As `learning.Task`."""

    inputs = 2
    outputs = 1

    def batch(self, length: int, rows: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """inputs [T, N, 2]: number and mark; wanted [N]."""
        numbers = torch.rand(length, rows, generator=random)
        marks = torch.zeros(length, rows)
        half, row = length // 2, torch.arange(rows)
        marks[torch.randint(half, (rows,), generator=random), row] = 1
        marks[torch.randint(half, length, (rows,), generator=random), row] = 1
        return torch.stack([numbers, marks], dim=2), (numbers * marks).sum(dim=0)

    def loss(self, outputs: Tensor, wanted: Tensor) -> Tensor:
        """Mean squared error after the last step."""
        return F.mse_loss(outputs[-1, :, 0], wanted)

    def baseline(self, length: int) -> float:
        """Of always answering 1: twice the variance of Uniform(0, 1)."""
        return 2 / 12


class Plan(NamedTuple):
    lengths: Sequence[int]
    hidden: int
    first_length: int
    """The curriculum doubles the length from here to the one wanted."""
    schooling: Schooling
    """Its lengths are not used."""


def show(plan: Plan, workspace: Workspace) -> Result:
    task, findings, curves = Adding(), [], []
    for length in plan.lengths:
        found = workspace.case(
            f"adding-{length}",
            partial(_case, plan, length, workspace),
        )
        findings.append(
            Finding(
                f"T = {length}, {found['course']}",
                "mean squared error",
                found["loss"],
                task.baseline(length),
                "answering 1: 2 * 1/12",
            )
        )
        curves.append(Curve(f"T = {length}", found["update"], found["losses"]))
    picture = Picture(
        "adding problem, on lengths that grow to T (baseline 0.167)",
        "updates",
        "squared error",
        curves,
        logarithmic=True,
    )
    return Result(findings, [picture])


def _case(plan: Plan, length: int, workspace: Workspace, folder: Path) -> Findings:
    task = Adding()
    torch.manual_seed(workspace.seed)
    network = Network(task.inputs, plan.hidden, task.outputs, chrono_length=length)
    points = learn(
        network,
        task,
        plan.schooling._replace(lengths=curriculum(plan.first_length, length, 2)),
        seed=workspace.seed,
        folder=folder,
        report=workspace.report,
    )
    return {
        "loss": unseen_loss(network, task, length, seed=workspace.seed),
        "course": course(length, points),
        "update": [point.update for point in points],
        "losses": [point.loss for point in points],
    }


DEMONSTRATION = Demonstration(
    "adding",
    "An LSTM with chrono initialisation adds two numbers that are hundreds of steps apart.",
    "Hochreiter and Schmidhuber 1997, 5.4; Arjovsky et al. 2016, 5.1",
    full=Plan(
        lengths=(200, 400, 750),
        hidden=64,
        first_length=25,
        schooling=Schooling(lengths=(), updates=15_000, passed=0.1, mastered=0.004),
    ),
    smoke=Plan(
        lengths=(20, 40),
        hidden=32,
        first_length=10,
        schooling=Schooling(lengths=(), updates=600, passed=0.2, mastered=0.06),
    ),
    show=show,
)
