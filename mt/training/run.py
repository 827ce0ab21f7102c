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

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import torch

from mt.augment import Augmented
from mt.bundle import MANIFEST, Bundle, BundleConfig, save_bundle
from mt.card import model_card
from mt.config import Purpose, Recipe
from mt.corpus import Pairs, Progress, read_tokenizers
from mt.criterion import CRITERIA
from mt.errors import BundleError, TrainingError
from mt.files import write_atomic, write_json
from mt.lexicon import Lexicon, Side, learn_lexicon
from mt.model import Model, make_model
from mt.parameters import half_precision
from mt.tokenizer import TokenizerPair
from mt.training.checkpoint import POINTER, append_metrics
from mt.training.data import Data, open_data
from mt.training.initial import Initial, initial
from mt.training.loop import Report, Trainer, Validate
from mt.training.processes import Processes

RUN_FOLDER, RUN_RECORD = "run", "run.json"
_PLACES = {"train_source", "train_target", "valid_source", "valid_target", "exclude", "prepared"}
_SCORES = (*(criterion.key for criterion in CRITERIA.values()), "word_perplexity")
_VALIDATION = ("update", "epoch", "nll", *_SCORES, "signature")
# Not recorded where they are the default.
_PURPOSE = {name: field.default for name, field in Purpose.model_fields.items()}
_STARTS = {
    "init_from": True,
    "init_encoder": True,
    "init_decoder": True,
    "tokenizers_from": True,
}


def open_run(
    recipe: Recipe,
    output: Path,
    make_validator: Callable[[TokenizerPair, Pairs], Validate],
    *,
    resume: bool = False,
    processes: Processes | None = None,
    report: Report = lambda record: None,
    progress: Progress = lambda doing, done, total: None,
) -> Trainer:
    """Prepare a run, or pick one up where its last checkpoint left it.

    Args:
        recipe: what to train on and how.
        output: the model folder to be; its run/ holds checkpoints and metrics.
        make_validator: builds the validator of the tokenizers and the validation text.
        resume: continue the run in `output` if there is one.
        processes: those that train together; all of them have to see the same `output`.
        report: takes every event.
        progress: told while text is prepared, which is not done again where it has been done.

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
        return _open(recipe, output, make_validator, resume, processes, report, progress)


def _open(
    recipe: Recipe,
    output: Path,
    make_validator: Callable[[TokenizerPair, Pairs], Validate],
    resume: bool,
    processes: Processes,
    report: Report,
    progress: Progress,
) -> Trainer:
    folder = output / RUN_FOLDER
    begun = _begun(output, resume or not processes.first)
    start = initial(recipe)
    with open_data(recipe, folder, _known_tokenizers(begun, folder, start), progress) as data:
        record = _record(recipe, data, start)
        if begun:
            # What a run started from need not be named again once it has a checkpoint.
            asked = start is not None or not (folder / POINTER).exists()
            record["initial"] = _refuse_another(folder, record, initial_too=asked)
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
        return read_tokenizers(folder)
    except (OSError, BundleError) as error:
        raise TrainingError(f"{folder}: its tokenizers cannot be read: {error}") from error


def _record(recipe: Recipe, data: Data, start: Initial | None) -> dict[str, Any]:
    return {
        # Without the places of the text: it may move, and its hash tells whether it is the same.
        "recipe": recipe.model_dump(mode="json", exclude={"data": _PLACES, **_STARTS}),
        "text": data.hash,
        "filters": asdict(data.corpus.report),
        # Which weights it was fine-tuned from, by their hash.
        "initial": start.identity if start else "",
    }


def _begin(folder: Path, tokenizers: TokenizerPair, record: Mapping[str, Any]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(folder / "source.spm", tokenizers.source.content)
        write_atomic(folder / "target.spm", tokenizers.target.content)
        # Last: its presence says that the run has begun.
        write_json(folder / RUN_RECORD, record)
    except OSError as error:
        raise TrainingError(f"{folder}: cannot be written: {error.strerror}") from error


def _refuse_another(folder: Path, record: Mapping[str, Any], *, initial_too: bool) -> str:
    """Refuse to go on with another recipe or text; returns the hash of the initial weights.

    Args:
        initial_too: whether these have to be the same as well.
    """
    path = folder / RUN_RECORD
    try:
        earlier = json.loads(path.read_bytes())
        recipe, text = dict(earlier["recipe"]), earlier["text"]
        initial = str(earlier.get("initial", ""))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{path}: not a readable record of a run: {error}") from error
    for table, options in (_PURPOSE | record["recipe"]).items():
        before = recipe.get(table, _PURPOSE.get(table))
        if isinstance(before, dict) and isinstance(options, dict):
            # An option that is not recorded, or did not exist yet, has the effect of its default.
            before, options = _defaults(table) | before, _defaults(table) | options
        if before == options:
            continue
        if isinstance(options, dict) and isinstance(before, dict):
            key = next(k for k in {**before, **options} if before.get(k) != options.get(k))
            table, before, options = f"{table}.{key}", before.get(key), options.get(key)
        raise TrainingError(
            f"{folder.parent} was begun with {table} = {before!r}, the recipe now says "
            f"{options!r}: restore it, or train into another folder"
        )
    if text != record["text"]:
        raise TrainingError(
            f"{folder.parent}: the training or validation text has changed since the run began"
        )
    if initial_too and initial != record["initial"]:
        raise TrainingError(
            f"{folder.parent} was begun from {initial or 'chance'} and not from "
            f"{record['initial'] or 'chance'}: name the same init_* again, or, if it has a "
            "checkpoint, none"
        )
    return initial


def _defaults(table: str) -> dict[str, Any]:
    """The defaults of a recipe's table, by option."""
    options: Any = Recipe.model_fields[table].annotation
    fields = options.model_fields.items()
    return {name: field.default for name, field in fields if not field.is_required()}


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
