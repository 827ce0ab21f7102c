"""Single options of a recipe changed, as on a command line."""

from pathlib import Path

import pytest

from mt.config import DataConfig, Recipe, read_changes, with_options
from mt.errors import ConfigError

RECIPE = Recipe(
    name="small",
    data=DataConfig(
        source_language="de",
        target_language="en",
        train_source=("/data/train.de",),
        train_target=("/data/train.en",),
    ),
)


def with_changes(recipe, texts):
    return with_options(recipe, read_changes(texts, "--set"), "--set")


@pytest.mark.parametrize(
    ("change", "table", "option", "value"),
    [
        ("training.seed=2", "training", "seed", 2),
        ("training.learning_rate=1e-3", "training", "learning_rate", 0.001),
        ("model.bidirectional=false", "model", "bidirectional", False),
        ("model.attention=general", "model", "attention", "general"),
        ('model.attention="general"', "model", "attention", "general"),
        (" model.context_size = 0 ", "model", "context_size", 0),
        ("data.repeat=[3]", "data", "repeat", (3,)),
        ("data.licence=a = b", "data", "licence", "a = b"),
        ("data.valid_source=/v.de", "data", "valid_source", Path("/v.de")),
    ],
)
def test_one_option_is_changed_and_nothing_else(change, table, option, value):
    changes = [change] if "valid" not in change else [change, "data.valid_target=/v.en"]
    changed = with_changes(RECIPE, changes)
    assert getattr(getattr(changed, table), option) == value
    others = {"data", "tokenizer", "model", "training", "search"} - {table}
    assert all(getattr(changed, name) == getattr(RECIPE, name) for name in others)


def test_the_head_of_a_recipe_can_be_changed():
    assert with_changes(RECIPE, ["name=other"]).name == "other"


def test_of_two_changes_of_one_option_the_last_counts():
    changed = with_changes(RECIPE, ["training.seed=2", "training.seed=3"])
    assert changed.training.seed == 3


def test_options_without_a_line_of_text_are_taken_as_they_are():
    changed = with_options(RECIPE, {"data.prepared": Path("/there"), "training.seed": 2})
    assert (changed.data.prepared, changed.training.seed) == (Path("/there"), 2)
    with pytest.raises(ConfigError, match=r"^options: unknown key training\.sed"):
        with_options(RECIPE, {"training.sed": 2})


def test_the_text_of_a_language_model_is_changed_on_the_side_it_has():
    data = {"target_language": "en", "train_target": ["/data/train.en"]}
    recipe = Recipe.model_validate({"name": "words", "task": "continue", "data": data})
    changed = with_changes(recipe, ['data.train_target=["/data/more.en"]'])
    assert changed.data.train_target == changed.data.train_source == (Path("/data/more.en"),)
    with pytest.raises(ConfigError, match=r"^--set: data\.train_source is of no use"):
        with_changes(recipe, ['data.train_source=["/data/train.de"]'])


def test_no_change_is_the_same_recipe():
    assert with_changes(RECIPE, []) == RECIPE


def test_relative_paths_start_where_the_process_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    changed = with_changes(RECIPE, ['data.exclude=["test.de"]', "tokenizers_from=other"])
    assert changed.data.exclude == (tmp_path / "test.de",)
    assert changed.data.train_source == RECIPE.data.train_source
    assert changed.tokenizers_from == tmp_path / "other"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("training.seed", "write it as training.seed=2"),
        ("training.seed=", "write it as training.seed=2"),
        ("=2", "write it as training.seed=2"),
        ("training.seed=2\nname=x", "write it as training.seed=2"),
        ("training.sed=2", "unknown key training.sed; did you mean seed?"),
        ("trainin.seed=2", "unknown key trainin; did you mean training?"),
        ("name.seed=2", "name is no table"),
        ("training.seed=two", "training.seed"),
        ("training.seed=-1", "greater than or equal to 0 (found -1)"),
        ("training=2", "training is a table: name one of its options"),
        ("training={seed = 2}", "training is a table: name one of its options"),
        ("model.reverse_source=true", "reverse_source"),
    ],
)
def test_a_change_that_cannot_be_is_told_with_its_name(change, words):
    with pytest.raises(ConfigError, match=r"^--set") as refused:
        with_changes(RECIPE, [change])
    assert words in str(refused.value)
