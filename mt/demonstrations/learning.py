"""Training a network on sequences that are made up as it goes; resumable to the bit.

Knows updates, lengths that grow as they are learned, and checkpoints. Does not know any task.

Each update draws fresh sequences from a generator seeded by (seed, update), so there is no data
set, nothing to overfit, and no random state to save. The optimiser is Adam (Kingma and Ba 2015)
at a constant step size, the gradient clipped to a norm (Pascanu et al. 2013).

A task may be learned on a curriculum (Bengio et al. 2009): the network sees the first of the plan's
lengths until its loss is a small enough share of the baseline, then the next. What is learned on
short sequences carries over, and most updates cost little.

Shapes: T steps, N rows, I inputs, O outputs.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from mt.demonstrations.networks import Network
from mt.demonstrations.workspace import Report
from mt.errors import TrainingError
from mt.training.averaging import Averaging
from mt.training.checkpoint import (
    METRICS,
    Progress,
    append_metrics,
    cut_metrics,
    load_checkpoint,
    save_checkpoint,
)

FADING = 0.98
"""Share of the running loss that stays at each update: it spans about 50 updates."""


class Task(Protocol):
    """Sequences of any length, and how well they were answered."""

    inputs: int
    outputs: int

    def batch(self, length: int, rows: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw N rows of length T -> inputs [T, N, I] and what is wanted."""
        ...

    def loss(self, outputs: Tensor, wanted: Tensor) -> Tensor:
        """The mean loss of the readouts [T, N, O]."""
        ...

    def baseline(self, length: int) -> float:
        """The loss of the best answer that takes no memory."""
        ...


class Schooling(NamedTuple):
    """How a task is learned."""

    lengths: Sequence[int]
    """T of each stage; the last is the one that counts."""
    updates: int
    """Most updates, over all stages."""
    rows: int = 32
    learning_rate: float = 2e-3
    clip_norm: float = 1.0
    passed: float = 0.2
    """Share of the baseline at which the next length follows."""
    mastered: float = 0.01
    """Share of the baseline at which the last length is done."""
    log_every: int = 20
    checkpoint_every: int = 200


def curriculum(first: int, last: int, growth: float) -> list[int]:
    """Lengths from the first to the last, each longer by the factor and by 1 at least."""
    lengths = [min(first, last)]
    while lengths[-1] < last:
        lengths.append(min(last, max(lengths[-1] + 1, int(growth * lengths[-1]))))
    return lengths


class Point(NamedTuple):
    """A point of a learning curve."""

    update: int
    length: int
    loss: float
    """Of this update's sequences alone."""


def course(length: int, points: Sequence[Point]) -> str:
    """How long a length was learned, in words."""
    last = points[-1]
    reached = "" if last.length == length else f", which only got to T = {last.length}"
    return f"after {last.update:,} updates{reached}"


def learn(
    network: Network,
    task: Task,
    schooling: Schooling,
    *,
    seed: int,
    folder: Path,
    report: Report = lambda line: None,
) -> list[Point]:
    """Train a network until it masters the last length, or out of updates.

    Args:
        folder: for checkpoints; one that is there is gone on from, to the same weights (on a CPU
            with the same number of threads).

    Returns:
        The learning curve.

    Raises:
        TrainingError: the loss is no finite number, or the checkpoint cannot be used.
    """
    return _Course(network, task, schooling, seed, folder, report).run()


@torch.no_grad()
def answers(
    network: Network, task: Task, length: int, *, seed: int, batches: int = 10, rows: int = 100
) -> Iterator[tuple[Tensor, Tensor]]:
    """The readouts [T, N, O] and what is wanted, on batches that no update has drawn."""
    for number in range(batches):
        inputs, wanted = task.batch(length, rows, _random(seed, -1 - number))
        yield network(inputs), wanted


def unseen_loss(
    network: Network, task: Task, length: int, *, seed: int, batches: int = 10
) -> float:
    """The mean loss on batches that no update has drawn."""
    found = answers(network, task, length, seed=seed, batches=batches)
    return sum(task.loss(outputs, wanted).item() for outputs, wanted in found) / batches


class _Course:
    def __init__(
        self,
        network: Network,
        task: Task,
        schooling: Schooling,
        seed: int,
        folder: Path,
        report: Report,
    ) -> None:
        self.network, self.task, self.schooling = network, task, schooling
        self.seed, self.folder, self.report = seed, folder, report
        self.parameters = [p for p in network.parameters() if p.requires_grad]
        self.optimizer = torch.optim.Adam(self.parameters, lr=schooling.learning_rate)
        self.averaging = Averaging(network)  # none
        self.progress = Progress(window={"stage": 0, "running": 1.0})

    def run(self) -> list[Point]:
        found = load_checkpoint(self.folder, self.network, self.optimizer, self.averaging)
        self.progress = found[0] if found else self.progress
        cut_metrics(self.folder, self.progress.update)
        while not self._over():
            self._update()
            if self.progress.update % self.schooling.checkpoint_every == 0:
                self._save()
        self._save()
        return self._curve()

    def _update(self) -> None:
        update = self.progress.update + 1
        stage, running = int(self.progress.window["stage"]), self.progress.window["running"]
        length = self.schooling.lengths[stage]
        inputs, wanted = self.task.batch(length, self.schooling.rows, _random(self.seed, update))
        loss = self.task.loss(self.network(inputs), wanted)
        self.optimizer.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.parameters, self.schooling.clip_norm).item()
        value = loss.item()
        if not (math.isfinite(value) and math.isfinite(norm)):
            raise TrainingError(
                f"update {update}: the loss is {value}, the norm of its gradient {norm}"
            )
        self.optimizer.step()
        running = FADING * running + (1 - FADING) * value / self.task.baseline(length)
        last = stage == len(self.schooling.lengths) - 1
        if not last and running < self.schooling.passed:
            self.report(f"update {update:,}: length {length} learned")
            stage, running = stage + 1, 1.0
        self.progress = replace(
            self.progress, update=update, window={"stage": stage, "running": running}
        )
        if update % self.schooling.log_every == 0 or update == 1 or self._over():
            append_metrics(self.folder, Point(update, length, value)._asdict())

    def _over(self) -> bool:
        window = self.progress.window
        last = window["stage"] == len(self.schooling.lengths) - 1
        mastered = last and window["running"] < self.schooling.mastered
        return mastered or self.progress.update >= self.schooling.updates

    def _save(self) -> None:
        save_checkpoint(
            self.folder, self.network, self.optimizer, self.averaging, self.progress, {}
        )

    def _curve(self) -> list[Point]:
        path = self.folder / METRICS
        lines = path.read_bytes().splitlines() if path.exists() else []
        return [Point(**json.loads(line)) for line in lines]


def _random(seed: int, number: int) -> torch.Generator:
    """The generator of an update (from 1), or of a test batch (-1, -2, ...)."""
    # Python's hash of integers would do, were it promised; a prime keeps the pairs apart.
    return torch.Generator().manual_seed(seed * 1_000_003 + number + 1_000)
