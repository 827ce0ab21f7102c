"""Recipes and folders of language models: text of one side, and nothing that needs another."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from mt.bundle import BundleConfig
from mt.config import ModelConfig, Recipe, parse
from mt.errors import ConfigError
from support.bundles import tiny_bundle, tiny_language_bundle

DATA = {"target_language": "en", "train_target": ["a.en", "b.en"], "valid_target": "v.en"}


def recipe(data=None, **tables):
    table = {"name": "words", "task": "continue", "data": {**DATA, **(data or {})}, **tables}
    return parse(Recipe, table, where="recipe")


def test_text_of_one_side_stands_for_both_and_there_is_no_encoder():
    made = recipe(model={"decoder_layers": 1})
    assert made.data.source_language == "en"
    assert made.data.train_source == made.data.train_target == (Path("a.en"), Path("b.en"))
    assert made.data.valid_source == Path("v.en")
    assert made.tokenizer.joint
    assert (made.model.encoder_layers, made.model.context_size) == (0, 0)
    assert made.model.decoder_layers == 1
    assert parse(Recipe, made.model_dump(), where="again") == made
    assert recipe(data={"repeat": [1, 2]}).data.valid_source == Path("v.en")


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"data": {"train_source": ["a.de", "b.de"]}}, "data.train_source is of no use"),
        ({"data": {"valid_source": "v.de"}}, "data.valid_source is of no use"),
        ({"data": {"source_language": "de"}}, "learns from data.target_language alone"),
        ({"data": {"noise_drop": 0.1}}, "data.noise_drop has no meaning"),
        ({"data": {"noise_shuffle": 2}}, "data.noise_shuffle has no meaning"),
        ({"tokenizer": {"joint": False}}, "tokenizer.joint = false has no meaning"),
        ({"training": {"bag_of_words": 0.5}}, "training.bag_of_words has no meaning"),
        ({"init_encoder": "there"}, "init_encoder has no meaning"),
        ({"model": {"encoder_layers": 2}}, "go together"),
        ({"model": {"context_size": 8}}, "needs context_size = 0 .found 8."),
        ({"model": {"attention": "dot"}}, "needs attention = none .found dot."),
        ({"model": {"reverse_target": True}}, "needs reverse_target = false .found true."),
        ({"data": {"train_target": []}}, "data.train_"),
        ({"data": "a.en"}, "data: "),
        ({"model": 3}, "model: "),
        ({"model": {"decoder_size": 3}}, "unknown key model.decoder_size"),
    ],
)
def test_what_needs_another_side_is_refused_in_one_line(tables, message):
    if not isinstance(tables.get("data"), str):
        tables = {**tables, "data": {**DATA, **tables.get("data", {})}}
    with pytest.raises(ConfigError, match=message) as refused:
        parse(Recipe, {"name": "words", "task": "continue", **tables}, where="recipe")
    assert "\n" not in str(refused.value)


def test_a_translator_needs_an_encoder_and_both_sides():
    sides = {**DATA, "source_language": "de", "train_source": ["a.de", "b.de"]}
    table = {"name": "words", "data": {**sides, "valid_source": "v.de"}}
    assert parse(Recipe, table, where="recipe").model.encoder_layers == 2
    without = {"encoder_layers": 0, "context_size": 0}
    with pytest.raises(ConfigError, match=r"both say .* language model .found 'translate' and 0."):
        parse(Recipe, {**table, "model": without}, where="recipe")
    with pytest.raises(ConfigError, match=r"data\.(source_language|train_source) is required"):
        parse(Recipe, {"name": "words", "data": DATA}, where="recipe")


def test_a_folder_whose_task_and_shape_differ_is_refused():
    config = tiny_bundle().config.model_dump()
    with pytest.raises(ValidationError, match="both say that it is a language model"):
        BundleConfig.model_validate({**config, "task": "continue"})
    config = tiny_language_bundle().config.model_dump()
    del config["task"]
    with pytest.raises(ValidationError, match="both say that it is a language model"):
        BundleConfig.model_validate(config)


def test_a_model_without_an_encoder_takes_no_other_option_of_one():
    with pytest.raises(ValidationError, match=r"needs bridge = linear .found copy."):
        ModelConfig(encoder_layers=0, context_size=0, bridge="copy")
