"""A recipe for two plain files, sized by how much text is in them.

Knows rules of thumb, each beside its reason. Does not know how a run is made. The recipe is an
ordinary one: it is stored in run/run.json and can be written out and changed.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from pathlib import Path

from mt.bundle import BundleConfig, load_bundle
from mt.config import ModelConfig, Recipe, SearchConfig, TrainingConfig, parse
from mt.corpus import ParallelText
from mt.errors import ConfigError

EPOCHS = 30
"""Passes over the text that a run may take; it stops early where they do not help."""
MOST_UPDATES, FEWEST_UPDATES = 20_000, 200
PIECES_PER_WORD = 1.3
"""About what 8,000 pieces need for a word of a European language."""
CHARACTERS_PER_PIECE = 6
"""Of a word so long that it takes more, such as a line of a language without spaces."""
WIDE_PER_PIECE = 2
"""The same of Chinese, Japanese and Korean characters."""
VALIDATIONS = 20
"""Looks at the validation text over a run."""

_LANGUAGE = re.compile(r"[a-z]{2,3}")
_NO_LANGUAGE = frozenset(
    {"txt", "src", "tgt", "trg", "ref", "hyp", "raw", "tok", "bpe", "spm", "out", "csv", "tsv"}
)
"""What files of text are called too. Some are codes of small languages, which have to be given."""


def default_recipe(
    source: Path,
    target: Path,
    *,
    source_language: str | None = None,
    target_language: str | None = None,
    init_from: Path | None = None,
) -> Recipe:
    """A recipe to train on two files of lines that translate each other.

    Args:
        source: source side (plain, .gz or .xz); validation pairs are held out of it.
        target: target side.
        source_language: ISO 639 code; by default that of `init_from`, else the suffix of the file's
            name, as in train.de.
        target_language: the same for the target.
        init_from: model folder to fine-tune; the recipe has its task, segmentation, [model] and
            [search] then.

    Raises:
        CorpusError: the files cannot be read or do not belong together.
        ConfigError: a language is neither given nor in its file's name; `init_from` is a language
            model, which two files have nothing to teach.
        BundleError: the folder of `init_from` cannot be used.
    """
    initial = load_bundle(init_from).config if init_from else None
    if initial is not None:
        source_language = source_language or initial.source_language
        target_language = target_language or initial.target_language
    source_language = source_language or _language(source, "--source-language")
    target_language = target_language or _language(target, "--target-language")
    pairs, source_words, target_words = _count(ParallelText((source,), (target,)))
    updates = _updates(pairs, target_words)
    table = {
        **(_purpose(initial, init_from) if initial else {}),
        "name": f"{source_language}-{target_language}",
        "init_from": init_from,
        "data": {
            "source_language": source_language,
            "target_language": target_language,
            "train_source": [source.resolve()],
            "train_target": [target.resolve()],
        },
        "tokenizer": {"vocabulary_size": _vocabulary_size(source_words, target_words)},
        "model": initial.model if initial else ModelConfig(),
        "search": initial.search if initial else SearchConfig(copy_digits=True),
        "training": {
            "updates": updates,
            "warmup_updates": min(300, updates // 10),
            "validate_every": max(1, updates // VALIDATIONS),
            "checkpoint_every": max(1, updates // VALIDATIONS),
        },
    }
    return parse(Recipe, table, where="recipe")


def _purpose(initial: BundleConfig, folder: Path | None) -> dict[str, str]:
    if initial.task == "continue":
        raise ConfigError(
            f"--init-from {folder}: a language model learns from one text, in a recipe of task "
            '"continue"; --source and --target are two'
        )
    return {"task": initial.task, "segmentation": initial.segmentation}


def _language(path: Path, option: str) -> str:
    name = path.name.removesuffix(".gz").removesuffix(".xz")
    suffix = name.rpartition(".")[2]
    if suffix == name or not _LANGUAGE.fullmatch(suffix) or suffix in _NO_LANGUAGE:
        raise ConfigError(f"{path}: its name ends with no language, such as .de: give {option}")
    return suffix


def _count(text: ParallelText) -> tuple[int, Counter[str], Counter[str]]:
    """The pairs, and how often each word stands on either side."""
    pairs, source, target = 0, Counter[str](), Counter[str]()
    for its_source, its_target in text:
        pairs += 1
        source.update(its_source.split())
        target.update(its_target.split())
    return pairs, source, target


def _updates(pairs: int, words: Counter[str]) -> int:
    pieces = pairs + sum(count * _pieces(word) for word, count in words.items())
    per_epoch = pieces / TrainingConfig().batch_tokens
    return max(FEWEST_UPDATES, min(MOST_UPDATES, round(EPOCHS * per_epoch)))


def _pieces(word: str) -> float:
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in word)
    narrow = len(word) - wide
    return max(PIECES_PER_WORD, narrow / CHARACTERS_PER_PIECE + wide / WIDE_PER_PIECE)


def _vocabulary_size(*sides: Counter[str]) -> int:
    """For a tokenizer of each side: no more than the poorer one has, but all of its characters."""
    wanted, least = [], []
    for words in sides:
        characters = {character for word in words for character in word}
        # More pieces than characters and half of the words would be learned from single
        # occurrences, and SentencePiece refuses more than there are to find.
        wanted.append(len(characters) + len(words) // 2 + 4)
        least.append(len(characters) + 8)  # the four special tokens, and the mark of a word's start
    return max(16, min(8000, *wanted), *least)
