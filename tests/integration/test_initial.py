"""Runs that start from halves of other models."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mt.bundle import find_model, load_bundle, save_bundle
from mt.config import load_recipe
from mt.errors import BundleError, ConfigError, TrainingError
from mt.parameters import half_precision
from mt.training import Trainer, open_run
from mt.training.initial import Halves
from mt.translator import Translator
from support.bundles import save_tiny_bundle, tiny_bundle
from support.commands import assert_mistake, call
from support.recipes import write_recipe

SHORT = {"training__updates": 2, "training__validate_every": 2}
SCORES = {"bleu": 1.0, "signature": "scripted"}


@pytest.fixture(autouse=True)
def _thread_count() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def opened(recipe: Path, output: Path, *, resume: bool = False, **options: Any) -> Trainer:
    loaded = load_recipe(recipe).model_copy(update=options)
    return open_run(loaded, output, lambda tokenizers, text: lambda model: SCORES, resume=resume)


def autoencoder(folder: Path, language: str, **changes: Any) -> Path:
    """A denoising autoencoder of one side of the tiny task; returns its model folder."""
    sides = {f"{side}_language": language for side in ("source", "target")}
    sides |= {f"train_{side}": [f"train.{language}"] for side in ("source", "target")}
    sides |= {f"valid_{side}": f"valid.{language}" for side in ("source", "target")}
    noise = {"data__noise_drop": 0.1, "data__noise_shuffle": 3}
    data = {f"data__{name}": value for name, value in sides.items()}
    recipe = write_recipe(folder, **SHORT, **noise, **data, **changes)
    done = call("train", recipe, "--output", folder / "model")
    assert done.returncode == 0, done.stderr
    return folder / "model"


@pytest.fixture(scope="module")
def german(tmp_path_factory) -> Path:
    return autoencoder(tmp_path_factory.mktemp("german"), "de")


@pytest.fixture(scope="module")
def english(tmp_path_factory) -> Path:
    return autoencoder(tmp_path_factory.mktemp("english"), "en")


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    return write_recipe(tmp_path / "recipe", **SHORT)


def test_each_half_comes_with_its_weights_and_its_tokenizer(german, english, recipe, tmp_path):
    trainer = opened(recipe, tmp_path / "model", init_encoder=german, init_decoder=english)
    first, second = load_bundle(german), load_bundle(english)
    started = half_precision(trainer.model)
    for name, array in started.items():
        origin = first if name.startswith("encoder.") else second
        if not name.startswith("bridge."):
            assert (array == origin.weights[name]).all(), name
    assert any(name.startswith("bridge.") for name in started)
    assert (
        started["bridge.context.weight"].tolist()
        != second.weights["bridge.context.weight"].tolist()
    )

    trainer.run()
    made = load_bundle(tmp_path / "model")
    assert made.tokenizers.source.content == first.tokenizers.source.content
    assert made.tokenizers.target.content == second.tokenizers.target.content
    found = f"encoder of {first.identity}, decoder of {second.identity}"
    assert made.record["fine_tuned_from"] == found


def test_a_run_from_halves_resumes_without_them(german, english, recipe, tmp_path):
    halves = {"init_encoder": german, "init_decoder": english}
    trainer = opened(recipe, tmp_path / "model", **halves)
    trainer.run(lambda: True)
    weights = [p.detach().clone() for p in trainer.model.parameters()]
    resumed = opened(recipe, tmp_path / "model", resume=True)
    assert resumed.progress.update == 1
    assert all(map(torch.equal, weights, resumed.model.parameters()))


def test_a_run_resumes_with_what_it_started_from_or_without_but_not_with_another(
    german, english, recipe, tmp_path
):
    opened(recipe, tmp_path / "chance").run()
    save_tiny_bundle(tmp_path / "other")
    halves = {"init_encoder": german, "init_decoder": english}
    opened(recipe, tmp_path / "model", **halves).run(lambda: True)
    assert opened(recipe, tmp_path / "model", resume=True, **halves).progress.update == 1
    with pytest.raises(TrainingError, match="was begun from chance and not from encoder of"):
        opened(recipe, tmp_path / "chance", resume=True, **halves)
    with pytest.raises(TrainingError, match=r"begun from encoder of .* and not from \w+: name"):
        opened(recipe, tmp_path / "model", resume=True, init_from=tmp_path / "chance")
    with pytest.raises(TrainingError, match="was begun with other tokenizers"):
        opened(recipe, tmp_path / "chance", resume=True, tokenizers_from=tmp_path / "other")
    with pytest.raises(BundleError, match="nowhere"):
        opened(recipe, tmp_path / "model", resume=True, init_from=tmp_path / "nowhere")


def test_a_run_without_a_checkpoint_yet_goes_on_from_the_same_weights_alone(
    german, english, recipe, tmp_path
):
    halves = {"init_encoder": german, "init_decoder": english}
    opened(recipe, tmp_path / "model", **halves)
    with pytest.raises(TrainingError, match=r"begun from encoder of \w+, .* and not from chance"):
        opened(recipe, tmp_path / "model", resume=True)
    assert opened(recipe, tmp_path / "model", resume=True, **halves).progress.update == 0


def test_a_whole_model_brings_two_tokenizers_whatever_the_recipe_says_of_one(recipe, tmp_path):
    opened(recipe, tmp_path / "first").run()
    joint = load_recipe(recipe).tokenizer.model_copy(update={"joint": True})
    opened(recipe, tmp_path / "tuned", init_from=tmp_path / "first", tokenizer=joint).run()
    first, tuned = (load_bundle(tmp_path / name) for name in ("first", "tuned"))
    assert tuned.tokenizers.target.content == first.tokenizers.target.content
    assert tuned.tokenizers.source.content == first.tokenizers.source.content


def test_one_half_of_a_model_of_both_languages_brings_both_tokenizers(recipe, tmp_path):
    opened(recipe, tmp_path / "teacher").run()
    teacher = load_bundle(tmp_path / "teacher")
    trainer = opened(recipe, tmp_path / "student", init_encoder=tmp_path / "teacher")
    started = half_precision(trainer.model)
    assert (
        started["encoder.embedding.weight"] == teacher.weights["encoder.embedding.weight"]
    ).all()
    assert (started["output_bias"] == 0).all()
    trainer.run()
    made = load_bundle(tmp_path / "student")
    assert made.tokenizers.target.content == teacher.tokenizers.target.content


def language_recipe(folder: Path, **changes: Any) -> Path:
    """Of a language model of the tiny task's English."""
    english = {f"data__{side}_language": "en" for side in ("source", "target")}
    files = {"data__train_source": ["train.en"], "data__valid_source": "valid.en"}
    model = {"model__encoder_layers": 0, "model__context_size": 0, "tokenizer__joint": True}
    recipe = write_recipe(folder, **SHORT, **english, **files, **model, **changes)
    recipe.write_text('task = "continue"\n' + recipe.read_text(encoding="utf-8"), encoding="utf-8")
    return recipe


