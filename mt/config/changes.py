"""Single options of a recipe changed, as on a command line: "training.seed=2".

Knows how a change is written. Does not know the options, nor where recipes come from.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mt.config.data import SIDES
from mt.config.options import parse
from mt.config.recipe import Recipe, absolute
from mt.errors import ConfigError


def with_options(recipe: Recipe, options: Mapping[str, Any], where: str = "options") -> Recipe:
    """The recipe with some of its options changed, one after the other.

    Args:
        recipe: stays as it is.
        options: value by name, "table.option", or "option" at the head of a recipe. Relative paths
            start where the process is.
        where: what to call the options in an error.

    Raises:
        ConfigError: the recipe has no such option, or none with such a value.
    """
    table = recipe.model_dump()
    if recipe.task == "continue":  # what mirrors the target side is not the recipe's own
        table["data"] = {name: value for name, value in table["data"].items() if name not in SIDES}
    for name, value in options.items():
        _put(table, name, value, where)
    return absolute(parse(Recipe, table, where), Path.cwd())


def read_changes(texts: Iterable[str], where: str = "options") -> dict[str, Any]:
    """Values of options by name, each of them written as in "training.seed=2".

    A value is written as in TOML; a word needs no quotes. Of two for one option the last counts.

    Raises:
        ConfigError: one is not written like that.
    """
    options = {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not (equals and name and value and value.isprintable()):
            raise ConfigError(f"{where} {text}: write it as training.seed=2")
        options[name] = _value(value)
    return options


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:  # a word without quotes
        return text


def _put(table: dict[str, Any], name: str, value: Any, where: str) -> None:
    *outer, last = name.split(".")
    for key in outer:
        # A table that is unknown is left to the check, which knows the name that is meant.
        table = table.setdefault(key, {})
        if not isinstance(table, dict):
            raise ConfigError(f"{where}: {key} is no table")
    if isinstance(table.get(last), dict):
        raise ConfigError(f"{where}: {name} is a table: name one of its options")
    table[last] = value
