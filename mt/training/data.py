"""A recipe's text as arrays: found where an earlier start left them, or made.

Knows files of text, tokenizers, and what arrays are made of. Does not know models. Arrays are only
ever a shortcut: they are taken for the text if that has the same bytes still, by hash, and made
again otherwise.

They lie in run/corpus/, or in the folder `data.prepared`, which several runs may share.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from mt.config import DataConfig, Recipe, TokenizerConfig
from mt.corpus import (
    Corpus,
    CorpusFolder,
    HeldOut,
    NewCorpusFolder,
    Pairs,
    ParallelText,
    Survey,
    Tell,
    new_folder,
    prepare,
    prepare_files,
    read_lines,
    read_pairs,
    sample_pairs,
)
from mt.errors import CorpusError, TrainingError
from mt.system.files import sha256
from mt.tokenizer import TokenizerPair, train_tokenizers

CORPUS_FOLDER = "corpus"
_FILTERS = {"max_pieces", "max_length_ratio", "remove_duplicates", "repeat"}


@dataclass(frozen=True)
class Data:
    """What a run trains on, and what it validates on."""

    corpus: Corpus
    validation: Corpus
    valid_text: Pairs
    tokenizers: TokenizerPair
    hash: str
    """SHA-256 of all tokenised text: ids and starts, source and target, of `corpus`, then of
    `validation`."""


@contextmanager
def open_data(
    recipe: Recipe, run_folder: Path, known: TokenizerPair | None, tell: Tell
) -> Iterator[Data]:
    """The data of a run; arrays made for it are kept if the block ends without an exception.

    Args:
        run_folder: where they lie if the recipe does not say.
        known: the tokenizers, if they need not be trained.
        tell: told while arrays are made.

    Raises:
        CorpusError: the text cannot be used, `data.prepared` holds something else, or the arrays
            cannot be given their name.
        ConfigError: the tokenizer does not suit the text.
        TrainingError: the arrays cannot be written.
    """
    config = recipe.data
    valid_text = _valid_text(config)
    origin = _origin(config)
    folder = config.prepared or run_folder / CORPUS_FOLDER
    with ExitStack() as stack:
        found = _find(folder, recipe, origin, known)
        if found is None:
            with _told(folder):
                new = stack.enter_context(new_folder(folder, with_text=config.needs_text))
                found = _make(new, recipe, origin, known, tell)
        yield _data(found, valid_text or found.held_out(), recipe)


def _valid_text(config: DataConfig) -> Pairs | None:
    if config.valid_source is None or config.valid_target is None:
        return None
    return read_pairs([config.valid_source], [config.valid_target])


def _origin(config: DataConfig) -> dict[str, Any]:
    """What decides on the pairs, but for the tokenizers: the text's bytes and the filters."""
    options = config.model_dump(mode="json", include=_FILTERS)
    held_out = config.held_out_pairs if config.valid_source is None else None
    return {
        "source": [_identity(path) for path in config.train_source],
        "target": [_identity(path) for path in config.train_target],
        "exclude": [_identity(path) for path in config.exclude or ()],
        "options": options | {"held_out_pairs": held_out},
    }


def _identity(path: Path) -> dict[str, Any]:
    # Its hash and nothing else: a date or a size may stay where a line has changed. A gigabyte
    # takes about a second.
    try:
        with path.open("rb") as file:
            return {"sha256": hashlib.file_digest(file, "sha256").hexdigest()}
    except OSError as error:
        raise CorpusError(f"{path}: {error.strerror}") from error


def _find(
    folder: Path, recipe: Recipe, origin: Mapping[str, Any], known: TokenizerPair | None
) -> CorpusFolder | None:
    """The arrays that are there, if they are what would be made.

    Raises:
        CorpusError: they are not, in a folder that the user has named.
    """
    named = recipe.data.prepared is not None
    if named and folder.exists() and not folder.is_dir():
        raise CorpusError(f"data.prepared = {folder}: it has to be a folder, and is a file")
    if not folder.exists() or (named and not any(folder.iterdir())):
        return None
    try:
        found = CorpusFolder(folder)
        if difference := _difference(found, recipe, origin, known):
            raise CorpusError(
                f"{folder} holds text prepared {difference}: name another folder, or remove it"
            )
    except CorpusError:
        if named:
            raise
        return None
    return found


