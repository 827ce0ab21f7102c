"""A model with attention, by the programs: trained, described, put to use, trained further."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mt.translator import Translator
from support.commands import assert_mistake, call
from support.recipes import pairs, write_recipe


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("attention")
    recipe = write_recipe(folder, model__attention="general", training__precision="bf16")
    return train(recipe, folder / "model")


def train(recipe: Path, output: Path, *options: str) -> Path:
    result = call("train", recipe, "--output", output, *options)
    assert result.returncode == 0, result.stderr.decode()
    return output


def test_it_learns_the_task_and_both_engines_translate_alike(model: Path) -> None:
    texts = [source for source, _ in pairs()[::16]]
    quick, exact = (
        [translation.text for translation in Translator.load(model, engine=engine).translate(texts)]
        for engine in ("int8", "fp32")
    )
    assert quick == exact
    expected = [target for _, target in pairs()[::16]]
    assert sum(a == b for a, b in zip(quick, expected, strict=True)) > len(expected) / 2


def test_a_translation_has_the_same_score_to_the_last_bit_in_any_company(model: Path) -> None:
    translator = Translator.load(model, engine="int8")
    texts = [
        "zwei Hunde und drei Katzen",
        "vier Pferde",
        "drei Vögel und fünf Hunde und zwei Hunde und vier Katzen",
    ]
    together = translator.translate(texts)
    assert together == [translator.translate([text])[0] for text in texts]


def test_the_model_says_that_it_has_attention(model: Path) -> None:
    described = json.loads(call("info", model, "--json").stdout)
    assert described["model"]["attention"] == "general"
    assert described["parameters"]["decoder.attention"] == 64 * 64
    assert "| Attention | general (Luong et al. 2015): the output looks back" in described["card"]


def test_it_is_trained_further_but_not_from_a_model_without_attention(
    model: Path, tmp_path: Path
) -> None:
    short = {"training__updates": 2, "training__validate_every": 2}
    recipe = write_recipe(tmp_path / "further", model__attention="general", **short)
    train(recipe, tmp_path / "longer", "--init-from", str(model))
    plain = train(write_recipe(tmp_path / "plain", **short), tmp_path / "without")
    result = call("train", recipe, "--output", tmp_path / "refused", "--init-from", plain)
    assert_mistake(result, "decoder.attention.W_a has shape none, expected (64, 64)")
    assert not (tmp_path / "refused").exists()


def test_a_run_is_not_continued_without_its_attention(model: Path, tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path, training__precision="bf16")
    result = call("train", recipe, "--output", model, "--resume")
    assert_mistake(result, "begun with model.attention = 'general', the recipe now says 'none'")


def test_a_score_that_does_not_exist_is_refused_with_those_that_do(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path, model__attention="multi-head")
    result = call("train", recipe, "--output", tmp_path / "model")
    assert_mistake(result, "model.attention", "'none', 'dot', 'general' or 'additive'")
