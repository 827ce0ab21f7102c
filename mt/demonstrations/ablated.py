"""One training run whose model is changed before its first update, and its BLEU at the end.

Knows the order of a short run: text, model, change, training, test. Does not know what is changed
nor why. Unlike `mt.training.run` it makes no model folder: only the scores are wanted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from mt.config import Recipe
from mt.demonstrations.workspace import Findings
from mt.engine.reference import TorchEngine
from mt.model import Model, Seq2Seq
from mt.scoring import bleu
from mt.tokenizer import TokenizerPair
from mt.training import Report, Trainer
from mt.training.checkpoint import METRICS
from mt.training.data import Data, open_data
from mt.translator import Translator

Texts = tuple[Sequence[str], Sequence[str]]
"""Sources, and their references."""


def train_and_score(
    recipe: Recipe,
    change: Callable[[Seq2Seq], None],
    test: Texts,
    folder: Path,
    report: Report = lambda record: None,
) -> Findings:
    """Train by a recipe; translate greedily with the last weights.

    Args:
        change: done to the new model, before its optimiser is made.
        test: the text that is scored at the end.
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
    found = _Scorer(recipe, data.tokenizers)(trainer.model.eval(), test)
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
    score = _Scorer(recipe, data.tokenizers)
    sources, references = data.valid_text
    count = recipe.training.validate_sentences
    return Trainer(
        model,
        lambda epoch: data.corpus,
        data.validation,
        recipe.training,
        folder,
        validate=lambda trained: score(trained, (sources[:count], references[:count])),
        publish=lambda trained, record: None,
        report=report,
    )


class _Scorer:
    def __init__(self, recipe: Recipe, tokenizers: TokenizerPair) -> None:
        self.recipe, self.tokenizers = recipe, tokenizers

    def __call__(self, model: Model, text: Texts) -> Mapping[str, Any]:
        sources, references = text
        translator = Translator(
            TorchEngine(model),
            self.tokenizers,
            self.recipe.search.model_copy(update={"beam_size": 1}),
            name=self.recipe.name,
            source_language=self.recipe.data.source_language,
            target_language=self.recipe.data.target_language,
        )
        found = bleu(
            [translation.text for translation in translator.translate(sources)], references
        )
        return {"bleu": found.value, "signature": found.signature}


def _course(folder: Path) -> list[float]:
    events = map(json.loads, (folder / METRICS).read_bytes().splitlines())
    return [event["bleu"] for event in events if event["event"] == "validation"]
