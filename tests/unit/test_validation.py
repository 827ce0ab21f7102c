"""The validator of a run: on how many lines of a text, and on which."""

import pytest

from mt.config import DataConfig, Recipe, SearchConfig, TrainingConfig
from mt.errors import ConfigError
from mt.model import make_model
from mt.validation import make_validator
from support.bundles import SOURCES, TARGETS, tiny_bundle


def recipe_of(bundle, **changes):
    data = {"source_language": "de", "target_language": "en"}
    data |= {"train_source": ["a.de"], "train_target": ["a.en"]}
    return Recipe(
        name="tiny",
        data=DataConfig.model_validate(data),
        model=bundle.config.model,
        training=TrainingConfig(validate_sentences=3),
        **changes,
    )


@pytest.mark.parametrize(
    "search", [SearchConfig(shortlist=5), SearchConfig(temperature=1.0, top_k=5, beam_size=2)]
)
def test_it_is_greedy_over_all_pieces_whatever_the_recipe_searches_by(search):
    bundle = tiny_bundle()
    model = make_model(bundle.config.model, *map(len, bundle.tokenizers)).eval()
    text = list(SOURCES), list(TARGETS)
    found, expected = (
        make_validator(recipe, bundle.tokenizers, text)(model)
        for recipe in (recipe_of(bundle, search=search), recipe_of(bundle))
    )
    assert found == expected


def test_a_line_too_long_for_a_model_that_takes_it_whole_is_named_before_the_first_update():
    bundle = tiny_bundle()
    recipe = recipe_of(bundle, segmentation="whole", search=SearchConfig(max_source_pieces=20))
    text = ["Hund", "Hund " * 30], ["dog", "dog"]
    with pytest.raises(ConfigError, match=r"begins 'Hund Hund .*too long: .*search\.max_source"):
        make_validator(recipe, bundle.tokenizers, text, 2)


def test_lines_that_are_not_validated_may_be_of_any_length():
    bundle = tiny_bundle()
    recipe = recipe_of(bundle, segmentation="whole", search=SearchConfig(max_source_pieces=20))
    text = ["Hund", "Hund " * 30], ["dog", "dog"]
    assert make_validator(recipe, bundle.tokenizers, text, 1).sources == ["Hund"]


def test_lines_in_capitals_are_measured_as_the_model_reads_them():
    bundle = tiny_bundle()
    line = "guten morgen, wie geht es dir?"
    encode = bundle.tokenizers.source.encode
    as_read, as_written = map(len, encode([line, line.upper()]))
    assert as_read + 5 < as_written  # else this test shows nothing
    search = SearchConfig(max_source_pieces=as_read + 5)
    recipe = recipe_of(bundle, segmentation="whole", search=search)
    make_validator(recipe, bundle.tokenizers, ([line.upper()], ["hello"]), 1)


@pytest.mark.parametrize(("count", "used"), [(None, 3), (5, 5), (10_000, len(SOURCES))])
def test_it_scores_as_many_lines_as_the_run_or_its_caller_says(count, used):
    bundle = tiny_bundle()
    recipe = recipe_of(bundle)
    model = make_model(recipe.model, *map(len, bundle.tokenizers)).eval()
    validator = make_validator(recipe, bundle.tokenizers, (list(SOURCES), list(TARGETS)), count)
    assert validator.sources == [SOURCES[n * len(SOURCES) // used] for n in range(used)]
    assert validator(model)["sentences"] == used