def test_a_language_model_takes_the_target_tokenizer_of_another_model(recipe, tmp_path):
    opened(recipe, tmp_path / "translator").run()
    translator = load_bundle(tmp_path / "translator")
    made = language_recipe(tmp_path / "language")
    folder = tmp_path / "translator"
    done = call("train", made, "--tokenizers-from", folder, "--output", tmp_path / "model")
    assert done.returncode == 0, done.stderr

    found = load_bundle(tmp_path / "model")
    assert found.tokenizers.target.content == translator.tokenizers.target.content
    assert found.config.joint_vocabulary
    assert "fine_tuned_from" not in found.record
    fused = Translator.load(folder).with_language_model(tmp_path / "model", 0.2)
    assert fused.translate(["zwei Hunde und drei Katzen"])
    done = call(
        "train", made, "--tokenizers-from", folder, "--output", tmp_path / "model", "--resume"
    )
    assert done.returncode == 0, done.stderr


def test_tokenizers_of_other_languages_or_beside_halves_are_refused(german, recipe, tmp_path):
    made = language_recipe(tmp_path / "language")
    with pytest.raises(ConfigError, match=r"its target tokenizer is of 'de', and .* is 'en'"):
        opened(made, tmp_path / "model", tokenizers_from=german)
    folders = ("--tokenizers-from", german, "--init-encoder", german)
    result = call("train", recipe, *folders, "--output", tmp_path / "model")
    assert_mistake(result, "leave out tokenizers_from")


@pytest.mark.parametrize("half", ["init_encoder", "init_decoder"])
def test_a_tokenizer_of_another_language_is_refused(german, english, recipe, tmp_path, half):
    folder = {"init_encoder": english, "init_decoder": german}[half]
    with pytest.raises(ConfigError, match=rf"^{half} \S+: its \w+ tokenizer is of '\w+', and data"):
        opened(recipe, tmp_path / "model", **{half: folder})
    # Nor does an encoder of German text alone know how English is spelt.
    with pytest.raises(ConfigError, match="its target tokenizer is of 'de'"):
        opened(recipe, tmp_path / "model", init_encoder=german)
    assert not (tmp_path / "model").exists()


def test_halves_with_two_tokenizers_make_no_joint_one(german, english, tmp_path):
    recipe = write_recipe(tmp_path / "recipe", **SHORT, tokenizer__joint=True)
    with pytest.raises(ConfigError, match=r"^tokenizer\.joint: .* not the same tokenizer$"):
        opened(recipe, tmp_path / "model", init_encoder=german, init_decoder=english)


