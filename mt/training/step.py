"""One update: a batch in, its loss, its gradient, clipped, taken.

Knows model, optimiser, average, device and arithmetic. Does not know what is minimised
(`objective`), nor schedules, epochs or files.
Several processes take each batch together: every one computes its share of the rows, and all make
the same step.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from mt.config import TrainingConfig
from mt.corpus import Batch, Corpus, make_batch
from mt.errors import TrainingError
from mt.loss.cross_entropy import Loss
from mt.model import Model
from mt.training.averaging import make_averaging
from mt.training.objective import Objective, token_loss
from mt.training.processes import Processes


class StepReport(NamedTuple):
    """What one update was like, over the whole batch."""

    loss: float
    """Sum over positions of what was minimised."""
    nll: float
    """Sum over positions of the negative log-likelihood in nats."""
    positions: int
    norm: float
    """Euclidean norm of the gradient before clipping."""
    divergence: float = 0.0
    """Sum over positions of what R-Drop adds, before its weight."""
    bag_of_words: float = 0.0
    """Sum over tokens of the loss of those foretold, before its weight."""


class Stepper:
    """Moves one model, update by update."""

    def __init__(self, model: Model, config: TrainingConfig, processes: Processes) -> None:
        """Takes the model to its device and sets the number of torch's threads.

        Raises:
            TrainingError: the device asked for is not there.
        """
        torch.set_num_threads(config.threads)
        self.config = config
        self.processes = processes
        self.device = _device(config, processes)
        self.bf16 = use_bf16(config, self.device)
        self.model = model.to(self.device)
        self.objective = Objective(self.model, config).to(self.device)
        self.parameters = [*self.model.parameters(), *self.objective.parameters()]
        self.optimizer = torch.optim.Adam(
            [parameter for parameter in self.parameters if parameter.requires_grad],
            lr=config.learning_rate,
            betas=(0.9, config.adam_beta2),
            fused=True,
        )
        self.averaging = make_averaging(self.model, config)

    def update(
        self, number: int, corpus: Corpus, sentences: NDArray[np.int64], rate: float
    ) -> StepReport:
        """Make update `number`, counted from 1, on these sentences with this step size.

        Raises:
            TrainingError: the loss or its gradient is no longer a finite number, or another
                process has died.
        """
        torch.manual_seed(draw_seed(self.config.seed, number, self.processes.rank))
        self.model.train()
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad()
        (total, nll, apart, bag), positions = self._gradients(corpus, sentences)
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, self.config.clip_norm)
        report = StepReport(total, nll, positions, norm.item(), apart, bag)
        self._check_finite(number, report)
        self.optimizer.step()
        self.averaging.after_update(number)
        return report

    def loss(self, batch: Batch, *, smoothing: float) -> Loss:
        """The cross entropy of one batch; padding is left out before the output layer."""
        with self._autocast():
            readouts = self.model(batch.source, batch.source_lengths, batch.previous)
            return token_loss(self.model, readouts, batch.target, smoothing=smoothing)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16)

    def _gradients(self, corpus: Corpus, sentences: NDArray[np.int64]) -> tuple[list[float], int]:
        """Leave the gradient of the mean loss in the parameters; returns the terms' sums and the
        count of positions."""
        positions = int(corpus.target.lengths[sentences].sum()) + len(sentences)  # with end tokens
        own = sentences[self.processes.rank :: self.processes.count]
        sums = torch.zeros(4, dtype=torch.float64)
        if len(own):
            batch = make_batch(corpus, own.tolist()).to(self.device)
            with self._autocast():
                terms = self.objective(self.model, batch)
            (terms.total / positions).backward()
            sums = torch.stack([term.detach() for term in terms]).double().cpu()
        self.processes.sum_gradients(self.parameters)
        return self.processes.sum(sums).tolist(), positions

    def _check_finite(self, number: int, report: StepReport) -> None:
        # Before the step, and at every update: no checkpoint and no bundle ever holds a NaN.
        value, config = report.loss / report.positions, self.config
        if not (math.isfinite(value) and math.isfinite(report.norm)):
            raise TrainingError(
                f"update {number}: the loss is {value}, the norm of its gradient {report.norm}; "
                f"lower training.learning_rate ({config.learning_rate}) or training.clip_norm "
                f"({config.clip_norm})"
            )


def use_bf16(config: TrainingConfig, device: torch.device) -> bool:
    """Whether matrix products run in bf16: as asked, or where the processor multiplies in it."""
    if config.precision != "auto":
        return config.precision == "bf16"
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    # Without these instructions bf16 is emulated and slower than fp32.
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def draw_seed(seed: int, update: int, rank: int) -> int:
    """What decides the draws of one process in one update, of dropout among others."""
    return int(np.random.SeedSequence((seed, update, rank)).generate_state(1, np.uint64)[0])


def _device(config: TrainingConfig, processes: Processes) -> torch.device:
    available = torch.cuda.is_available()
    if config.device == "cuda" and not available:
        raise TrainingError(
            'training.device = "cuda": no CUDA GPU is available; "auto" and "cpu" are'
        )
    if config.device == "cpu" or not available:
        return torch.device("cpu")
    return torch.device("cuda", processes.local_rank)
