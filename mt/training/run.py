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
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from mt.augment import Augmented
from mt.bundle import MANIFEST, Bundle, BundleConfig, load_bundle, save_bundle
from mt.card import model_card
from mt.config import DataConfig, Recipe
from mt.corpus import Corpus, Pairs, hold_out, prepare, read_pairs
from mt.errors import BundleError, TrainingError
from mt.files import sha256, write_atomic, write_json
from mt.model import Seq2Seq
from mt.parameters import half_precision, load_model
from mt.tokenizer import Tokenizer, TokenizerPair, train_tokenizers
from mt.training.checkpoint import POINTER, append_metrics
from mt.training.loop import Report, Trainer, Validate
from mt.training.processes import Processes

RUN_FOLDER, RUN_RECORD = "run", "run.json"
_TEXT_FILES = {"train_source", "train_target", "valid_source", "valid_target"}


def open_run(
    recipe: Recipe,
    output: Path,
    make_validator: Callable[[TokenizerPair, Pairs], Validate],
    *,
    resume: bool = False,
    processes: Processes | None = None,
    report: Report = lambda record: None,
) -> Trainer:
    """Prepare a run, or pick one up where its last checkpoint left it.

    Args:
        recipe: what to train on and how.
        output: the model folder to be; its run/ holds checkpoints and metrics.
        make_validator: builds the validator of the tokenizers and the validation text.
        resume: continue the run in `output` if there is one.
        processes: those that train together; all of them have to see the same `output`.
        report: takes every event.

    Raises:
        CorpusError: the text cannot be used.
        ConfigError: the tokenizer does not suit the text.
        BundleError: the folder of `init_from` cannot be used.
        TrainingError: `output` holds a run and resume was not asked for, holds another run or a
            model without its run, or cannot be written; or the device asked for is not there.
    """
    processes = processes or Processes()
    # The first process begins the run, so all others find it begun.
    with processes.first_goes_first():
        return _open(recipe, output, make_validator, resume, processes, report)


def _open(
    recipe: Recipe,
    output: Path,
    make_validator: Callable[[TokenizerPair, Pairs], Validate],
    resume: bool,
    processes: Processes,
    report: Report,
) -> Trainer:
    folder = output / RUN_FOLDER
    begun = _begun(output, resume or not processes.first)
    initial = None if (folder / POINTER).exists() else _initial(recipe)
    text, valid_text, held_out = _read(recipe.data)
    tokenizers = _tokenizers(recipe, text, folder if begun else None, initial)
    corpus = prepare(*text, tokenizers, recipe.data, held_out=held_out)
    validation = prepare(*valid_text, tokenizers, recipe.data)
    record = _record(recipe, corpus, validation, initial)
    if begun:
        record["initial"] = _refuse_another(folder, record)

    torch.manual_seed(recipe.training.seed)
    model = (
        Seq2Seq(recipe.model, len(tokenizers.source), len(tokenizers.target))
        if initial is None
        else load_model(initial)
    )
    trainer = Trainer(
        model,
        Augmented(corpus, tokenizers, recipe.data, recipe.training.seed).epoch,
        validation,
        recipe.training,
        folder,
        processes=processes,
        validate=make_validator(tokenizers, valid_text),
        publish=_publisher(output, recipe, tokenizers, corpus, record["initial"]),
        report=report,
    )
    if not begun:
        _begin(folder, tokenizers, record)
    if not (begun and trainer.resume()) and processes.first:
        _announce(folder, model, corpus, validation, report)
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


def _read(data: DataConfig) -> tuple[Pairs, Pairs, int]:
    """Training text, validation text, and how many pairs the second has cost the first."""
    text = read_pairs(data.train_source, data.train_target)
    if data.valid_source is not None and data.valid_target is not None:
        return text, read_pairs([data.valid_source], [data.valid_target]), 0
    rest, held_out = hold_out(*text, data.held_out_pairs)
    return rest, held_out, len(text[0]) - len(rest[0])


def _tokenizers(
    recipe: Recipe, text: Pairs, begun: Path | None, initial: Bundle | None
) -> TokenizerPair:
    if begun is not None:
        return _load_tokenizers(begun)
    if initial is not None:
        return initial.tokenizers
    return train_tokenizers(*text, recipe.tokenizer, seed=recipe.training.seed)


def _initial(recipe: Recipe) -> Bundle | None:
    """The bundle a fine-tuning run starts from, with the recipe's [model] as its configuration."""
    if recipe.init_from is None:
        return None
    bundle = load_bundle(recipe.init_from)
    config = bundle.config.model_copy(update={"model": recipe.model})
    return replace(bundle, config=config)


def _load_tokenizers(folder: Path) -> TokenizerPair:
    try:
        source = Tokenizer((folder / "source.spm").read_bytes())
        target = Tokenizer((folder / "target.spm").read_bytes())
    except (OSError, BundleError) as error:
        raise TrainingError(f"{folder}: its tokenizers cannot be read: {error}") from error
    return TokenizerPair(source, source if source.content == target.content else target)


def _record(
    recipe: Recipe, corpus: Corpus, validation: Corpus, initial: Bundle | None
) -> dict[str, Any]:
    sides = (corpus.source, corpus.target, validation.source, validation.target)
    arrays = [array for side in sides for array in (side.ids, side.starts)]
    return {
        # Without the places of the text: it may move, and its hash tells whether it is the same.
        "recipe": recipe.model_dump(mode="json", exclude={"data": _TEXT_FILES, "init_from": True}),
        "text": sha256(b"".join(array.tobytes() for array in arrays)),
        "filters": asdict(corpus.report),
        # Which weights it was fine-tuned from, by their hash.
        "initial": initial.identity if initial else "",
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


def _refuse_another(folder: Path, record: Mapping[str, Any]) -> str:
    """Refuse to go on with another recipe or text; returns the hash of the initial weights."""
    path = folder / RUN_RECORD
    try:
        earlier = json.loads(path.read_bytes())
        recipe, text = dict(earlier["recipe"]), earlier["text"]
        initial = str(earlier.get("initial", ""))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{path}: not a readable record of a run: {error}") from error
    for table, options in record["recipe"].items():
        before = recipe.get(table)
        if isinstance(before, dict):
            # An option that did not exist yet had the effect of its default.
            before = {k: v for k, v in _defaults(table).items() if k in options} | before
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
    return initial


def _defaults(table: str) -> dict[str, Any]:
    """The defaults of a recipe's table, by option."""
    options: Any = Recipe.model_fields[table].annotation
    fields = options.model_fields.items()
    return {name: field.default for name, field in fields if not field.is_required()}


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
    output: Path, recipe: Recipe, tokenizers: TokenizerPair, corpus: Corpus, initial: str
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
            **({"fine_tuned_from": initial} if initial else {}),
            "tokenizer": recipe.tokenizer.model_dump(mode="json"),
            "training": recipe.training.model_dump(mode="json"),
            **{key: record[key] for key in ("update", "epoch", "nll", "bleu", "signature")},
        }
        bundle = Bundle(config, tokenizers, half_precision(model), made)
        save_bundle(output, bundle, model_card(bundle))

    return publish