def _difference(
    found: CorpusFolder, recipe: Recipe, origin: Mapping[str, Any], known: TokenizerPair | None
) -> str | None:
    """In what the arrays differ from those that would be made, if they do."""
    record = found.record
    for side in ("source", "target"):
        if record["origin"][side] != origin[side]:
            return f"from other text than data.train_{side} is now"
    if record["origin"].get("exclude", []) != origin["exclude"]:
        return "without other sentences than data.exclude names now"
    for name, value in origin["options"].items():
        if record["origin"]["options"].get(name) != value:
            return f"with another data.{name} than {value!r}"
    if known is not None and record["tokenizers"] != _hashes(known):
        return "with other tokenizers than the model's"
    if known is None and not _describes(recipe.tokenizer, record["tokenizer"]):
        return "with other tokenizers than [tokenizer] describes"
    if recipe.data.needs_text and not found.has_text:
        return "without keeping its lines, which subword_sampling and numbers_share need"
    return None


def _describes(config: TokenizerConfig, record: dict[str, Any] | None) -> bool:
    """Whether tokenizers of that record, None if they are another model's, are as configured."""
    if record is None:
        return False
    # An option that did not exist yet had the effect of its default.
    before = TokenizerConfig().model_dump(mode="json") | record
    return before == config.model_dump(mode="json")


def _make(
    new: NewCorpusFolder,
    recipe: Recipe,
    origin: Mapping[str, Any],
    known: TokenizerPair | None,
    tell: Tell,
) -> CorpusFolder:
    config = recipe.data
    text = ParallelText(config.train_source, config.train_target)
    survey = Survey.of(
        text,
        lambda done: tell("reading", done, None),
        exclude=chain.from_iterable(map(read_lines, config.exclude or ())),
    )
    held_out = HeldOut(([], []))
    if config.valid_source is None:
        whole = np.flatnonzero(~(survey.blank | survey.excluded))
        held_out = HeldOut.of(text, whole, config.held_out_pairs)
    tokenizers = known
    if tokenizers is None:
        tell("learning the vocabulary", 0, None)
        sample = sample_pairs(text, survey, held_out, recipe.tokenizer.training_pairs)
        tokenizers = train_tokenizers(*sample, recipe.tokenizer, seed=recipe.training.seed)
    report = prepare_files(text, survey, held_out, tokenizers, config, new, tell=tell)
    record = {
        "origin": origin,
        # How they came about, if not in another model; and which they are.
        "tokenizer": None if recipe.initialised else recipe.tokenizer.model_dump(mode="json"),
        "tokenizers": _hashes(tokenizers),
    }
    return new.finish(record, report, tokenizers, held_out.pairs)


def _data(found: CorpusFolder, valid_text: Pairs, recipe: Recipe) -> Data:
    tokenizers = found.tokenizers()
    try:
        validation = prepare(*valid_text, tokenizers, recipe.data)
    except CorpusError as error:
        name = recipe.data.valid_source or "the pairs held out"
        raise CorpusError(f"{name}, to validate on: {error}") from error
    digest = hashlib.sha256()
    for block in found.content():
        digest.update(block)
    for side in (validation.source, validation.target):
        digest.update(side.ids.tobytes())
        digest.update(side.starts.tobytes())
    corpus, validation = (
        replace(each, reverse_target=recipe.model.reverse_target)
        for each in (found.corpus(), validation)
    )
    return Data(corpus, validation, valid_text, tokenizers, digest.hexdigest())


def _hashes(tokenizers: TokenizerPair) -> list[str]:
    return [sha256(tokenizer.content) for tokenizer in tokenizers]


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    """Turns an error of the disk into one that the user can mend."""
    try:
        yield
    except OSError as error:
        raise TrainingError(f"{folder}: cannot be written: {error.strerror or error}") from error
