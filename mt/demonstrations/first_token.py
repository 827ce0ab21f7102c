"""First-token memory: which of two clues came first, after T distractors.

The first token is A or B, the T that follow are drawn from ten others, and after the last the
network says which it was (after the latch problem of Bengio et al. 1994, 2). Whoever has forgotten
is right half the time. All it takes is one unit that keeps what it is given, so the task asks for
nothing but memory: how long a fresh cell's is, by its initialisation, decides how long a gap
gradient descent can learn to bridge.

Knows the task. Does not know how it is learned (`learning`).

Shapes: T distractors; T + 1 steps, N rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from mt.demonstrations.demonstration import Curve, Demonstration, Finding, Picture, Result
from mt.demonstrations.learning import Schooling, answers, learn
from mt.demonstrations.networks import Network
from mt.demonstrations.workspace import Findings, Workspace

CLUES, DISTRACTORS = 2, 10
CHRONO = "chrono"


class FirstToken:
    """As `learning.Task`; a length is a number of distractors."""

    inputs = CLUES + DISTRACTORS
    outputs = CLUES

    def batch(self, length: int, rows: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """inputs [T + 1, N, 12], one-hot; wanted [N], the clue."""
        clues = torch.randint(CLUES, (rows,), generator=random)
        others = torch.randint(CLUES, self.inputs, (length, rows), generator=random)
        shown = torch.cat([clues[None], others])
        return F.one_hot(shown, self.inputs).float(), clues

    def loss(self, outputs: Tensor, wanted: Tensor) -> Tensor:
        """Mean cross entropy after the last step, in nats."""
        return F.cross_entropy(outputs[-1], wanted)

    def baseline(self, length: int) -> float:
        """Of a guess."""
        return math.log(CLUES)


class Plan(NamedTuple):
    cases: Sequence[tuple[int, str]]
    """Distractors, and the forget bias or "chrono"."""
    runs: int
    """Seeds of each case."""
    hidden: int
    schooling: Schooling
    """Its lengths are not used: each case is learned at its own from the beginning."""


PUBLISHED: Mapping[tuple[int, str], str] = {
    (20, "0"): "49-50 %",
    (20, "1"): "100 %",
    (40, "1"): "fails",
    (40, "3"): "100 %",
    (80, "3"): "99-100 %",
    (160, "3"): "50 %",
}
"""Accuracies that have been reported for these gaps and forget biases."""


def show(plan: Plan, workspace: Workspace) -> Result:
    findings, curves = [], []
    for length, start in plan.cases:
        for seed in range(workspace.seed, workspace.seed + plan.runs):
            found = workspace.case(
                f"first-token-{length}-{start}-seed-{seed}",
                partial(_case, plan, length, start, seed, workspace),
            )
            reported = PUBLISHED.get((length, start))
            findings.append(
                Finding(
                    f"T = {length}, {_name(start)}, seed {seed}, {found['updates']:,} updates",
                    "accuracy",
                    found["accuracy"],
                    1 / CLUES,
                    "a guess" + (f"; reported {reported}" if reported else ""),
                )
            )
            if seed == workspace.seed:
                label = f"T = {length}, {_name(start)}"
                curves.append(Curve(label, found["update"], found["losses"]))
    picture = Picture(
        "first-token memory (a guess: 0.693)", "updates", "cross entropy", curves, logarithmic=True
    )
    return Result(findings, [picture])


def _name(start: str) -> str:
    return CHRONO if start == CHRONO else f"forget bias {start}"


def _case(
    plan: Plan, length: int, start: str, seed: int, workspace: Workspace, folder: Path
) -> Findings:
    task = FirstToken()
    torch.manual_seed(seed)
    network = Network(
        task.inputs,
        plan.hidden,
        task.outputs,
        forget_bias=1.0 if start == CHRONO else float(start),
        chrono_length=length if start == CHRONO else 0,
    )
    points = learn(
        network,
        task,
        plan.schooling._replace(lengths=[length]),
        seed=seed,
        folder=folder,
        report=workspace.report,
    )
    right = [
        (outputs[-1].argmax(dim=1) == wanted).float().mean().item()
        for outputs, wanted in answers(network, task, length, seed=seed)
    ]
    return {
        "accuracy": sum(right) / len(right),
        "updates": points[-1].update,
        "update": [point.update for point in points],
        "losses": [point.loss for point in points],
    }


DEMONSTRATION = Demonstration(
    "first-token",
    "How large a gap an LSTM learns to bridge is decided by its forget bias at the start.",
    "Bengio et al. 1994, 2; Tallec and Ollivier 2018, 2",
    full=Plan(
        cases=(
            *((80, start) for start in ("0", "1", "3", CHRONO)),
            *((160, start) for start in ("1", "3", CHRONO)),
            (1000, CHRONO),
        ),
        runs=3,
        hidden=32,
        schooling=Schooling(lengths=(), updates=2_000),
    ),
    smoke=Plan(
        cases=((20, "0"), (20, CHRONO)),
        runs=1,
        hidden=32,
        schooling=Schooling(lengths=(), updates=300),
    ),
    show=show,
)
