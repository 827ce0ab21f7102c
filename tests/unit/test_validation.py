"""The validator of a run: on how many lines of a text, and on which."""

import pytest

from mt.config import DataConfig, Recipe, TrainingConfig
from mt.model import make_model
from mt.validation import make_validator
from support.bundles import SOURCES, TARGETS, tiny_bundle


@pytest.mark.parametrize(("count", "used"), [(None, 3), (5, 5), (10_000, len(SOURCES))])
def test_it_scores_as_many_lines_as_the_run_or_its_caller_says(count, used):
    bundle = tiny_bundle()
    data = {"source_language": "de", "target_language": "en"}
    data |= {"train_source": ["a.de"], "train_target": ["a.en"]}
    recipe = Recipe(
        name="tiny",
        data=DataConfig.model_validate(data),
        model=bundle.config.model,
        training=TrainingConfig(validate_sentences=3),
    )
    model = make_model(recipe.model, *map(len, bundle.tokenizers)).eval()
    validator = make_validator(recipe, bundle.tokenizers, (list(SOURCES), list(TARGETS)), count)
    assert validator.sources == [SOURCES[n * len(SOURCES) // used] for n in range(used)]
    assert validator(model)["sentences"] == used
