"""A task that a tiny model learns in seconds, as files: so many of these and so many of those.

Knows the text and the recipe of that task. Does not know what a training run does with them.
"""

from __future__ import annotations

import itertools
import json
import random
from pathlib import Path
from typing import Any

NUMBERS = (("zwei", "two"), ("drei", "three"), ("vier", "four"), ("fünf", "five"))
ANIMALS = (("Hunde", "dogs"), ("Katzen", "cats"), ("Vögel", "birds"), ("Pferde", "horses"))

TABLES: dict[str, dict[str, Any]] = {
    "data": {
        "source_language": "de",
        "target_language": "en",
        "train_source": ["train.de"],
        "train_target": ["train.en"],
        "valid_source": "valid.de",
        "valid_target": "valid.en",
        "licence": "CC0",
    },
    "tokenizer": {"vocabulary_size": 40},
    "model": {
        "embedding_size": 32,
        "encoder_hidden_size": 32,
        "encoder_layers": 1,
        "decoder_hidden_size": 64,
        "decoder_layers": 1,
        "context_size": 32,
        "embedding_dropout": 0.0,
        "layer_dropout": 0.0,
        "output_dropout": 0.1,
        "word_dropout": 0.0,
    },
    "training": {
        "updates": 60,
        "batch_tokens": 200,
        "learning_rate": 0.02,
        "warmup_updates": 5,
        "precision": "fp32",
        "device": "cpu",
        "validate_every": 20,
        "checkpoint_every": 5,
        "log_every": 1,
    },
}
"""The recipe without its name. A run takes about a second, and all of it repeats bit for bit."""


def pairs() -> list[tuple[str, str]]:
    """Every sentence pair there is, such as ("zwei Hunde und drei Katzen", "two dogs and ...")."""
    both = itertools.product(itertools.product(NUMBERS, ANIMALS), repeat=2)
    return [
        (
            f"{number[0]} {animal[0]} und {other_number[0]} {other_animal[0]}",
            f"{number[1]} {animal[1]} and {other_number[1]} {other_animal[1]}",
        )
        for (number, animal), (other_number, other_animal) in both
    ]


def write_recipe(folder: Path, **changes: Any) -> Path:
    """Write the text and `tiny.toml` into a folder, which is made if need be.

    Args:
        changes: options that differ from `TABLES`, as table__key.

    Returns:
        The path of the recipe.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shuffled = random.Random(1).sample(pairs(), k=256)
    for name, part in (("train", shuffled[24:]), ("valid", shuffled[:24])):
        write_lines(folder / f"{name}.de", [source for source, _ in part])
        write_lines(folder / f"{name}.en", [target for _, target in part])
    tables = {table: dict(options) for table, options in TABLES.items()}
    for name, value in changes.items():
        table, key = name.split("__")
        tables.setdefault(table, {})[key] = value
    recipe = folder / "tiny.toml"
    recipe.write_text(_toml("tiny", tables), encoding="utf-8")
    return recipe


def write_lines(path: Path, lines: list[str]) -> None:
    """Write text the way corpora come: UTF-8, a newline after every line."""
    path.write_bytes("".join(f"{line}\n" for line in lines).encode())


def _toml(name: str, tables: dict[str, dict[str, Any]]) -> str:
    # A string, number, boolean or list of them is written alike in JSON and in TOML.
    lines = [f"name = {json.dumps(name)}"]
    for table, options in tables.items():
        lines += ["", f"[{table}]"]
        lines += [f"{key} = {json.dumps(value)}" for key, value in options.items()]
    return "\n".join([*lines, ""])
