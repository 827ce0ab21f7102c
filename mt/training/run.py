"""A training run from a recipe: text to tokenizers to batches to a model folder.

Knows the order of the preparations and what `run/` holds. Does not know how a model is trained
(`loop`) or validated (a validator is handed in). Nothing is written before the recipe and all
text have been found good, so a mistake leaves no folder behind.

    run/run.json          the recipe as it was understood, hash of all tokenised text, filter counts
    run/source.spm ...    tokenizers, so that a resumed run need not train them again
    run/checkpoint.json   and its update-*.safetensors: see `checkpoint`
    run/metrics.jsonl     one line an event
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from mt.bundle import MANIFEST, Bundle, BundleConfig, save_bundle
from mt.card import model_card
from mt.config import Recipe
from mt.corpus import Corpus, prepare, read_pairs
from mt.engine import half_precision
from mt.errors import BundleError, TrainingError
from mt.files import sha256, write_atomic, write_json
from mt.model import Seq2Seq
from mt.tokenizer import Tokenizer, TokenizerPair, train_tokenizers
from mt.training.checkpoint import append_metrics
from mt.training.loop import Report, Trainer, Validate

RUN_FOLDER, RUN_RECORD = "run", "run.json"
_TEXT_FILES = {"train_source", "train_target", "valid_source", "valid_target"}


def open_run(
    recipe: Recipe,
    output: Path,
    make_validator: Callable[[TokenizerPair], Validate],
    *,
    resume: bool = False,
    report: Report = lambda record: None,
) -> Trainer:
    """Prepare a run, or pick one up where its last checkpoint left it.

    Args:
        recipe: what to train on and how.
        output: the model folder to be; its run/ holds checkpoints and metrics.
        make_validator: builds the validator once the tokenizers are known.
        resume: continue the run in `output` if there is one.
        report: takes every event.

    Raises:
        CorpusError: the text cannot be used.
        ConfigError: the tokenizer does not suit the text.
        TrainingError: `output` holds a run and resume was not asked for, holds another run or a
            model without its run, or cannot be written; or the device asked for is not there.
    """
    folder = output / RUN_FOLDER
    begun = (folder / RUN_RECORD).exists()
    if begun and not resume:
        raise TrainingError(
            f"{output} already holds a model: add --resume to continue its training, "
            "or choose another folder"
        )
    if (output / MANIFEST).exists() and not begun:
        raise TrainingError(
            f"{output} holds a model but not the run that made it: choose another folder"
        )
    text = read_pairs(recipe.data.train_source, recipe.data.train_target)
    valid_text = read_pairs([recipe.data.valid_source], [recipe.data.valid_target])
    tokenizers = (
        _load_tokenizers(folder)
        if begun
        else train_tokenizers(*text, recipe.tokenizer, seed=recipe.training.seed)
    )
    corpus = prepare(*text, tokenizers, recipe.data)
    validation = prepare(*valid_text, tokenizers, recipe.data)
    record = _record(recipe, corpus, validation)
    if begun:
        _refuse_another(folder, record)

    torch.manual_seed(recipe.training.seed)
    model = Seq2Seq(recipe.model, len(tokenizers.source), len(tokenizers.target))
    trainer = Trainer(
        model,
        corpus,
        validation,
        recipe.training,
        folder,
        validate=make_validator(tokenizers),
        publish=_publisher(output, recipe, tokenizers, corpus),
        report=report,
    )
    if not begun:
        _begin(folder, tokenizers, record)
    if not (begun and trainer.resume()):
        _announce(folder, model, corpus, validation, report)
    return trainer


def _load_tokenizers(folder: Path) -> TokenizerPair:
    try:
        source = Tokenizer((folder / "source.spm").read_bytes())
        target = Tokenizer((folder / "target.spm").read_bytes())
    except (OSError, BundleError) as error:
        raise TrainingError(f"{folder}: its tokenizers cannot be read: {error}") from error
    return TokenizerPair(source, source if source.content == target.content else target)


def _record(recipe: Recipe, corpus: Corpus, validation: Corpus) -> dict[str, Any]:
    sides = (corpus.source, corpus.target, validation.source, validation.target)
    arrays = [array for side in sides for array in (side.ids, side.starts)]
    return {
        # Without the places of the text: it may move, and its hash tells whether it is the same.
        "recipe": recipe.model_dump(mode="json", exclude={"data": _TEXT_FILES}),
        "text": sha256(b"".join(array.tobytes() for array in arrays)),
        "filters": asdict(corpus.report),
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


def _refuse_another(folder: Path, record: Mapping[str, Any]) -> None:
    path = folder / RUN_RECORD
    try:
        earlier = json.loads(path.read_bytes())
        recipe, text = dict(earlier["recipe"]), earlier["text"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{path}: not a readable record of a run: {error}") from error
    for table, options in record["recipe"].items():
        before = recipe.get(table)
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


def _announce(
    folder: Path, model: Seq2Seq, corpus: Corpus, validation: Corpus, report: Report
) -> None:
    record = {
        "event": "start",
        "update": 0,
        "parameters": sum(p.numel() for p in model.parameters() if p.requires_grad),
        "training_pairs": asdict(corpus.report),
        "validation_pairs": asdict(validation.report),
    }
    append_metrics(folder, record)
    report(record)


def _publisher(
    output: Path, recipe: Recipe, tokenizers: TokenizerPair, corpus: Corpus
) -> Callable[[Seq2Seq, Mapping[str, Any]], None]:
    config = BundleConfig(
        name=recipe.name,
        source_language=recipe.data.source_language,
        target_language=recipe.data.target_language,
        joint_vocabulary=recipe.tokenizer.joint,
        model=recipe.model,
        search=recipe.search,
    )

    def publish(model: Seq2Seq, record: Mapping[str, Any]) -> None:
        made = {
            "pairs": str(corpus.report),
            "licence": recipe.data.licence,
            "tokenizer": recipe.tokenizer.model_dump(mode="json"),
            "training": recipe.training.model_dump(mode="json"),
            **{key: record[key] for key in ("update", "epoch", "nll", "bleu", "signature")},
        }
        bundle = Bundle(config, tokenizers, half_precision(model), made)
        save_bundle(output, bundle, model_card(bundle))

    return publish
