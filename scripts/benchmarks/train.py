"""How fast a training step is: ours in each precision, a bare torch loop, other programs.

Knows models that take optimisation steps. All take the same batches of pairs, one thread each, in
turn; what is counted is target tokens, end tokens included and padding left out.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from mt.bundle import Bundle
from mt.config import DataConfig, TrainingConfig
from mt.corpus import Corpus, epoch_batches, prepare, read_pairs
from mt.parameters import load_model
from mt.training.processes import Processes
from mt.training.step import Stepper
from scripts.benchmarks.limits import Limits, Work, work_of
from scripts.benchmarks.plain import BareModel, Tokens, plain_shape
from scripts.benchmarks.timing import seconds_of, spread, take_turns, times_as_fast

Precision = Literal["fp32", "bf16"]


class Pairs(NamedTuple):
    """One batch of training pairs."""

    numbers: NDArray[np.int64]
    """Their places in the corpus."""
    sources: list[Tokens]
    targets: list[Tokens]


class Learner(Protocol):
    """Anything that trains."""

    @property
    def name(self) -> str: ...

    @property
    def precision(self) -> str:
        """Of its products: fp32 or bf16."""
        ...

    def learn(self, batches: Sequence[Pairs]) -> float:
        """Seconds for one optimisation step on each batch."""
        ...


class OwnLearner:
    """This project's training step."""

    def __init__(self, bundle: Bundle, corpus: Corpus, precision: Precision, threads: int) -> None:
        self.name = self.precision = precision
        config = TrainingConfig(precision=precision, device="cpu", threads=threads)
        self._stepper = Stepper(load_model(bundle), config, Processes())
        self._corpus = corpus
        self._rate = config.learning_rate

    def learn(self, batches: Sequence[Pairs]) -> float:
        """As `Learner.learn`."""
        return sum(seconds_of(partial(self._update, batch)) for batch in batches)

    def _update(self, batch: Pairs) -> None:
        self._stepper.update(1, self._corpus, batch.numbers, self._rate)


class BareLearner:
    """nn.LSTM, cross_entropy, Adam: the loop that anyone would write first."""

    def __init__(self, bundle: Bundle, precision: Precision) -> None:
        self.name, self.precision = f"bare torch {precision}", precision
        self._model = BareModel.of(bundle)
        self._shape = plain_shape(bundle)
        rate = self._shape["learning_rate"]
        self._optimizer = torch.optim.Adam(self._model.parameters(), lr=rate)

    def learn(self, batches: Sequence[Pairs]) -> float:
        """As `Learner.learn`."""
        return sum(seconds_of(partial(self._update, batch)) for batch in batches)

    def _update(self, batch: Pairs) -> None:
        self._optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=self.precision == "bf16"):
            loss = self._model.loss(batch.sources, batch.targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._model.parameters(), self._shape["clip_norm"])
        self._optimizer.step()


def read_corpus(bundle: Bundle, source: Path, target: Path) -> Corpus:
    """Parallel text as a training run of this model would have it.

    Raises:
        CorpusError: the text cannot be used.
    """
    config = DataConfig(
        source_language=bundle.config.source_language,
        target_language=bundle.config.target_language,
        train_source=(source,),
        train_target=(target,),
    )
    return prepare(*read_pairs([source], [target]), bundle.tokenizers, config)


def measure_training(
    learners: Sequence[Learner],
    bundle: Bundle,
    corpus: Corpus,
    *,
    batch_tokens: int,
    updates: int,
    rounds: int,
) -> dict[str, Any]:
    """Target tokens a second, ratios and share of the limit of each learner.

    Args:
        learners: those to compare; their own precision is the limit that they are held against.
        updates: optimisation steps of each learner in a round, on batches that no other round has
            while the corpus lasts.
    """
    limits = Limits()
    every = itertools.cycle(_batches(corpus, batch_tokens))
    parts = [list(itertools.islice(every, updates)) for _ in range(rounds)]
    for learner in learners:
        learner.learn(parts[0][:1])  # what a first step prepares is not measured
    measures: dict[str, Callable[[], float]] = {
        learner.name: partial(_next, learner, iter(parts)) for learner in learners
    }
    taken = take_turns({**measures, "limit": limits.measure}, rounds=rounds)
    work = work_of(bundle.config.model, len(bundle.tokenizers.target), folded=False)
    counts = [_count(part) for part in parts]
    gflop = [2e-9 * _products(source, target, work) for source, target in counts]
    rows = []
    for learner in learners:
        seconds = taken[learner.name]
        rates = [each / time for each, time in zip(gflop, seconds, strict=True)]
        rows.append(
            {
                "system": learner.name,
                "tokens_per_s": spread(
                    [target / time for (_, target), time in zip(counts, seconds, strict=True)]
                ),
                "times_as_fast": {name: times_as_fast(seconds, taken[name]) for name in measures},
                "limit_gflops": limits.median(learner.precision),
                "share_of_limit": limits.share(learner.precision, rates),
            }
        )
    return {
        "batch_tokens": batch_tokens,
        "updates": updates,
        "rounds": rounds,
        "multiply_adds": work._asdict(),
        "systems": rows,
    }


def training_table(record: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Header and rows, a row for each system."""
    compared = [row["system"] for row in record["systems"]]
    header = ["system", "tokens/s", "low", "high", *(f"x {name}" for name in compared)]
    header += ["limit GFLOP/s", "of limit"]
    return header, [
        [
            row["system"],
            *(f"{row['tokens_per_s'][part]:,.0f}" for part in ("median", "low", "high")),
            *(f"{row['times_as_fast'][name]:.2f}" for name in compared),
            f"{row['limit_gflops']:.0f}",
            f"{row['share_of_limit']:.0%}",
        ]
        for row in record["systems"]
    ]


def _batches(corpus: Corpus, batch_tokens: int) -> list[Pairs]:
    return [
        Pairs(
            numbers,
            [corpus.source[number].tolist() for number in numbers],
            [corpus.target[number].tolist() for number in numbers],
        )
        for numbers in epoch_batches(corpus, batch_tokens, seed=1, epoch=0)
    ]


def _next(learner: Learner, parts: Any) -> float:
    return learner.learn(next(parts))


def _count(part: Sequence[Pairs]) -> tuple[int, int]:
    """Source and target positions of some batches, end tokens included."""
    source = sum(sum(map(len, batch.sources)) + len(batch.sources) for batch in part)
    return source, sum(sum(map(len, batch.targets)) + len(batch.targets) for batch in part)


def _products(source: int, target: int, work: Work) -> int:
    """Multiply-adds of forward and backward pass: the second has two products for each."""
    return 3 * (source * work.source + target * work.target)
