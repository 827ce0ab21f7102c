import dataclasses
import gzip
from pathlib import Path

import pytest

from mt.bundle import save_bundle
from mt.config import SearchConfig
from mt.errors import ConfigError
from mt.training.defaults import FEWEST_UPDATES, MOST_UPDATES, default_recipe
from support.bundles import save_tiny_bundle, tiny_bundle, tiny_language_bundle


def write(folder: Path, name: str, lines: list[str]) -> Path:
    path = folder / name
    content = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return path


def test_languages_come_from_the_names_of_the_files(tmp_path):
    files = write(tmp_path, "train.de", ["ein Hund"]), write(tmp_path, "train.en.gz", ["a dog"])
    recipe = default_recipe(*files)
    assert (recipe.data.source_language, recipe.data.target_language) == ("de", "en")
    assert recipe.name == "de-en"
    assert recipe.data.train_source == (files[0],)
    assert recipe.data.valid_source is None


@pytest.mark.parametrize("suffix", ["txt", "src", "bpe"])
def test_a_name_without_a_language_is_refused_unless_one_is_given(tmp_path, suffix):
    files = write(tmp_path, f"train.{suffix}", ["ein Hund"]), write(tmp_path, "train.en", ["a dog"])
    with pytest.raises(ConfigError, match=rf"train\.{suffix}.*--source-language"):
        default_recipe(*files)
    assert default_recipe(*files, source_language="de").data.source_language == "de"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (10, FEWEST_UPDATES),
        # 10,000 lines of (10 words * 1.3 + 1) pieces in batches of 2,048, 30 times
        (10_000, round(30 * 140_000 / 2048)),
        (300_000, MOST_UPDATES),
    ],
)
def test_the_run_is_as_long_as_the_text_asks_for(tmp_path, lines, expected):
    text = [" ".join(["wort"] * 10)] * lines
    recipe = default_recipe(write(tmp_path, "a.de", text), write(tmp_path, "a.en", text))
    assert recipe.training.updates == expected
    assert recipe.training.validate_every == expected // 20


def test_the_vocabulary_fits_the_smaller_side(tmp_path):
    few = write(tmp_path, "a.de", ["ab ab ba"] * 50)  # 2 characters, 2 words: 2 + 1 + 4 < 16
    many = write(tmp_path, "a.en", [f"{number:b}" for number in range(50)])
    assert default_recipe(few, many).tokenizer.vocabulary_size == 16


IDEOGRAPHS = [chr(0x4E00 + number) for number in range(900)]


def test_the_vocabulary_holds_all_characters_of_the_richer_side(tmp_path):
    latin = write(tmp_path, "a.en", ["a dog"] * 90)
    ideographs = write(
        tmp_path, "a.zh", ["".join(IDEOGRAPHS[n : n + 10]) for n in range(0, 900, 10)]
    )
    assert default_recipe(latin, ideographs).tokenizer.vocabulary_size == 908


def test_the_run_is_as_long_as_a_text_without_spaces_asks_for(tmp_path):
    line = "".join(IDEOGRAPHS[:20])  # 10 pieces and the end
    text = write(tmp_path, "a.zh", [line] * 10_000)
    recipe = default_recipe(write(tmp_path, "a.en", ["a dog"] * 10_000), text)
    assert recipe.training.updates == round(30 * 110_000 / recipe.training.batch_tokens)


def test_fine_tuning_goes_on_with_what_the_model_is_for(tmp_path):
    config = tiny_bundle().config.model_copy(update={"task": "answer", "segmentation": "whole"})
    bundle = dataclasses.replace(tiny_bundle(), config=config)
    save_bundle(tmp_path / "model", bundle, "")
    files = write(tmp_path, "a.txt", ["wer?"]), write(tmp_path, "b.txt", ["Tom"])
    recipe = default_recipe(*files, init_from=tmp_path / "model")
    assert (recipe.task, recipe.segmentation) == ("answer", "whole")


def test_two_files_have_nothing_to_teach_a_language_model(tmp_path):
    folder = tmp_path / "words"
    save_bundle(folder, tiny_language_bundle(), "")
    files = write(tmp_path, "a.en", ["a dog"]), write(tmp_path, "b.en", ["a dog"])
    with pytest.raises(ConfigError, match=rf"^--init-from {folder}: .* of task \"continue\""):
        default_recipe(*files, init_from=folder)


def test_fine_tuning_takes_shape_and_languages_from_the_model(tmp_path):
    folder = save_tiny_bundle(tmp_path / "model")
    files = write(tmp_path, "a.txt", ["ein Hund"]), write(tmp_path, "b.txt", ["a dog"])
    recipe = default_recipe(*files, init_from=folder)
    assert recipe.model == tiny_bundle().config.model
    assert (recipe.data.source_language, recipe.data.target_language) == ("de", "en")
    assert recipe.init_from == folder
    assert recipe.search == tiny_bundle().config.search


def test_a_model_of_two_files_copies_digits(tmp_path):
    files = write(tmp_path, "a.de", ["ein Hund"]), write(tmp_path, "b.en", ["a dog"])
    assert default_recipe(*files).search == SearchConfig(copy_digits=True)
