"""One training run whose model is changed before its first update, and its BLEU at the end.

Knows the order of a short run: text, model, change, training, test. Does not know what is changed
nor why. Unlike `mt.training.run` it makes no model folder: only the scores are wanted.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import torch

from mt.config import Recipe
from mt.corpus import Pairs
from mt.demonstrations.workspace import Findings
from mt.model import Seq2Seq
from mt.training import Report, Trainer
from mt.training.checkpoint import METRICS
from mt.training.data import Data, open_data
from mt.validation import make_validator


def train_and_score(
    recipe: Recipe,
    change: Callable[[Seq2Seq], None],
    test: Pairs,
    folder: Path,
    report: Report = lambda record: None,
) -> Findings:
    """Train by a recipe; translate greedily with the last weights.

    Args:
        change: done to the new model, before its optimiser is made.
        test: the text that is scored at the end, all of it.
        folder: for checkpoints; one that is there is gone on from.

    Returns:
        "validation", BLEU of each validation; "test", BLEU of the test text; "signature".

    Raises:
        CorpusError: the text cannot be used.
        TrainingError: a checkpoint cannot be used, or the loss is no finite number.
    """
    with open_data(recipe, folder, None, lambda doing, done, total: None) as data:
        trainer = _trainer(recipe, data, change, folder, report)
    trainer.resume()
    trainer.run()
    score = make_validator(recipe, data.tokenizers, test, count=len(test[0]))
    found = score(trainer.model.eval())
    return {
        "validation": _course(folder),
        "test": found["bleu"],
        "signature": found["signature"],
    }


def _trainer(
    recipe: Recipe, data: Data, change: Callable[[Seq2Seq], None], folder: Path, report: Report
) -> Trainer:
    torch.manual_seed(recipe.training.seed)
    model = Seq2Seq(recipe.model, *map(len, data.tokenizers))
    change(model)
    return Trainer(
        model,
        lambda epoch: data.corpus,
        data.validation,
        recipe.training,
        folder,
        validate=make_validator(recipe, data.tokenizers, data.valid_text),
        publish=lambda trained, record: None,
        report=report,
    )


def _course(folder: Path) -> list[float]:
    events = map(json.loads, (folder / METRICS).read_bytes().splitlines())
    return [event["bleu"] for event in events if event["event"] == "validation"]
