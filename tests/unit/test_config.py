"""Options and recipes: what is accepted, and in which words the rest is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from mt.config import (
    DataConfig,
    ModelConfig,
    Options,
    Purpose,
    Recipe,
    SearchConfig,
    TokenizerConfig,
    TrainingConfig,
    load_recipe,
    parse,
)
from mt.errors import ConfigError

RECIPES = sorted((Path(__file__).parents[2] / "scripts" / "recipes").glob("*.toml"))

RECIPE = """\
name = "small"
[data]
source_language = "de"
target_language = "en"
train_source = ["train.de.xz", "more.de"]
train_target = ["train.en.xz", "more.en"]
valid_source = "valid.de"
valid_target = "valid.en"
"""

TABLES = [DataConfig, TokenizerConfig, ModelConfig, TrainingConfig, SearchConfig]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "small.toml"


def refusal(path: Path, content: str | bytes) -> str:
    """The one line with which a recipe is refused, without the part that names the file."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigError) as caught:
        load_recipe(path)
    message = str(caught.value)
    assert message.splitlines() == [message]
    assert message.startswith(f"recipe {path}")
    return message.removeprefix(f"recipe {path}").removeprefix(": ")


def test_a_recipe_needs_only_a_name_and_data(path):
    path.write_text(RECIPE)
    recipe = load_recipe(path)
    assert recipe.name == "small"
    assert recipe.data.max_pieces == 100
    assert (recipe.model, recipe.search) == (ModelConfig(), SearchConfig())


def test_values_of_every_table_are_read(path):
    path.write_text(
        RECIPE + "max_pieces = 7\n[tokenizer]\njoint = true\n[model]\nforget_bias = -1\n"
        "[training]\nlearning_rate = 1e-4\n[search]\nbeam_size = 3\n"
    )
    recipe = load_recipe(path)
    assert recipe.data.max_pieces == 7
    assert recipe.tokenizer.joint is True
    assert recipe.model.forget_bias == -1
    assert recipe.training.learning_rate == 0.0001
    assert recipe.search.beam_size == 3


def test_relative_paths_start_at_the_folder_of_the_recipe(path, monkeypatch):
    path.write_text(RECIPE)
    monkeypatch.chdir(path.parent)
    data = load_recipe(Path(path.name)).data
    assert data.train_source == (path.parent / "train.de.xz", path.parent / "more.de")
    assert data.train_target == (path.parent / "train.en.xz", path.parent / "more.en")
    assert data.valid_source == path.parent / "valid.de"
    assert data.valid_target == path.parent / "valid.en"


def test_relative_paths_start_at_the_data_folder_if_one_is_given(path, tmp_path):
    path.write_text(RECIPE)
    data = load_recipe(path, tmp_path / "corpora").data
    assert data.train_source[0] == tmp_path / "corpora" / "train.de.xz"
    assert data.valid_target == tmp_path / "corpora" / "valid.en"


def test_an_absolute_path_stays(path, tmp_path):
    path.write_text(RECIPE.replace('"valid.de"', '"/elsewhere/valid.de"'))
    assert load_recipe(path, tmp_path / "corpora").data.valid_source == Path("/elsewhere/valid.de")


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_the_recipes_that_come_along_load(tmp_path, path):
    recipe = load_recipe(path, tmp_path)
    assert recipe.name == path.stem
    assert all(tmp_path in file.parents for file in recipe.data.train_target)


@pytest.mark.parametrize("table", TABLES)
def test_every_field_is_documented(table):
    for name, field in table.model_fields.items():
        assert field.description, name
        assert field.description.strip().endswith("."), name


def test_every_field_is_documented_in_one_place_per_table():
    starts = {"init_from", "init_encoder", "init_decoder", "tokenizers_from"}
    plain = {"name", *starts, *Purpose.model_fields}
    tables = [field.annotation for name, field in Recipe.model_fields.items() if name not in plain]
    assert tables == [*TABLES]


@pytest.mark.parametrize("table", TABLES[1:])
def test_defaults_lie_within_their_own_ranges(table):
    assert parse(table, table().model_dump(), where="defaults") == table()


def test_options_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        SearchConfig().beam_size = 3


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("[training]\nupdats = 1", "unknown key training.updats; did you mean updates?"),
        ("[search]\nbeam = 1", "unknown key search.beam; did you mean beam_size?"),
        ("[trainning]\nupdates = 1", "unknown key trainning; did you mean training?"),
        ("licens = 'CC0'", "unknown key data.licens; did you mean licence?"),
        (
            "[tokenizer]\nqqq = 1",
            "unknown key tokenizer.qqq; known are character_coverage, joint, kind, "
            "normalization, split_digits, training_pairs, vocabulary_size",
        ),
        ('[search]\n"a\\nbeam_size" = 1', "unknown key search.'a\\nbeam_size'; did you mean "),
    ],
)
def test_an_unknown_key_is_told_with_the_nearest_known_one(path, line, message):
    assert refusal(path, RECIPE + line).startswith(message)


