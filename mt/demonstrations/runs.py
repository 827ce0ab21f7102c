"""Runs of the project's own trainer that a demonstration makes, and what their plans share.

Knows `mt.training`. Does not know what is trained on, or what is asked of it afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from mt.config import TrainingConfig
from mt.corpus import Corpus
from mt.demonstrations.workspace import Workspace
from mt.model import Model
from mt.training import Outcome, Trainer


def schedule(**options: Any) -> TrainingConfig:
    """Options of a run that never stops early, in fp32 on a CPU, on text without ambiguity."""
    return TrainingConfig(
        label_smoothing=0.0, precision="fp32", device="cpu", patience=1_000, log_every=1_000,
        **options,
    )  # fmt: skip


def train(
    config: TrainingConfig,
    make: Callable[[], Model],
    epoch: Callable[[int], Corpus],
    valid: Corpus,
    workspace: Workspace,
    folder: Path,
    *,
    validate: Callable[[Model], Mapping[str, Any]],
    line: Callable[[Mapping[str, Any]], str],
) -> tuple[Trainer, Outcome]:
    """Train a model to its end, or go on where the folder's last run was cut off.

    Args:
        config: its seed is the workspace's, as `seeded` has it.
        make: the model, as torch's generator draws it.
        epoch: what each epoch trains on.
        line: an event of the run, for people.
    """
    torch.manual_seed(config.seed)
    trainer = Trainer(
        make(),
        epoch,
        valid,
        config,
        folder,
        validate=validate,
        publish=lambda model, record: None,
        report=lambda record: workspace.report(line(record)),
    )
    trainer.resume()
    return trainer, trainer.run()


def seeded(config: TrainingConfig, workspace: Workspace) -> TrainingConfig:
    """The schedule with the workspace's seed and threads."""
    return config.model_copy(update={"seed": workspace.seed, "threads": workspace.threads})
