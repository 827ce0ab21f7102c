"""Decoding options of the command line: what is given becomes what the translator does."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from mt.bundle import save_bundle
from mt.card import model_card
from mt.config import SearchConfig
from mt.errors import ConfigError
from scripts import options
from support.bundles import save_tiny_bundle, tiny_bundle


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_bundle(tmp_path_factory.mktemp("model"))


def test_what_is_given_replaces_the_models_own(model: Path) -> None:
    given = {"beam_size": 2, "temperature": 0.5, "top_k": 3, "min_length": None}
    translator = options.load_translator(model, None, **given)
    assert translator.search_config == SearchConfig(beam_size=2, temperature=0.5, top_k=3)


@pytest.mark.parametrize("truecase", [True, False])
def test_a_flag_that_is_turned_off_takes_the_place_of_the_models_own_too(
    model: Path, truecase: bool
) -> None:
    translator = options.load_translator(model, None, truecase=truecase)
    assert translator.search_config.truecase is truecase


def test_several_folders_are_an_ensemble(model: Path) -> None:
    assert options.load_translator([model, model], None).engine.startswith("ensemble of ")
    assert options.load_translator([model], None).engine == "int8"
    assert options.load_translator([], None).name == options.load_translator(None, None).name


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"temperature": -1.0}, "options: temperature: Input should be greater than or equal to 0"),
        ({"top_k": 5, "temperature": 0.0}, "options: top_k = 5 needs a temperature above 0"),
        (
            {"rerank": {"reverse_weight": 1.0}},
            "options: --reverse-weight needs --rescore-reverse",
        ),
        (
            {"rerank": {"mbr_weights": "model"}},
            "options: --mbr-weights needs --mbr or --mbr-beam",
        ),
        ({"fusion": {"fusion_weight": 0.1}}, "options: --fusion-weight needs --language-model"),
    ],
)
def test_what_is_not_allowed_is_told_before_a_model_is_loaded(
    given: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        options.load_translator(Path("nowhere"), None, **given)
    assert str(caught.value).startswith(message)


def test_what_does_not_go_with_the_models_own_options_is_told(tmp_path: Path) -> None:
    bundle = tiny_bundle()
    drawing = SearchConfig(temperature=1.0, top_k=5)
    config = bundle.config.model_copy(update={"search": drawing})
    save_bundle(tmp_path, dataclasses.replace(bundle, config=config), model_card(bundle))
    assert options.load_translator(tmp_path, None).search_config == drawing
    assert options.load_translator(tmp_path, None, top_k=3).search_config.top_k == 3
    with pytest.raises(ConfigError, match=r"^options: top_k = 5 needs a temperature above 0"):
        options.load_translator(tmp_path, None, temperature=0.0)
    with pytest.raises(ConfigError, match=r"^options: top_k = 3 needs a temperature above 0"):
        options.load_translator(save_tiny_bundle(tmp_path / "searching"), None, top_k=3)


def test_every_decoding_option_is_a_field_and_documented_by_it() -> None:
    names = {
        "BeamSize": "beam_size",
        "LengthPenalty": "length_penalty",
        "MaxLengthRatio": "max_length_ratio",
        "MaxLengthExtra": "max_length_extra",
        "MinLengthRatio": "min_length_ratio",
        "MinLength": "min_length",
        "NoRepeatNgramSize": "no_repeat_ngram_size",
        "Temperature": "temperature",
        "TopK": "top_k",
        "Seed": "seed",
    }
    for name, field in names.items():
        (option,) = getattr(options, name).__metadata__
        description = " ".join(str(SearchConfig.model_fields[field].description).split())
        assert option.help == f"{description}  [default: the model's own]"
