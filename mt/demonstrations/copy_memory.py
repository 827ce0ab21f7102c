"""Copy memory: ten symbols, a long wait, and then the ten symbols again.

Eight symbols to remember, a blank and a "go": the input is ten symbols, T - 1 blanks, "go" and ten
blanks; wanted are T + 10 blanks and then the ten symbols (Arjovsky et al. 2016, 5.1). Whoever
remembers nothing can only guess the symbols: a cross entropy of 10 ln 8 over T + 20 steps.

Learned on a curriculum of delays, once from the usual initialisation (forget bias 1) and once from
chrono initialisation (Tallec and Ollivier 2018, 3), with the same number of updates at most.

Knows the task. Does not know how it is learned (`learning`).

Shapes: T the delay; T + 20 steps, N rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from mt.demonstrations.demonstration import Curve, Demonstration, Finding, Picture, Result
from mt.demonstrations.learning import Schooling, answers, course, curriculum, learn
from mt.demonstrations.networks import Network
from mt.demonstrations.workspace import Findings, Workspace

SYMBOLS, TO_COPY = 8, 10
BLANK, GO = 0, SYMBOLS + 1
"""Symbols are 1 to 8."""


class CopyMemory:
    """As `learning.Task`; a length is a delay."""

    inputs = SYMBOLS + 2
    outputs = SYMBOLS + 1

    def batch(self, length: int, rows: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """inputs [T + 20, N, 10], one-hot; wanted [T + 20, N]."""
        symbols = torch.randint(1, SYMBOLS + 1, (TO_COPY, rows), generator=random)
        shown = torch.full((length + 2 * TO_COPY, rows), BLANK)
        shown[:TO_COPY] = symbols
        shown[length + TO_COPY - 1] = GO
        wanted = torch.full_like(shown, BLANK)
        wanted[-TO_COPY:] = symbols
        return F.one_hot(shown, self.inputs).float(), wanted

    def loss(self, outputs: Tensor, wanted: Tensor) -> Tensor:
        """Mean cross entropy over all steps, in nats."""
        return F.cross_entropy(outputs.flatten(0, 1), wanted.flatten())

    def baseline(self, length: int) -> float:
        """Of blanks where they belong and one of eight symbols at random after "go"."""
        return TO_COPY * math.log(SYMBOLS) / (length + 2 * TO_COPY)


class Plan(NamedTuple):
    delays: Sequence[int]
    hidden: int
    first_delay: int
    """The curriculum goes from here to the delay wanted."""
    growth: float
    """By which each of its delays is longer than the one before."""
    schooling: Schooling
    """Its lengths are not used."""


def show(plan: Plan, workspace: Workspace) -> Result:
    task, findings, curves = CopyMemory(), [], []
    for start in ("chrono", "plain"):
        for delay in plan.delays:
            found = workspace.case(
                f"copy-{delay}-{start}",
                partial(_case, plan, delay, start == "chrono", workspace),
            )
            case = f"T = {delay}, {start}, {found['course']}"
            baseline = task.baseline(delay)
            findings += [
                Finding(case, "cross entropy in nats", found["loss"], baseline, "10 ln 8/(T + 20)"),
                Finding(case, "share of the baseline", found["loss"] / baseline, 1.0, "no memory"),
                Finding(case, "symbols right", found["symbols"], 1 / SYMBOLS, "a guess"),
            ]
            curves.append(Curve(f"T = {delay}, {start}", found["update"], found["shares"]))
    picture = Picture(
        "copy memory, on delays that grow to T",
        "updates",
        "share of 10 ln 8/(T + 20)",
        curves,
        logarithmic=True,
    )
    return Result(findings, [picture])


def _case(plan: Plan, delay: int, chrono: bool, workspace: Workspace, folder: Path) -> Findings:
    task = CopyMemory()
    torch.manual_seed(workspace.seed)
    network = Network(
        task.inputs,
        plan.hidden,
        task.outputs,
        # As in the paper, longer than the dependency.
        chrono_length=3 * delay // 2 if chrono else 0,
    )
    lengths = curriculum(plan.first_delay, delay, plan.growth)
    points = learn(
        network,
        task,
        plan.schooling._replace(lengths=lengths),
        seed=workspace.seed,
        folder=folder,
        report=workspace.report,
    )
    losses, symbols = [], []
    for outputs, wanted in answers(network, task, delay, seed=workspace.seed):
        losses.append(task.loss(outputs, wanted).item())
        right = outputs[-TO_COPY:].argmax(dim=2) == wanted[-TO_COPY:]
        symbols.append(right.float().mean().item())
    return {
        "loss": sum(losses) / len(losses),
        "symbols": sum(symbols) / len(symbols),
        "course": course(delay, points),
        "update": [point.update for point in points],
        "shares": [point.loss / task.baseline(point.length) for point in points],
    }


DEMONSTRATION = Demonstration(
    "copy-memory",
    "An LSTM repeats ten symbols after hundreds of steps.",
    "Arjovsky et al. 2016, 5.1; Tallec and Ollivier 2018, 3",
    full=Plan(
        delays=(100, 200, 500),
        hidden=128,
        first_delay=5,
        growth=2,
        schooling=Schooling(
            lengths=(), updates=15_000, rows=20, learning_rate=5e-3, passed=0.05, mastered=0.005
        ),
    ),
    smoke=Plan(
        delays=(5,),
        hidden=32,
        first_delay=5,
        growth=2,
        schooling=Schooling(lengths=(), updates=400, rows=20, learning_rate=5e-3),
    ),
    show=show,
)
