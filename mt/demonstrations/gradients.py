"""How much the end of a long sequence depends on its beginning, by the gradient at each step.

The task is a sentiment in miniature: of twenty words six speak for, six against and eight for
neither; the label of T words is which side has more. Every word counts the same, so a network that
has learned the task ought to depend on the first as much as on the last. Measured is the norm of
the loss's gradient with respect to each input (Bengio et al. 1994; Pascanu et al. 2013), of the
project's LSTM and of a plain tanh layer, at initialisation and trained.

The published figures are of networks trained on film reviews of 200 words (first word to last: LSTM
1/7, tanh 1/18,080), and at initialisation 20 words back (LSTM 1e-2, tanh 1e-6 of the last).

Knows the task and the two networks. Does not know how a task is learned (`learning`).

Shapes: T steps, N rows.
"""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from mt.demonstrations.demonstration import Curve, Demonstration, Finding, Picture, Result
from mt.demonstrations.learning import Schooling, answers, learn
from mt.demonstrations.networks import Kind, Network, input_gradients
from mt.demonstrations.workspace import Findings, Workspace

WORDS, FOR, AGAINST = 20, 6, 6
NAMES: dict[Kind, str] = {"lstm": "LSTM", "rnn": "tanh layer"}
PUBLISHED: dict[Kind, float] = {"lstm": 1 / 7, "rnn": 1 / 18_080}
"""Norm at the first of 200 words to that at the last, trained."""
PUBLISHED_AT_START: dict[Kind, float] = {"lstm": 1e-2, "rnn": 1e-6}
"""Norm 20 words before the last to that at the last, at initialisation."""
BACK = 20


class Sentiment:
    """As `learning.Task`."""

    inputs = WORDS
    outputs = 1

    def batch(self, length: int, rows: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """inputs [T, N, 20], one-hot; wanted [N], 1 where more words speak for than against.

        A row in which they are equally many counts as against.
        """
        words = torch.randint(WORDS, (length, rows), generator=random)
        balance = (words < FOR).sum(dim=0) - ((words >= FOR) & (words < FOR + AGAINST)).sum(dim=0)
        return F.one_hot(words, WORDS).float(), (balance > 0).float()

    def loss(self, outputs: Tensor, wanted: Tensor) -> Tensor:
        """Mean cross entropy after the last step, in nats."""
        return F.binary_cross_entropy_with_logits(outputs[-1, :, 0], wanted)

    def baseline(self, length: int) -> float:
        """Of a guess."""
        return math.log(2)


class Plan(NamedTuple):
    length: int
    hidden: int
    rows: int
    """Rows that the gradient is averaged over."""
    schooling: Schooling
    """Its lengths are not used: both networks learn at the length that is measured."""


def show(plan: Plan, workspace: Workspace) -> Result:
    findings, curves = [], []
    for kind, name in NAMES.items():
        found = workspace.case(f"gradients-{kind}", partial(_case, plan, kind, workspace))
        for moment in ("start", "trained"):
            norms = found[moment]
            relative = [norm / norms[-1] for norm in norms]
            curves.append(Curve(f"{name}, {moment}", range(len(norms)), relative[::-1]))
        findings += _findings(plan, kind, found)
    picture = Picture(
        "gradient at a word, as a share of that at the last",
        "words back",
        "norm / norm at the last word",
        curves,
        logarithmic=True,
    )
    return Result(findings, [picture])


def _findings(plan: Plan, kind: Kind, found: Findings) -> list[Finding]:
    start, trained = found["start"], found["trained"]
    back = min(BACK, plan.length - 1)
    comparable = plan.length == 200
    return [
        Finding(
            f"{NAMES[kind]}, at initialisation",
            f"gradient {back} words back / at the last",
            start[-1 - back] / start[-1],
            PUBLISHED_AT_START[kind],
            "reported, 20 words back",
        ),
        Finding(
            f"{NAMES[kind]}, trained for {found['updates']:,} updates",
            f"gradient at the first of {plan.length} words / at the last",
            trained[0] / trained[-1],
            PUBLISHED[kind] if comparable else None,
            "reported on film reviews" if comparable else "",
        ),
        Finding(
            f"{NAMES[kind]}, trained for {found['updates']:,} updates",
            "accuracy",
            found["accuracy"],
            0.5,
            "a guess",
        ),
    ]


def _case(plan: Plan, kind: Kind, workspace: Workspace, folder: Path) -> Findings:
    task = Sentiment()
    torch.manual_seed(workspace.seed)
    network = Network(task.inputs, plan.hidden, task.outputs, kind=kind)
    random = torch.Generator().manual_seed(workspace.seed)
    inputs, wanted = task.batch(plan.length, plan.rows, random)

    def total(outputs: Tensor) -> Tensor:
        return task.loss(outputs, wanted.to(outputs.dtype)) * plan.rows

    start = input_gradients(network, inputs, total)
    points = learn(
        network,
        task,
        plan.schooling._replace(lengths=[plan.length]),
        seed=workspace.seed,
        folder=folder,
        report=workspace.report,
    )
    right = [
        ((outputs[-1, :, 0] > 0) == (wanted > 0)).float().mean().item()
        for outputs, wanted in answers(network, task, plan.length, seed=workspace.seed)
    ]
    return {
        "start": start,
        "trained": input_gradients(network, inputs, total),
        "accuracy": sum(right) / len(right),
        "updates": points[-1].update,
    }


DEMONSTRATION = Demonstration(
    "gradients",
    "Backwards through 200 steps the gradient of a tanh layer vanishes, that of an LSTM does not.",
    "Hochreiter 1991; Bengio et al. 1994; Hochreiter and Schmidhuber 1997",
    full=Plan(
        length=200,
        hidden=64,
        rows=100,
        schooling=Schooling(lengths=(), updates=3_000, mastered=0.1),
    ),
    smoke=Plan(
        length=50,
        hidden=32,
        rows=50,
        schooling=Schooling(lengths=(), updates=400, mastered=0.3),
    ),
    show=show,
)
