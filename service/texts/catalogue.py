"""The models that are served, and the ways from one language to another through them.

Knows names, language pairs and codes. Models that answer questions are kept apart from those that
translate: none of them is a way, and what they speak is no language of the server. Does not know
texts, or how a model is run.

A way is a model, or two where no model translates directly: the text goes through a third
language, which is said wherever an answer has a place for it. Each model may have a rescorer: the
model that translates back, and has a say in which of its hypotheses is taken.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from mt.bundle import BUNDLED_MODELS, DEFAULT_MODEL, MANIFEST, find_model, load_bundle
from mt.card import model_card
from mt.config import SearchConfig, Segmentation, Task
from mt.errors import ConfigError
from service.errors import Kind, ServiceError
from service.settings import Settings

log = logging.getLogger("mt.service")

ALIASES = {"pb": "pt-br", "zt": "zh-hant"}
"""Codes of LibreTranslate's own, and what they mean."""
PREFERRED_PIVOT = "en"
LONGEST_CODE = 35
"""Characters of a language code: all that a tag without extensions needs (RFC 5646, 4.4.1)."""


@dataclass(frozen=True)
class Model:
    """A model folder."""

    name: str
    """That of its folder."""
    folder: Path
    source: str
    target: str
    sha256: str
    """Of its weights, stored."""
    search: SearchConfig
    bleu: float | None
    """Of the validation text, by greedy search."""
    signature: str
    """SacreBLEU's, of that figure."""
    licence: str
    """Of the training text."""
    card: str
    """A page of Markdown for people."""
    task: Task = "translate"
    segmentation: Segmentation = "sentences"

    @property
    def pair(self) -> str:
        return f"{self.source}-{self.target}"


class Way(NamedTuple):
    """How to get from one language to another."""

    models: tuple[Model, ...]
    rescorers: tuple[Model, ...] = ()
    """Of each model; or none at all, and search alone decides."""

    @property
    def source(self) -> str:
        return self.models[0].source

    @property
    def target(self) -> str:
        return self.models[-1].target

    @property
    def pair(self) -> str:
        return f"{self.source}-{self.target}"

    @property
    def unsplit(self) -> bool:
        """Whether it begins with a model that takes texts as a whole."""
        return self.models[0].segmentation == "whole"

    @property
    def pivot(self) -> str | None:
        """The language in between, if there is one."""
        return self.models[0].target if len(self.models) > 1 else None


class Catalogue:
    """The models of a server, the default one first.

    Raises:
        ConfigError: there is none that translates, or two have one name.
    """

    def __init__(self, models: Sequence[Model]) -> None:
        self.models = tuple(model for model in models if model.task == "translate")
        """Those that translate."""
        self.answering = tuple(model for model in models if model.task == "answer")
        """Those that answer questions."""
        self.all = self.models + self.answering
        """Those that translate, and then the others."""
        if not self.models:
            raise ConfigError("there is no model to serve" + (" that translates" * bool(models)))
        if len({model.name for model in models}) < len(models):
            names = [model.name for model in models]
            twice = next(name for name in names if names.count(name) > 1)
            raise ConfigError(f"two models are named {twice!r}; serve one of them")
        # Later ones are written first, so that the default model wins.
        self._direct = {(model.source, model.target): model for model in reversed(self.models)}
        codes = [code for model in self.models for code in (model.source, model.target)]
        self.languages = tuple(dict.fromkeys(codes))
        """Codes of all languages; those of the default model first."""

    @property
    def default(self) -> Model:
        return self.models[0]

    def model(self, name: str) -> Model:
        """The model of a name that translates.

        Raises:
            ServiceError: NOT_FOUND.
        """
        return _named(name, self.models)

    def any_model(self, name: str) -> Model:
        """The model of a name, whatever it does.

        Raises:
            ServiceError: NOT_FOUND.
        """
        return _named(name, self.all)

    def answering_model(self, name: str | None) -> Model:
        """The model of a name that answers questions; the first one if there is no name.

        Raises:
            ServiceError: NOT_FOUND.
        """
        if name is None and self.answering:
            return self.answering[0]
        if (found := next((each for each in self.answering if each.name == name), None)) is None:
            names = ", ".join(model.name for model in self.answering) or "none"
            named = "" if name is None else f" named {shortened(name)!r}"
            message = f"no model{named} answers questions; there are {names}"
            raise ServiceError(Kind.NOT_FOUND, message, field="model")
        return found

    def language(self, code: str) -> str | None:
        """The language served that a code means, in any case and with or without a region."""
        code = code.strip().lower().replace("_", "-")
        if len(code) > LONGEST_CODE:  # a million hyphens would take minutes to peel off
            return None
        code = ALIASES.get(code, code)
        while code not in self.languages:
            code, hyphen, _ = code.rpartition("-")
            if not hyphen:
                return None
        return code

    def way(self, source: str, target: str) -> Way | None:
        """From one language to another, if there is a way."""
        if (model := self._direct.get((source, target))) is not None:
            return Way((model,))
        pivots = [pivot for pivot in self.languages if self._both(source, pivot, target)]
        pivots.sort(key=lambda pivot: pivot != PREFERRED_PIVOT)
        return Way(self._both(source, pivots[0], target)) if source != target and pivots else None

    def rescorer(self, model: Model) -> Model | None:
        """The model that can rescore what another writes: it translates back (Li and Jurafsky
        2016). One that answers questions, draws its translations or keeps a single hypothesis has
        none."""
        if model.task != "translate" or model.search.temperature or model.search.beam_size == 1:
            return None
        return self._direct.get((model.target, model.source))

    def rescored(self, way: Way) -> Way | None:
        """The same way with rescorers, if there is one for each of its models."""
        rescorers = [self.rescorer(model) for model in way.models]
        found = tuple(each for each in rescorers if each is not None)
        return way._replace(rescorers=found) if len(found) == len(rescorers) else None

    def why_not_rescored(self, way: Way) -> str:
        """What is to be told of a way that cannot be rescored."""
        lacking = next(each for each in way.models if not self.rescorer(each))
        if lacking.search.temperature:
            why = "it draws them"
        elif lacking.search.beam_size == 1:
            why = "its beam of 1 leaves nothing to choose"
        else:
            why = f"no model of this server translates {lacking.target} to {lacking.source}"
        return f"translations of model {lacking.name} cannot be rescored: {why}"

    def targets(self, source: str) -> list[str]:
        """The languages that texts in one are translated to."""
        return [target for target in self.languages if self.way(source, target)]

    def _both(self, source: str, pivot: str, target: str) -> tuple[Model, ...]:
        first, second = self._direct.get((source, pivot)), self._direct.get((pivot, target))
        return (first, second) if first and second else ()