def test_a_misspelt_key_is_told_before_the_key_it_leaves_missing(path):
    misspelt = RECIPE.replace("valid_source", "valid_sourc")
    assert refusal(path, misspelt) == "unknown key data.valid_sourc; did you mean valid_source?"


def test_validation_text_has_both_sides_or_none(path):
    wanted = "data: valid_source and valid_target go together"
    assert refusal(path, RECIPE.replace('valid_target = "valid.en"\n', "")) == wanted


def test_the_model_to_start_from_lies_beside_the_recipe(path):
    path.write_text('init_from = "base"\n' + RECIPE)
    assert load_recipe(path).init_from == path.parent / "base"
    path.write_text(RECIPE)
    assert load_recipe(path).init_from is None


@pytest.mark.parametrize(
    ("left_out", "field"),
    [('name = "small"\n', "name"), ('target_language = "en"\n', "data.target_language")],
)
def test_a_missing_key_is_named(path, left_out, field):
    assert refusal(path, RECIPE.replace(left_out, "")) == f"{field} is required"


@pytest.mark.parametrize(
    ("line", "field", "found"),
    [
        ("max_pieces = 1", "data.max_pieces", "1"),
        ("max_length_ratio = 1.0", "data.max_length_ratio", "1.0"),
        ("[tokenizer]\ncharacter_coverage = 1.5", "tokenizer.character_coverage", "1.5"),
        ("[tokenizer]\nkind = 'word'", "tokenizer.kind", "'word'"),
        ("[model]\nlayer_dropout = 1", "model.layer_dropout", "1"),
        ("[model]\ncontext_size = -1", "model.context_size", "-1"),
        ("[training]\nseed = 2147483648", "training.seed", "2147483648"),
        ("[training]\nclip_norm = inf", "training.clip_norm", "inf"),
        ("[training]\nlearning_rate = nan", "training.learning_rate", "nan"),
        ("[search]\nbeam_size = 65", "search.beam_size", "65"),
        ("[search]\nlength_penalty = -0.1", "search.length_penalty", "-0.1"),
        ("[search]\ntemperature = -1.0", "search.temperature", "-1.0"),
        ("[search]\nno_repeat_ngram_size = -1", "search.no_repeat_ngram_size", "-1"),
    ],
)
def test_a_value_out_of_range_is_told_with_its_field(path, line, field, found):
    message = refusal(path, RECIPE + line)
    assert message.startswith(f"{field}: Input should be ")
    assert message.endswith(f"(found {found})")


@pytest.mark.parametrize(
    ("line", "field", "found"),
    [
        ("[training]\nupdates = 'many'", "training.updates", "'many'"),
        ("[training]\nupdates = '5'", "training.updates", "'5'"),
        ("[training]\nupdates = true", "training.updates", "True"),
        ("[training]\nupdates = 5.0", "training.updates", "5.0"),
        ("[training]\nlearning_rate = [1]", "training.learning_rate", "[1]"),
        ("[tokenizer]\njoint = 'no'", "tokenizer.joint", "'no'"),
        ("[model]\nbidirectional = 1", "model.bidirectional", "1"),
        ("licence = 3", "data.licence", "3"),
    ],
)
def test_a_value_of_another_type_is_told_and_not_converted(path, line, field, found):
    message = refusal(path, RECIPE + line)
    assert message.startswith(f"{field}: Input should be ")
    assert message.endswith(f"(found {found})")


@pytest.mark.parametrize(
    ("before", "after", "field"),
    [
        ('"valid.de"', "3", "data.valid_source"),
        ('["train.de.xz", "more.de"]', '"train.de.xz"', "data.train_source"),
        ('["train.de.xz", "more.de"]', "[]", "data.train_source"),
        ('"de"', '"deutsch"', "data.source_language"),
        ('"small"', '"a/b"', "name"),
        ('"small"', '"small\\n"', "name"),
    ],
)
def test_a_bad_value_of_a_required_key_is_told_with_its_field(path, before, after, field):
    assert refusal(path, RECIPE.replace(before, after)).startswith(f"{field}: ")


def test_a_whole_number_passes_for_a_fraction(path):
    path.write_text(RECIPE + "[search]\nlength_penalty = 1\n")
    assert load_recipe(path).search.length_penalty == 1.0