def test_a_half_of_another_size_is_refused_by_folder_and_parameter(english, tmp_path, german):
    recipe = write_recipe(tmp_path / "recipe", **SHORT, model__decoder_hidden_size=48)
    with pytest.raises(BundleError) as caught:
        opened(recipe, tmp_path / "model", init_encoder=german, init_decoder=english)
    assert str(caught.value).startswith(f"init_decoder {english}: the weights do not fit")
    assert "decoder.layers.0" in str(caught.value)


def test_a_half_that_computes_something_else_with_the_same_shapes_is_refused(
    german, english, tmp_path
):
    recipe = write_recipe(tmp_path / "recipe", **SHORT, model__reverse_target=True)
    with pytest.raises(BundleError, match=r"^init_decoder: .* not model\.reverse_target = true"):
        opened(recipe, tmp_path / "model", init_encoder=german, init_decoder=english)


@pytest.mark.parametrize("half", ["encoder", "decoder"])
@pytest.mark.parametrize("option", ["residual", "output_tanh"])
def test_a_half_goes_on_with_the_layers_it_has_learned(recipe, tmp_path, half, option):
    # Layers that are no fused ones in any case: their weights fit with and without the option.
    bundle = tiny_bundle(encoder_layers=3, decoder_layers=2, peepholes=True)
    save_bundle(tmp_path / "model", bundle, "")
    start = Halves({half: tmp_path / "model"}, load_recipe(recipe).data, joint=False)
    config = bundle.config.model
    other = config.model_copy(update={option: not getattr(config, option)})
    start.model(config)
    with pytest.raises(BundleError, match=rf"^init_{half}: .* has not model\.{option} = "):
        start.model(other)


def test_a_whole_model_of_other_languages_or_another_order_is_refused(german, recipe, tmp_path):
    with pytest.raises(ConfigError, match=r"^init_from \S+: its target tokenizer is of 'de', and"):
        opened(recipe, tmp_path / "model", init_from=german)
    one_way = {"model__bidirectional": False, "model__encoder_hidden_size": 16}
    forward = write_recipe(tmp_path / "forward", **SHORT, **one_way)
    opened(forward, tmp_path / "first").run()
    backward = write_recipe(tmp_path / "backward", **SHORT, **one_way, model__reverse_source=True)
    with pytest.raises(BundleError, match=r"^init_from: .* has not model\.reverse_source = true"):
        opened(backward, tmp_path / "model", init_from=tmp_path / "first")


def test_a_student_goes_on_from_its_teacher_without_the_attention(recipe, tmp_path):
    attending = write_recipe(tmp_path / "attending", **SHORT, model__attention="general")
    opened(attending, tmp_path / "teacher").run()
    teacher = load_bundle(tmp_path / "teacher")
    student = opened(recipe, tmp_path / "student", init_from=tmp_path / "teacher")
    student.run()
    bundle = load_bundle(tmp_path / "student")
    assert bundle.config.model.attention == "none"
    assert bundle.record["fine_tuned_from"] == teacher.identity
    for its, ours in zip(teacher.tokenizers, bundle.tokenizers, strict=True):
        assert its.content == ours.content
    with pytest.raises(BundleError, match=r"decoder\.attention\.W_a has shape none"):
        opened(attending, tmp_path / "taught", init_from=tmp_path / "student")


def test_a_half_that_is_not_all_numbers_is_refused(german, english, recipe, tmp_path):
    bundle = load_bundle(german)
    weights = {name: array.copy() for name, array in bundle.weights.items()}
    weights["encoder.embedding.weight"][3] = np.nan
    save_bundle(tmp_path / "nan", replace(bundle, weights=weights), "")
    with pytest.raises(BundleError, match=r"encoder\.embedding\.weight holds a number that is not"):
        opened(recipe, tmp_path / "model", init_encoder=tmp_path / "nan", init_decoder=english)


def test_the_command_takes_halves_and_refuses_a_whole_beside_them(
    german, english, recipe, tmp_path
):
    halves = ("--init-encoder", german, "--init-decoder", english)
    whole = call("train", recipe, "--output", tmp_path / "x", *halves, "--init-from", german)
    assert_mistake(whole, "init_from is a whole model")
    done = call("train", recipe, "--output", tmp_path / "model", *halves)
    assert done.returncode == 0, done.stderr
    assert "decoder of" in load_bundle(tmp_path / "model").record["fine_tuned_from"]


def test_a_bundled_model_is_found_by_its_name(recipe, tmp_path):
    done = call("train", recipe, "--tokenizers-from", "de-en", "--output", tmp_path / "model")
    assert done.returncode == 0, done.stderr
    bundled, made = (load_bundle(path) for path in (find_model("de-en"), tmp_path / "model"))
    assert made.tokenizers.target.content == bundled.tokenizers.target.content
