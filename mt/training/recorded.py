"""How a run was begun, as run/run.json has it, and what of it has to be the same to go on.

Knows recipes and their defaults, the hashes of text and of initial weights. Does not know how
either comes about.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mt.config import Purpose, Recipe
from mt.differences import first_difference
from mt.errors import TrainingError
from mt.training.data import Data
from mt.training.initial import Initial

RUN_RECORD = "run.json"
_PLACES = {"train_source", "train_target", "valid_source", "valid_target", "exclude", "prepared"}
# Not recorded where they are the default.
_PURPOSE = {name: field.default for name, field in Purpose.model_fields.items()}
_STARTS = {
    "init_from": True,
    "init_encoder": True,
    "init_decoder": True,
    "tokenizers_from": True,
}


def run_record(recipe: Recipe, data: Data, start: Initial | None) -> dict[str, Any]:
    """How a run is begun.

    Args:
        start: where its weights come from; None is chance.
    """
    return {
        # Without the places of the text: it may move, and its hash tells whether it is the same.
        "recipe": recipe.model_dump(mode="json", exclude={"data": _PLACES, **_STARTS}),
        "text": data.hash,
        "filters": asdict(data.corpus.report),
        # Which weights it was fine-tuned from, by their hash.
        "initial": start.identity if start else "",
    }


def refuse_another(folder: Path, record: Mapping[str, Any], *, initial_too: bool) -> str:
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
        if found := first_difference(before, options, table):
            option, earlier_value, value = found
            raise TrainingError(
                f"{folder.parent} was begun with {option} = {earlier_value!r}, the recipe now says "
                f"{value!r}: restore it, or train into another folder"
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