def test_training_files_pair_up(path):
    message = refusal(path, RECIPE.replace(', "more.en"', ""))
    assert message == "data: train_source names 2 files and train_target 1: they pair up in order"


def test_a_run_has_one_beginning(path):
    message = refusal(path, 'init_from = "a"\ninit_decoder = "b"\n' + RECIPE)
    assert message == "init_from is a whole model: leave out init_encoder and init_decoder"
    path.write_text('init_encoder = "a"\ninit_decoder = "/b"\n' + RECIPE)
    recipe = load_recipe(path)
    assert (recipe.init_encoder, recipe.init_decoder) == (path.parent / "a", Path("/b"))


def test_every_training_file_is_repeated_or_none(path):
    message = refusal(path, RECIPE + "repeat = [2]\n")
    assert message == "data: repeat has 1 numbers and train_source 2 files: they pair up in order"
    assert refusal(path, RECIPE + "repeat = [2, 0]\n").startswith("data.repeat.1: Input should be")


def test_files_to_exclude_are_found_where_the_others_are(path, tmp_path):
    path.write_text(RECIPE + 'exclude = ["test.de", "/elsewhere/test.en"]\n')
    expected = (tmp_path / "data" / "test.de", Path("/elsewhere/test.en"))
    assert load_recipe(path, tmp_path / "data").data.exclude == expected


def test_a_bidirectional_encoder_does_not_reverse_its_source(path):
    message = refusal(path, RECIPE + "[model]\nreverse_source = true\n")
    assert message == "model: reverse_source needs bidirectional = false"

    assert ModelConfig(reverse_source=True, bidirectional=False).reverse_source


def test_without_deep_output_the_decoder_is_as_wide_as_the_embeddings(path):
    message = refusal(path, RECIPE + "[model]\ndeep_output = false\n")
    assert message == (
        "model: deep_output = false without attention needs a decoder as wide as the embeddings "
        "(found 512 and 256)"
    )
    assert not ModelConfig(deep_output=False, embedding_size=512).deep_output
    assert not ModelConfig(deep_output=False, attention="general").deep_output  # is mapped to it


def test_residual_connections_have_to_matter(path):
    message = refusal(path, RECIPE + "[model]\nresidual = true\ndecoder_layers = 1\n")
    assert message == "model: residual needs 3 encoder layers or 2 decoder layers (found 2 and 1)"

    assert ModelConfig(residual=True, encoder_layers=3, decoder_layers=1).residual
    assert ModelConfig(residual=True, decoder_layers=1, attention="dot").residual  # looks back


def test_top_k_needs_something_to_be_drawn(path):
    message = refusal(path, RECIPE + "[search]\ntop_k = 5\n")
    assert message == "search: top_k = 5 needs a temperature above 0: a beam search draws nothing"
    assert SearchConfig(top_k=5, temperature=0.5).top_k == 5


def test_a_copying_bridge_needs_equal_layers_and_widths():
    fitting = {"bridge": "copy", "encoder_hidden_size": 4, "decoder_hidden_size": 8}
    assert ModelConfig(**fitting).bridge == "copy"
    with pytest.raises(ConfigError, match=r"encoder has 2 layers of 4, the decoder 2 of 8$"):
        parse(ModelConfig, fitting | {"bidirectional": False}, where="model")
    with pytest.raises(ConfigError, match=r"encoder has 3 layers of 8, the decoder 2 of 8$"):
        parse(ModelConfig, fitting | {"encoder_layers": 3}, where="model")


def test_a_linear_bridge_needs_neither():
    different = {"encoder_hidden_size": 3, "decoder_hidden_size": 8, "encoder_layers": 1}
    assert ModelConfig(bridge="linear", **different).decoder_layers == 2


@pytest.mark.parametrize(
    "content", ["updates", RECIPE + "[data]\n", "name = [", b'name = "\xff"', b"\x00"]
)
def test_what_is_not_toml_is_told(path, content):
    assert refusal(path, content).startswith(" is not TOML: ")


def test_a_missing_recipe_is_told(path):
    with pytest.raises(ConfigError) as caught:
        load_recipe(path)
    assert str(caught.value) == f"recipe {path}: No such file or directory"


def test_a_folder_is_no_recipe(tmp_path):
    with pytest.raises(ConfigError) as caught:
        load_recipe(tmp_path)
    assert str(caught.value) == f"recipe {tmp_path}: Is a directory"


@pytest.mark.parametrize("table", [3, "x", None, []])
def test_what_is_not_a_table_is_refused(table):
    with pytest.raises(ConfigError, match=r"^options: .+"):
        parse(Options, table, where="options")
