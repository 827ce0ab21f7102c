"""Single options of a recipe changed, as on a command line: "training.seed=2".

Knows how a change is written. Does not know the options, nor where recipes come from.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mt.config.options import parse
from mt.config.recipe import Recipe, absolute
from mt.errors import ConfigError


def with_changes(recipe: Recipe, changes: Iterable[str]) -> Recipe:
    """The recipe with some of its options changed, one after the other.

    Args:
        recipe: stays as it is.
        changes: each "table.option=value", or "option=value" at the head of a recipe. A value is
            written as in TOML; a word needs no quotes. Relative paths start where the process is.

    Raises:
        ConfigError: one is not written like that, or the recipe has no such option, or none with
            such a value.
    """
    table = recipe.model_dump()
    for change in changes:
        name, equals, text = change.partition("=")
        if not (equals and name.strip() and text.strip() and text.isprintable()):
            raise ConfigError(f"--set {change}: write it as training.seed=2")
        _put(table, name.strip().split("."), _value(text.strip()), change)
    return absolute(parse(Recipe, table, where="--set"), Path.cwd())


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:  # a word without quotes
        return text


def _put(table: dict[str, Any], keys: list[str], value: Any, change: str) -> None:
    *outer, last = keys
    for key in outer:
        # A table that is unknown is left to the check, which knows the name that is meant.
        table = table.setdefault(key, {})
        if not isinstance(table, dict):
            raise ConfigError(f"--set {change}: {key} is no table")
    table[last] = value
