"""The training loop: when to update, to validate, to keep, to stop.

Knows epochs, schedules and progress. Does not know how an update is made (`step`), does not
translate (a validator is handed in), does not know the bundle (a publisher is handed in) and
prints nothing (a reporter is handed in).

A run is a function of recipe, text and seed: every update seeds its own random numbers, so the
same run cut anywhere and resumed ends in the same weights (CPU, fp32, same thread and process
count). Several processes (`processes`) take each batch together; the first one validates, writes
and reports.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from mt.config import TrainingConfig
from mt.corpus import Corpus, epoch_batches, make_batch
from mt.criterion import find_criterion
from mt.model import Model
from mt.training.checkpoint import (
    Progress,
    append_metrics,
    cut_metrics,
    load_checkpoint,
    save_checkpoint,
)
from mt.training.processes import Processes
from mt.training.schedule import learning_rate
from mt.training.step import Stepper, StepReport

Validate = Callable[[Model], Mapping[str, Any]]
"""Scores of a model; one of them, as `mt.criterion` has it, decides which model is kept, and
"signature" says how it was measured."""
Publish = Callable[[Model, Mapping[str, Any]], None]
"""Makes the best model so far the run's result, with the record of its validation."""
EpochCorpus = Callable[[int], Corpus]
"""The training pairs as an epoch, counted from 0, sees them."""
Report = Callable[[Mapping[str, Any]], None]
"""Takes each line of metrics.jsonl as it is written."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    reason: Literal["finished", "early stop", "stopped"]
    update: int
    best_score: float | None
    """The higher the better: a perplexity has its sign turned."""
    best_update: int
    seconds: float


class Trainer:
    """Trains one model; create it, then `run` it to its end or until it is told to stop."""

    def __init__(
        self,
        model: Model,
        corpus: EpochCorpus,
        validation: Corpus,
        config: TrainingConfig,
        folder: Path,
        *,
        processes: Processes | None = None,
        validate: Validate,
        publish: Publish,
        report: Report = lambda record: None,
    ) -> None:
        """`folder` is the run/ folder of checkpoints and metrics; it has to exist by `run`.

        Raises:
            TrainingError: the device asked for is not there.
        """
        self.config = config
        self.folder = folder
        self.processes = processes or Processes()
        self.stepper = Stepper(model, config, self.processes)
        self.model = self.stepper.model
        self.corpus = corpus
        self.validation = validation
        self.progress = Progress()
        self._saved: Progress | None = None  # the last checkpoint's
        self._validate, self._publish, self._report = validate, publish, report

    @property
    def environment(self) -> dict[str, Any]:
        """What must be the same for a resumed run to repeat bit for bit."""
        return {
            "torch": torch.__version__,
            "device": self.stepper.device.type,
            "threads": torch.get_num_threads(),
            "processes": self.processes.count,
            "precision": "bf16" if self.stepper.bf16 else "fp32",
        }

    def resume(self) -> bool:
        """Continue from the last checkpoint; False if there is none.

        A changed environment is reported, since the run may then differ in the last digits.

        Raises:
            TrainingError: the checkpoint cannot be used.
        """
        found = load_checkpoint(
            self.folder,
            self.model,
            self.stepper.optimizer,
            self.stepper.averaging,
            self.stepper.objective,
        )
        if found is None:
            self._cut_metrics(update=-1)  # of a run that was killed before its first checkpoint
            return False
        self.progress, environment = found
        self._cut_metrics(self.progress.update)
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
            TrainingError: the loss or its gradient is no longer a finite number, or another
                process of the run has died.
        """
        config = self.config
        while self.progress.update < config.updates:
            if self.progress.failures >= config.patience:
                return self._end("early stop")
            epoch = self.progress.epoch
            corpus = self.corpus(epoch)
            batches = epoch_batches(corpus, config.batch_tokens, seed=config.seed, epoch=epoch)
            for numbers in batches[self.progress.batch :]:
                self._update(corpus, numbers)
                self._after_update()
                if self.progress.update >= config.updates:
                    return self._end("finished")
                if self.progress.failures >= config.patience:
                    return self._end("early stop")
                if self._agreed(should_stop()):
                    return self._end("stopped")
            self.progress = replace(self.progress, epoch=self.progress.epoch + 1, batch=0)
        return self._end("finished")

    @torch.no_grad()
    def validation_nll(self) -> float:
        """Negative log-likelihood of the validation text in nats per piece, end token included."""
        self.model.eval()
        total, positions = 0.0, 0
        for numbers in epoch_batches(self.validation, self.config.batch_tokens, seed=0, epoch=0):
            batch = make_batch(self.validation, numbers.tolist()).to(self.stepper.device)
            loss = self.stepper.loss(batch, smoothing=0.0)
            total += loss.nll.item()
            positions += loss.positions
        return total / positions

    def _update(self, corpus: Corpus, sentences: NDArray[np.int64]) -> None:
        started = time.perf_counter()
        update = self.progress.update + 1
        step = self.stepper.update(update, corpus, sentences, self._learning_rate(update))
        seconds = time.perf_counter() - started
        self.progress = replace(
            self.progress,
            update=update,
            batch=self.progress.batch + 1,
            seconds=self.progress.seconds + seconds,
            window=self._window(step, seconds),
        )

    def _learning_rate(self, update: int) -> float:
        return learning_rate(update, self.config, self.progress.cuts)

    def _window(self, step: StepReport, seconds: float) -> dict[str, float]:
        news = {
            **step._asdict(),
            "clipped": float(step.norm > self.config.clip_norm),
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
        window, positions = self.progress.window, self.progress.window["positions"]
        added = {"divergence": self.config.r_drop, "bag_of_words": self.config.bag_of_words}
        self._emit(
            "train",
            loss=window["loss"] / positions,
            nll=window["nll"] / positions,
            **{name: window[name] / positions for name, weight in added.items() if weight},
            learning_rate=self._learning_rate(self.progress.update),
            gradient_norm=window["norm"] / window["updates"],
            clipped=window["clipped"] / window["updates"],
            tokens_per_second=positions / window["seconds"],
        )
        self.progress = replace(self.progress, window={})

    def _validation(self) -> None:
        self.stepper.averaging.before_validation()
        with self.stepper.averaging.applied():
            self._validate_and_publish()

    def _validate_and_publish(self) -> None:
        started = time.perf_counter()
        nll, scores = 0.0, dict[str, Any]()
        if self.processes.first:
            nll = self.validation_nll()
            scores = dict(self._validate(self.model.eval()))
        # What the others have to know to go the same way.
        found = torch.tensor([nll, _deciding(scores)], dtype=torch.float64)
        nll, score = self.processes.of_first(found).tolist()
        better = self._note_score(score, nll)
        self._note_nll(nll)
        record = self._emit(
            "validation", nll=nll, **scores, better=better, took=time.perf_counter() - started
        )
        if better and self.processes.first:
            self._publish(self.model, record)

    def _note_score(self, score: float, nll: float) -> bool:
        """Remember the score if it is the best so far; whether it is.

        Of equal ones that with the lower loss: BLEU is 0 for long on hard text, or 100 early.
        """
        progress = self.progress
        best, its_nll = progress.best_score, progress.best_score_nll
        tie_won = score == best and its_nll is not None and nll < its_nll
        better = best is None or score > best or tie_won
        self.progress = (
            replace(
                progress,
                best_score=score,
                best_score_nll=nll,
                best_update=progress.update,
                failures=0,
            )
            if better
            else replace(progress, failures=progress.failures + 1)
        )
        return better

    def _note_nll(self, nll: float) -> None:
        """Let a plateau schedule cut the step size where the validation loss has stalled."""
        progress = self.progress
        if progress.best_nll is None or nll < progress.best_nll:
            self.progress = replace(progress, best_nll=nll, stalled=0)
        elif progress.stalled + 1 < self.config.plateau_patience:
            self.progress = replace(progress, stalled=progress.stalled + 1)
        else:
            self.progress = replace(progress, stalled=0, cuts=progress.cuts + 1)

    def _agreed(self, stop: bool) -> bool:
        """Whether any of the processes wants to stop; a signal may reach only one."""
        return bool(self.processes.sum(torch.tensor([float(stop)])).item())

    def _end(self, reason: Literal["finished", "early stop", "stopped"]) -> Outcome:
        self._save()
        progress = self.progress
        self._emit(reason.replace(" ", "_"))
        return Outcome(
            reason, progress.update, progress.best_score, progress.best_update, progress.seconds
        )

    def _save(self) -> None:
        if not self.processes.first or self.progress == self._saved:
            return
        save_checkpoint(
            self.folder,
            self.model,
            self.stepper.optimizer,
            self.stepper.averaging,
            self.progress,
            self.environment,
            self.stepper.objective,
        )
        self._saved = self.progress

    def _emit(self, event: str, **values: Any) -> dict[str, Any]:
        record = {
            "event": event,
            "update": self.progress.update,
            "epoch": self.progress.epoch,
            "seconds": round(self.progress.seconds, 3),
            **values,
        }
        if self.processes.first:
            append_metrics(self.folder, record)
            self._report(record)
        return record

    def _cut_metrics(self, update: int) -> None:
        if self.processes.first:
            cut_metrics(self.folder, update)


def _deciding(scores: Mapping[str, Any]) -> float:
    """The higher the better; 0 in a process that has not validated."""
    criterion = find_criterion(scores)
    return float(criterion.sign * scores[criterion.key]) if criterion else 0.0
