"""A recipe: the tables of a whole training run, and how a file of them is read.

A recipe is a TOML file with the tables [data] [tokenizer] [model] [training] [search], below what
the model is for and what it starts from. Knows what tables ask of each other. Does not know how an
option is carried out.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Self

from pydantic import model_validator

from mt.config.data import SIDES, DataConfig
from mt.config.model import ModelConfig
from mt.config.options import ModelName, TextFile, parse
from mt.config.purpose import Purpose, check_task
from mt.config.search import SearchConfig
from mt.config.tokenizer import TokenizerConfig
from mt.config.training import TrainingConfig
from mt.errors import ConfigError

_LANGUAGE_MODEL: dict[str, dict[str, Any]] = {
    "tokenizer": {"joint": True},
    "model": {"encoder_layers": 0, "context_size": 0},
}
"""What the tables of a recipe of task "continue" have where they do not say."""


class Recipe(Purpose):
    """A whole training run."""

    name: ModelName
    """Name of the model, for its card and for logs."""
    init_from: TextFile | None = None
    """Model folder to start from (fine-tuning): its weights, which [model] has to fit, but that it
    may do without their attention, and its tokenizers, so that [tokenizer] has no say. Relative to
    the recipe's own folder."""
    init_encoder: TextFile | None = None
    """Model folder to take the encoder and the source tokenizer from (Ramachandran et al. 2017),
    and the target tokenizer if `init_decoder` names no other; the rest starts anew."""
    init_decoder: TextFile | None = None
    """Model folder to take the decoder with its output layer and the target tokenizer from, and the
    source tokenizer if `init_encoder` names no other; the rest starts anew."""
    tokenizers_from: TextFile | None = None
    """Model folder to take the tokenizers from and nothing else, so that [tokenizer] has no say; a
    language model takes the target one, and can then take part in that model's search."""
    data: DataConfig
    tokenizer: TokenizerConfig = TokenizerConfig()
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()
    search: SearchConfig = SearchConfig()

    @property
    def initialised(self) -> bool:
        """Whether tokenizers come from other models, and perhaps weights."""
        starts = self.init_from, self.init_encoder, self.init_decoder, self.tokenizers_from
        return any(starts)

    @model_validator(mode="before")
    @classmethod
    def _one_sided(cls, recipe: Any) -> Any:
        """A language model's text stands for both sides, and whatever has two sides has one."""
        if not isinstance(recipe, dict) or recipe.get("task") != "continue":
            return recipe
        data = recipe.get("data")
        if not isinstance(data, dict):
            return recipe
        target = {name: value for name, value in data.items() if name in SIDES.values()}
        source = {name: target[other] for name, other in SIDES.items() if other in target}
        tables = {name: recipe.get(name, {}) for name in _LANGUAGE_MODEL}
        filled = {
            name: _LANGUAGE_MODEL[name] | table
            for name, table in tables.items()
            if isinstance(table, dict)
        }
        return recipe | filled | {"data": source | data}

    @model_validator(mode="after")
    def _sides_of_task(self) -> Self:
        check_task(self.task, self.model)
        if self.task != "continue":
            return self
        for name, other in SIDES.items():
            if getattr(self.data, name) != getattr(self.data, other):
                raise ValueError(
                    f"data.{name} is of no use: a language model reads no source, and learns from "
                    f"data.{other} alone"
                )
        useless = {
            "tokenizer.joint = false": not self.tokenizer.joint,
            "data.noise_drop": self.data.noise_drop,
            "data.noise_shuffle": self.data.noise_shuffle,
            "training.bag_of_words": self.training.bag_of_words,
            "init_encoder": self.init_encoder,
        }
        for name, given in useless.items():
            if given:
                raise ValueError(f"{name} has no meaning for a language model, which has one side")
        return self

    @model_validator(mode="after")
    def _one_beginning(self) -> Self:
        if self.init_from and (self.init_encoder or self.init_decoder):
            raise ValueError("init_from is a whole model: leave out init_encoder and init_decoder")
        if self.tokenizers_from and (self.init_from or self.init_encoder or self.init_decoder):
            raise ValueError("init_* bring tokenizers of their own: leave out tokenizers_from")
        return self


def load_recipe(path: Path, data_folder: Path | None = None) -> Recipe:
    """Read a TOML recipe.

    Args:
        path: the recipe.
        data_folder: where relative paths in [data] start; the recipe's own folder if None.

    Raises:
        ConfigError: the file is missing, not TOML, or has an unknown key or a value out of range.
    """
    try:
        with path.open("rb") as file:
            table = tomllib.load(file)
    except OSError as error:
        raise ConfigError(f"recipe {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"recipe {path} is not TOML: {error}") from error
    recipe = parse(Recipe, table, where=f"recipe {path}")
    own = path.parent.resolve()
    return absolute(recipe, own, own if data_folder is None else data_folder.resolve())


def absolute(recipe: Recipe, base: Path, data: Path | None = None) -> Recipe:
    """The recipe with relative paths from a folder, or from another for what is in [data]."""
    folders = {
        name: base / folder
        for name in ("init_from", "init_encoder", "init_decoder", "tokenizers_from")
        if (folder := getattr(recipe, name)) is not None
    }
    return recipe.model_copy(update={"data": _absolute(recipe.data, data or base), **folders})


def _absolute(data: DataConfig, base: Path) -> DataConfig:
    return data.model_copy(
        update={
            "train_source": tuple(base / path for path in data.train_source),
            "train_target": tuple(base / path for path in data.train_target),
            "valid_source": data.valid_source and base / data.valid_source,
            "valid_target": data.valid_target and base / data.valid_target,
            "exclude": data.exclude and tuple(base / path for path in data.exclude),
            "prepared": data.prepared and base / data.prepared,
        }
    )
