"""The training loop: batches in, updates, validations, checkpoints out.

Knows the model, the loss and the schedule. Does not translate (a validator is handed in), does
not know the bundle (a publisher is handed in) and prints nothing (a reporter is handed in).

A run is a function of recipe, text and seed: every update seeds its own random numbers, so the
same run cut anywhere and resumed ends in the same weights (CPU, fp32, same thread count).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from mt.config import TrainingConfig
from mt.corpus import Batch, Corpus, epoch_batches, make_batch
from mt.errors import TrainingError
from mt.loss import Loss, cross_entropy
from mt.model import Seq2Seq
from mt.tokens import PAD
from mt.training.checkpoint import (
    Progress,
    append_metrics,
    cut_metrics,
    load_checkpoint,
    save_checkpoint,
)
from mt.training.schedule import learning_rate

Validate = Callable[[Seq2Seq], Mapping[str, Any]]
"""Scores of a model; "bleu", the higher the better, decides which model is kept, and "signature"
says how it was measured."""
Publish = Callable[[Seq2Seq, Mapping[str, Any]], None]
"""Makes the best model so far the run's result, with the record of its validation."""
Report = Callable[[Mapping[str, Any]], None]
"""Takes each line of metrics.jsonl as it is written."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    reason: Literal["finished", "early stop", "stopped"]
    update: int
    best_score: float | None
    best_update: int
    seconds: float


class Trainer:
    """Trains one model; create it, then `run` it to its end or until it is told to stop."""

    def __init__(
        self,
        model: Seq2Seq,
        corpus: Corpus,
        validation: Corpus,
        config: TrainingConfig,
        folder: Path,
        *,
        validate: Validate,
        publish: Publish,
        report: Report = lambda record: None,
    ) -> None:
        """`folder` is the run/ folder of checkpoints and metrics; it has to exist by `run`.

        Raises:
            TrainingError: the device asked for is not there.
        """
        torch.set_num_threads(config.threads)
        self.config = config
        self.folder = folder
        self.corpus = corpus
        self.validation = validation
        self.device = torch.device(_device(config))
        self.bf16 = use_bf16(config, self.device)
        self.model = model.to(self.device)
        self.optimizer = torch.optim.Adam(
            [parameter for parameter in model.parameters() if parameter.requires_grad],
            lr=config.learning_rate,
            betas=(0.9, config.adam_beta2),
            fused=True,
        )
        self.progress = Progress()
        self._validate, self._publish, self._report = validate, publish, report

    @property
    def environment(self) -> dict[str, Any]:
        """What must be the same for a resumed run to repeat bit for bit."""
        return {
            "torch": torch.__version__,
            "device": self.device.type,
            "threads": torch.get_num_threads(),
            "precision": "bf16" if self.bf16 else "fp32",
        }

    def resume(self) -> bool:
        """Continue from the last checkpoint; False if there is none.

        A changed environment is reported, since the run may then differ in the last digits.

        Raises:
            TrainingError: the checkpoint cannot be used.
        """
        found = load_checkpoint(self.folder, self.model, self.optimizer)
        if found is None:
            cut_metrics(self.folder, update=-1)  # of a run that was killed before its first one
            return False
        self.progress, environment = found
        cut_metrics(self.folder, self.progress.update)
        changed = {
            name: {"was": environment.get(name), "is": value}
            for name, value in self.environment.items()
            if environment.get(name) != value
        }
        self._emit("resume", changed_environment=changed)
        return True

    def run(self, should_stop: Callable[[], bool] = lambda: False) -> Outcome:
        """Train until the last update, the early stop, or should_stop says so (asked every update).

        Raises:
            TrainingError: the loss or its gradient is no longer a finite number.
        """
        config = self.config
        while self.progress.update < config.updates:
            if self.progress.failures >= config.patience:
                return self._end("early stop")
            batches = epoch_batches(
                self.corpus, config.batch_tokens, seed=config.seed, epoch=self.progress.epoch
            )
            for numbers in batches[self.progress.batch :]:
                self._update(make_batch(self.corpus, numbers.tolist()).to(self.device))
                self._after_update()
                if self.progress.update >= config.updates:
                    return self._end("finished")
                if self.progress.failures >= config.patience:
                    return self._end("early stop")
                if should_stop():
                    return self._end("stopped")
            self.progress = replace(self.progress, epoch=self.progress.epoch + 1, batch=0)
        return self._end("finished")

    def loss(self, batch: Batch, *, smoothing: float) -> Loss:
        """The loss of one batch; padding is left out before the output layer."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            readouts = self.model(batch.source, batch.source_lengths, batch.previous)
            targets = batch.target.T
            real = targets != PAD
            return cross_entropy(
                readouts[real],
                self.model.output_weight,
                self.model.output_bias,
                targets[real],
                smoothing=smoothing,
            )

    @torch.no_grad()
    def validation_nll(self) -> float:
        """Negative log-likelihood of the validation text in nats per piece, end token included."""
        self.model.eval()
        total, positions = 0.0, 0
        for numbers in epoch_batches(self.validation, self.config.batch_tokens, seed=0, epoch=0):
            batch = make_batch(self.validation, numbers.tolist()).to(self.device)
            loss = self.loss(batch, smoothing=0.0)
            total += loss.nll.item()
            positions += loss.positions
        return total / positions

    def _update(self, batch: Batch) -> None:
        started = time.perf_counter()
        update = self.progress.update + 1
        torch.manual_seed(_update_seed(self.config.seed, update))
        self.model.train()
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(update, self.config)
        self.optimizer.zero_grad()
        loss = self.loss(batch, smoothing=self.config.label_smoothing)
        (loss.smoothed / loss.positions).backward()
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip_norm)
        self._check_finite(update, loss, norm)
        self.optimizer.step()
        seconds = time.perf_counter() - started
        self.progress = replace(
            self.progress,
            update=update,
            batch=self.progress.batch + 1,
            seconds=self.progress.seconds + seconds,
            window=self._window(loss, norm, seconds),
        )

    def _check_finite(self, update: int, loss: Loss, norm: Tensor) -> None:
        # Before the step, and at every update: no checkpoint and no bundle ever holds a NaN.
        value, config = loss.smoothed.item() / loss.positions, self.config
        if not (math.isfinite(value) and math.isfinite(norm.item())):
            raise TrainingError(
                f"update {update}: the loss is {value}, the norm of its gradient {norm.item()}; "
                f"lower training.learning_rate ({config.learning_rate}) or training.clip_norm "
                f"({config.clip_norm})"
            )

    def _window(self, loss: Loss, norm: Tensor, seconds: float) -> dict[str, float]:
        news = {
            "loss": loss.smoothed.item(),
            "nll": loss.nll.item(),
            "positions": loss.positions,
            "norm": norm.item(),
            "clipped": float(norm.item() > self.config.clip_norm),
            "updates": 1,
            "seconds": seconds,
        }
        return {name: self.progress.window.get(name, 0.0) + value for name, value in news.items()}

    def _after_update(self) -> None:
        update, config = self.progress.update, self.config
        last = update == config.updates
        if update % config.log_every == 0 or last:
            self._log()
        if update % config.validate_every == 0 or last:
            self._validation()
        if update % config.checkpoint_every == 0:
            self._save()

    def _log(self) -> None:
        window = self.progress.window
        self._emit(
            "train",
            loss=window["loss"] / window["positions"],
            nll=window["nll"] / window["positions"],
            learning_rate=learning_rate(self.progress.update, self.config),
            gradient_norm=window["norm"] / window["updates"],
            clipped=window["clipped"] / window["updates"],
            tokens_per_second=window["positions"] / window["seconds"],
        )
        self.progress = replace(self.progress, window={})

    def _validation(self) -> None:
        started = time.perf_counter()
        nll = self.validation_nll()
        scores = dict(self._validate(self.model.eval()))
        score, best = float(scores["bleu"]), self.progress.best_score
        better = best is None or score > best
        self.progress = (
            replace(self.progress, best_score=score, best_update=self.progress.update, failures=0)
            if better
            else replace(self.progress, failures=self.progress.failures + 1)
        )
        record = self._emit(
            "validation", nll=nll, **scores, better=better, took=time.perf_counter() - started
        )
        if better:
            self._publish(self.model, record)

    def _end(self, reason: Literal["finished", "early stop", "stopped"]) -> Outcome:
        self._save()
        progress = self.progress
        self._emit(reason.replace(" ", "_"))
        return Outcome(
            reason, progress.update, progress.best_score, progress.best_update, progress.seconds
        )

    def _save(self) -> None:
        save_checkpoint(self.folder, self.model, self.optimizer, self.progress, self.environment)

    def _emit(self, event: str, **values: Any) -> dict[str, Any]:
        record = {
            "event": event,
            "update": self.progress.update,
            "epoch": self.progress.epoch,
            "seconds": round(self.progress.seconds, 3),
            **values,
        }
        append_metrics(self.folder, record)
        self._report(record)
        return record


def use_bf16(config: TrainingConfig, device: torch.device) -> bool:
    """Whether matrix products run in bf16: as asked, or where the processor multiplies in it."""
    if config.precision != "auto":
        return config.precision == "bf16"
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    # Without these instructions bf16 is emulated and slower than fp32.
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def _device(config: TrainingConfig) -> str:
    available = torch.cuda.is_available()
    if config.device == "cuda" and not available:
        raise TrainingError(
            'training.device = "cuda": no CUDA GPU is available; "auto" and "cpu" are'
        )
    if config.device == "auto":
        return "cuda" if available else "cpu"
    return config.device


def _update_seed(seed: int, update: int) -> int:
    # Distinct for every (seed, update) within a signed 64-bit number.
    return (seed << 32) + update
