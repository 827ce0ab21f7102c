"""A training run from a recipe: text to tokenizers to batches to a model folder.

Knows the order of the preparations and what `run/` holds. Does not know how a model is trained
(`loop`) or validated (a validator is handed in). Nothing is written before the recipe and all
text have been found good, so a mistake leaves no folder behind.

    run/run.json          the recipe as it was understood, hash of all tokenised text, filter counts
    run/source.spm ...    tokenizers, so that a resumed run need not train them again
    run/corpus/           the training text as arrays, unless the recipe says where: see `data`
    run/checkpoint.json   and its update-*.safetensors: see `checkpoint`
    run/metrics.jsonl     one line an event
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import torch

from mt.bundle import MANIFEST, Bundle, BundleConfig, save_bundle
from mt.card import model_card
from mt.config import Recipe
from mt.corpus import Pairs, Tell, read_tokenizers
from mt.corpus.augment import Augmented
from mt.criterion import CRITERIA
from mt.errors import BundleError, TrainingError
from mt.lexicon import Lexicon, Side, learn_lexicon
from mt.model import Model, make_model
from mt.parameters import half_precision
from mt.system.files import write_atomic, write_json
from mt.tokenizer import TokenizerPair
from mt.training.checkpoint import POINTER, append_metrics
from mt.training.data import Data, open_data
from mt.training.initial import Initial, initial
from mt.training.loop import Report, Trainer, Validate
from mt.training.processes import Processes
from mt.training.recorded import RUN_RECORD, refuse_another, run_record

RUN_FOLDER = "run"
_SCORES = (*(criterion.key for criterion in CRITERIA.values()), "word_perplexity")
_VALIDATION = ("update", "epoch", "nll", *_SCORES, "signature")


def open_run(
    recipe: Recipe,
    output: Path,
    make_validator: Callable[[TokenizerPair, Pairs], Validate],
    *,
    resume: bool = False,
    processes: Processes | None = None,
    report: Report = lambda record: None,
    tell: Tell = lambda doing, done, total: None,
) -> Trainer:
    """Prepare a run, or pick one up where its last checkpoint left it.

    Args:
        recipe: what to train on and how.
        output: the model folder to be; its run/ holds checkpoints and metrics.
        make_validator: builds the validator of the tokenizers and the validation text.
        resume: continue the run in `output` if there is one.
        processes: those that train together; all of them have to see the same `output`.
        report: takes every event.
        tell: told while text is prepared, which is not done again where it has been done.

    Raises:
        CorpusError: the text cannot be used.
        ConfigError: the tokenizer does not suit the text.
        BundleError: a folder to start from cannot be used.
        TrainingError: `output` holds a run and resume was not asked for, holds another run or a
            model without its run, or cannot be written; or the device asked for is not there.
    """
    processes = processes or Processes()
    # The first process begins the run, so all others find it begun.
    with processes.first_goes_first():
        return _open(recipe, output, make_validator, resume, processes, report, tell)


def _open(
    recipe: Recipe,
    output: Path,
    make_validator: Callable[[TokenizerPair, Pairs], Validate],
    resume: bool,
    processes: Processes,
    report: Report,
    tell: Tell,
) -> Trainer:
    folder = output / RUN_FOLDER
    begun = _begun(output, resume or not processes.first)
    start = initial(recipe)
    with open_data(recipe, folder, _known_tokenizers(begun, folder, start), tell) as data:
        record = run_record(recipe, data, start)
        if begun:
            # What a run started from need not be named again once it has a checkpoint.
            asked = start is not None or not (folder / POINTER).exists()
            record["initial"] = refuse_another(folder, record, initial_too=asked)
        torch.manual_seed(recipe.training.seed)
        tokenizers = data.tokenizers
        model = (
            make_model(recipe.model, len(tokenizers.source), len(tokenizers.target))
            if start is None
            else start.model(recipe.model)
        )
        trainer = Trainer(
            model,
            Augmented(data.corpus, tokenizers, recipe.data, recipe.training.seed).epoch,
            data.validation,
            recipe.training,
            folder,
            processes=processes,
            validate=make_validator(
                tokenizers.writing(right_to_left=recipe.model.reverse_target), data.valid_text
            ),
            publish=_publisher(output, recipe, data, record["initial"]),
            report=report,
        )
        if not begun:
            _begin(folder, tokenizers, record)
    if not (begun and trainer.resume()) and processes.first:
        _announce(folder, model, data, report)
    return trainer


def _begun(output: Path, resume: bool) -> bool:
    """Whether there is a run to continue."""
    begun = (output / RUN_FOLDER / RUN_RECORD).exists()
    if begun and not resume:
        raise TrainingError(
            f"{output} already holds a model: add --resume to continue its training, "
            "or choose another folder"
        )
    if (output / MANIFEST).exists() and not begun:
        raise TrainingError(
            f"{output} holds a model but not the run that made it: choose another folder"
        )
    return begun


def _known_tokenizers(begun: bool, folder: Path, start: Initial | None) -> TokenizerPair | None:
    """Those of the run, or of the models it starts from; None if they have to be trained."""
    if not begun:
        return start.tokenizers if start else None
    try:
        known = read_tokenizers(folder)
    except (OSError, BundleError) as error:
        raise TrainingError(f"{folder}: its tokenizers cannot be read: {error}") from error
    if start and any(a.content != b.content for a, b in zip(known, start.tokenizers, strict=True)):
        raise TrainingError(
            f"{folder.parent} was begun with other tokenizers: name the same folders again, or none"
        )
    return known


def _begin(folder: Path, tokenizers: TokenizerPair, record: Mapping[str, Any]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(folder / "source.spm", tokenizers.source.content)
        write_atomic(folder / "target.spm", tokenizers.target.content)
        # Last: its presence says that the run has begun.
        write_json(folder / RUN_RECORD, record)
    except OSError as error:
        raise TrainingError(f"{folder}: cannot be written: {error.strerror}") from error


def _announce(folder: Path, model: Model, data: Data, report: Report) -> None:
    record = {
        "event": "start",
        "update": 0,
        "parameters": sum(p.numel() for p in model.parameters() if p.requires_grad),
        "training_pairs": asdict(data.corpus.report),
        "validation_pairs": asdict(data.validation.report),
    }
    append_metrics(folder, record)
    report(record)


def _publisher(
    output: Path, recipe: Recipe, data: Data, initial: str
) -> Callable[[Model, Mapping[str, Any]], None]:
    config = BundleConfig(
        name=recipe.name,
        source_language=recipe.data.source_language,
        target_language=recipe.data.target_language,
        task=recipe.task,
        segmentation=recipe.segmentation,
        joint_vocabulary=data.tokenizers.joint,
        model=recipe.model,
        search=recipe.search,
    )

    @cache
    def lexicon() -> Lexicon:
        source, target = (Side(s.ids, s.starts) for s in (data.corpus.source, data.corpus.target))
        return learn_lexicon(source, target, *map(len, data.tokenizers))

    def publish(model: Model, record: Mapping[str, Any]) -> None:
        made = {
            "pairs": str(data.corpus.report),
            "licence": recipe.data.licence,
            **({"fine_tuned_from": initial} if initial else {}),
            "tokenizer": recipe.tokenizer.model_dump(mode="json"),
            "training": recipe.training.model_dump(mode="json"),
            **{key: record[key] for key in _VALIDATION if key in record},
        }
        weights = half_precision(model)
        table = None if recipe.task == "continue" else lexicon()
        bundle = Bundle(config, data.tokenizers, weights, made, lexicon=table)
        save_bundle(output, bundle, model_card(bundle))

    return publish