def load_catalogue(settings: Settings) -> Catalogue:
    """Read and check all model folders that the settings name; takes a while.

    Raises:
        BundleError: a folder cannot be used.
        ConfigError: there is none that translates, two have one name, or the default is not among
            them.
    """
    models = [_read_model(folder) for folder in _folders(settings)]
    for model in models:
        if model.task == "continue":
            log.warning("model %s continues texts, which is not served: it is left out", model.name)
    default = settings.default_model or DEFAULT_MODEL
    translating = [model.name for model in models if model.task == "translate"]
    if settings.default_model and default not in translating:
        names = ", ".join(translating)
        raise ConfigError(f"MT_DEFAULT_MODEL: no model is named {default!r}; there are {names}")
    if not settings.model or settings.default_model:
        models.sort(key=lambda model: (model.name != default, model.name))
    return Catalogue(models)


def shortened(text: str, most: int = 40) -> str:
    """A text that is repeated in a message."""
    return text if len(text) <= most else text[:most] + "..."


def _named(name: str, models: Sequence[Model]) -> Model:
    if (found := next((model for model in models if model.name == name), None)) is None:
        names = ", ".join(model.name for model in models)
        message = f"no model is named {shortened(name)!r}; there are {names}"
        raise ServiceError(Kind.NOT_FOUND, message, field="model")
    return found


def _folders(settings: Settings) -> list[Path]:
    if settings.model:
        return [_named_folder(path) for path in settings.model]
    parent = settings.models or BUNDLED_MODELS
    if not parent.is_dir():
        raise ConfigError(f"MT_MODELS: {parent} is not a folder")
    if not (found := sorted(path.parent for path in parent.glob(f"*/{MANIFEST}"))):
        raise ConfigError(f"MT_MODELS: there is no model folder in {parent}")
    return found


def _named_folder(path: Path) -> Path:
    folder = find_model(path)
    if not folder.exists() and not {",", ";", " "}.isdisjoint(str(path)):
        raise ConfigError(
            f"{path} is not a model folder; in MT_MODEL several are separated by {os.pathsep!r}"
        )
    return folder


def _read_model(folder: Path) -> Model:
    bundle = load_bundle(folder)
    config, record = bundle.config, bundle.record
    return Model(
        name=folder.resolve().name,
        folder=folder,
        source=config.source_language,
        target=config.target_language,
        sha256=bundle.identity,
        search=config.search,
        bleu=record.get("bleu"),
        signature=str(record.get("signature", "")),
        licence=str(record.get("licence", "not stated")),
        card=model_card(bundle),
        task=config.task,
        segmentation=config.segmentation,
    )
