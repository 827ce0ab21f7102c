"""What a run starts from, if not from chance: a model, the halves of two, or a vocabulary.

Knows model folders and which of their parts a new model takes. Does not know what it is then
trained on. An encoder brings the source tokenizer it has learned, a decoder the target one; what
comes from neither, such as the bridge between halves that never met, starts anew.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Protocol

from mt.bundle import Bundle, load_bundle
from mt.config import DataConfig, ModelConfig, Recipe
from mt.errors import BundleError, ConfigError
from mt.model import Model, make_model
from mt.parameters import Part, load_model, load_part, without_attention
from mt.tokenizer import TokenizerPair

_SHAPELESS: dict[Part, tuple[str, ...]] = {
    "encoder": ("reverse_source", "residual", "output_tanh"),
    "decoder": ("reverse_target", "residual", "output_tanh"),
}
"""Options of [model] that change what a part computes, and no shape of its parameters."""


class Initial(Protocol):
    """Where training begins."""

    @property
    def tokenizers(self) -> TokenizerPair: ...

    @property
    def identity(self) -> str:
        """Which weights they are, by their hashes; empty where none are taken."""
        ...

    def model(self, config: ModelConfig) -> Model:
        """A model of this configuration with those weights.

        Raises:
            BundleError: they do not fit it.
        """
        ...


class Whole:
    """All weights of a model folder: fine-tuning.

    A model without attention may start from one with it, its teacher perhaps: from all but that.
    """

    def __init__(self, folder: Path, data: DataConfig) -> None:
        """Read the folder.

        Raises:
            BundleError: it cannot be used.
            ConfigError: its tokenizers are of other languages.
        """
        self._bundle = load_bundle(folder)
        for side in ("source", "target"):
            _check_language(f"init_from {folder}", self._bundle, side, data)
        self.tokenizers, self.identity = self._bundle.tokenizers, self._bundle.identity

    def model(self, config: ModelConfig) -> Model:
        """As `Initial.model`."""
        bundle = self._bundle
        if config.attention == "none" and bundle.config.model.attention != "none":
            bundle = without_attention(bundle)
        for part in _SHAPELESS:
            _check_alike("init_from", part, bundle, config)
        return load_model(
            replace(bundle, config=bundle.config.model_copy(update={"model": config}))
        )


class Halves:
    """An encoder and a decoder of other models, or one of the two (Ramachandran et al. 2017)."""

    def __init__(self, folders: dict[Part, Path], data: DataConfig, *, joint: bool) -> None:
        """Read the folders.

        Raises:
            BundleError: one cannot be used.
            ConfigError: its tokenizer is of another language, or the two are not joint.
        """
        self._folders = folders
        self._bundles = {part: load_bundle(folder) for part, folder in folders.items()}
        # A side that no half brings is taken from the one there is.
        encoder, decoder = (
            part if part in folders else next(iter(folders)) for part in ("encoder", "decoder")
        )
        for part, side in ((encoder, "source"), (decoder, "target")):
            _check_language(f"init_{part} {folders[part]}", self._bundles[part], side, data)
        source = self._bundles[encoder].tokenizers.source
        target = self._bundles[decoder].tokenizers.target
        if joint and source.content != target.content:
            raise ConfigError(
                f"tokenizer.joint: {folders[encoder]} and {folders[decoder]} have not the same "
                "tokenizer"
            )
        self.tokenizers = TokenizerPair(source, target)
        self.identity = ", ".join(f"{p} of {b.identity}" for p, b in self._bundles.items())

    def model(self, config: ModelConfig) -> Model:
        """As `Initial.model`; what no half brings is drawn by torch's own generator."""
        model = make_model(config, *map(len, self.tokenizers))
        for part, bundle in self._bundles.items():
            _check_alike(f"init_{part}", part, bundle, config)
            try:
                load_part(model, bundle, part)
            except BundleError as error:
                raise BundleError(f"init_{part} {self._folders[part]}: {error}") from error
        return model


class Vocabulary:
    """The tokenizers of a model folder; all weights start anew."""

    identity = ""

    def __init__(self, recipe: Recipe, folder: Path) -> None:
        """Read the folder; a language model takes the target side for both.

        Raises:
            BundleError: it cannot be used.
            ConfigError: its tokenizers are of other languages, or not joint where they have to be.
        """
        bundle = load_bundle(folder)
        source, target = bundle.tokenizers
        _check_language(f"tokenizers_from {folder}", bundle, "target", recipe.data)
        if recipe.task == "continue":
            source = target
        else:
            _check_language(f"tokenizers_from {folder}", bundle, "source", recipe.data)
        if recipe.tokenizer.joint and source.content != target.content:
            raise ConfigError(f"tokenizer.joint: {folder} has two tokenizers")
        self.tokenizers = TokenizerPair(source, target)

    def model(self, config: ModelConfig) -> Model:
        """As `Initial.model`."""
        return make_model(config, *map(len, self.tokenizers))


def initial(recipe: Recipe) -> Initial | None:
    """What the recipe says to start from; None is chance.

    Raises:
        BundleError: a folder cannot be used.
        ConfigError: its tokenizers do not suit the recipe.
    """
    if recipe.init_from is not None:
        return Whole(recipe.init_from, recipe.data)
    if recipe.tokenizers_from is not None:
        return Vocabulary(recipe, recipe.tokenizers_from)
    given: dict[Part, Path | None] = {
        "encoder": recipe.init_encoder,
        "decoder": recipe.init_decoder,
    }
    folders = {part: folder for part, folder in given.items() if folder is not None}
    return Halves(folders, recipe.data, joint=recipe.tokenizer.joint) if folders else None


def _check_language(option: str, bundle: Bundle, side: str, data: DataConfig) -> None:
    """Refuse a tokenizer of another language, which would spell text letter by letter."""
    name = f"{side}_language"
    found, wanted = getattr(bundle.config, name), getattr(data, name)
    if found != wanted:
        raise ConfigError(
            f"{option}: its {side} tokenizer is of {found!r}, and data.{name} is {wanted!r}"
        )


def _check_alike(option: str, part: Part, bundle: Bundle, config: ModelConfig) -> None:
    """Refuse a half that has learned to compute something else with weights of the same shapes."""
    for name in _SHAPELESS[part]:
        wanted = getattr(config, name)
        if getattr(bundle.config.model, name) != wanted:
            raise BundleError(
                f"{option}: {bundle.config.name} has not model.{name} = {str(wanted).lower()}, "
                "as the recipe"
            )
