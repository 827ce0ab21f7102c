"""Decoding options of the command line: what is given becomes what the translator does."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
import typer
from typer.testing import CliRunner

from mt.bundle import save_bundle
from mt.card import model_card
from mt.config import FusionConfig, RerankConfig, SearchConfig
from mt.errors import ConfigError
from scripts.console import program
from scripts.loading import load_translator
from scripts.options import Decoding, decoding_options
from support.bundles import save_tiny_bundle, tiny_bundle

SEARCH = {
    "beam_size": 2,
    "length_penalty": 0.5,
    "max_length_ratio": 3.0,
    "max_length_extra": 4,
    "min_length_ratio": 0.25,
    "min_length": 5,
    "no_repeat_ngram_size": 6,
    "shortlist": 7,
    "temperature": 0.75,
    "top_k": 8,
    "seed": 9,
    "truecase": False,
    "copy_digits": True,
    "keep_verbatim": False,
}
RERANK = {
    "--mbr": ("mbr_samples", 10),
    "--mbr-beam": ("mbr_beam", True),
    "--mbr-utility": ("mbr_utility", "bleu"),
    "--mbr-weights": ("mbr_weights", "model"),
    "--mbr-temperature": ("mbr_temperature", 1.5),
    "--rescore-reverse": ("reverse_model", Path("a")),
    "--rescore-right-to-left": ("right_to_left_model", Path("b")),
    "--rescore-language-model": ("language_model", Path("c")),
    "--reverse-weight": ("reverse_weight", 0.0),
    "--right-to-left-weight": ("right_to_left_weight", 2.5),
    "--language-weight": ("language_weight", 3.5),
    "--length-weight": ("length_weight", -4.5),
}
FUSION = {"--language-model": ("fusion_model", Path("d")), "--fusion-weight": ("fusion_weight", 5)}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_bundle(tmp_path_factory.mktemp("model"))


def heard(*line: str, fields: tuple[str, ...] = ()) -> Decoding:
    """What a program with these options makes of a command line."""
    decodings: list[Decoding] = []
    app = program("A program that listens.")

    @app.command()
    @decoding_options(*fields)
    def listen(*, decoding: Decoding) -> None:
        decodings.append(decoding)

    result = CliRunner().invoke(app, line)
    assert result.exit_code == 0, result.output
    return decodings[0]


def option(name: str, value: object) -> list[str]:
    named = f"--{name.replace('_', '-')}"
    if isinstance(value, bool):
        return [named if value else f"--no-{named.removeprefix('--')}"]
    return [named, str(value)]


# From the command line


def test_every_option_arrives_under_the_name_of_its_field() -> None:
    search = [word for name, value in SEARCH.items() for word in option(name, value)]
    others = [
        word
        for name, (_, value) in (RERANK | FUSION).items()
        for word in ([name] if value is True else [name, str(value)])
    ]
    found = heard(*search, *others, "--engine", "int8", "--threads", "3")
    assert found == Decoding("int8", 3, SEARCH, dict(RERANK.values()), dict(FUSION.values()))
    of_the_model = {"max_source_pieces", "batch_rows", "batch_tokens"}
    assert set(found.search) == set(SearchConfig.model_fields) - of_the_model
    assert set(found.rerank) == set(RerankConfig.model_fields)
    assert set(found.fusion) == set(FusionConfig.model_fields)


def test_what_is_not_given_is_not_there() -> None:
    assert heard() == Decoding()


def test_a_program_offers_what_it_names() -> None:
    assert heard("--beam-size", "3", fields=("beam_size",)) == Decoding(search={"beam_size": 3})
    with pytest.raises(AssertionError, match="No such option"):
        heard("--top-k", "3", fields=("beam_size",))


@pytest.mark.parametrize(
    ("table", "name", "default"),
    [
        (SearchConfig, "no_repeat_ngram_size", "the model's own"),
        (RerankConfig, "mbr_temperature", "1.0"),
        (FusionConfig, "fusion_weight", "0.1"),
    ],
)
def test_an_option_is_documented_by_its_field(
    table: type[SearchConfig | RerankConfig | FusionConfig], name: str, default: str
) -> None:
    app = program("A program that listens.")

    @app.command()
    @decoding_options(name)
    def listen(*, decoding: Decoding) -> None:
        pass

    (shown,) = (each for each in typer.main.get_command(app).params if each.name == name)
    description = " ".join(str(table.model_fields[name].description).split())
    assert shown.help.startswith(description.split("`")[0])
    assert shown.help.endswith(f"  [default: {default}]")


def test_folders_are_found_from_any_folder(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(model.parent)
    given = Decoding(rerank={"reverse_model": Path(model.name), "reverse_weight": 0.5})
    assert given.from_any_folder().rerank == {"reverse_model": model, "reverse_weight": 0.5}
    bundled = Decoding(fusion={"fusion_model": Path("de-en")})
    assert bundled.from_any_folder() == bundled


# To the translator


def test_what_is_given_replaces_the_models_own(model: Path) -> None:
    translator = load_translator([model], Decoding(search={**SEARCH, "shortlist": 0}))
    assert translator.search_config == SearchConfig(**{**SEARCH, "shortlist": 0})


@pytest.mark.parametrize("truecase", [True, False])
def test_a_flag_that_is_turned_off_takes_the_place_of_the_models_own_too(
    model: Path, truecase: bool
) -> None:
    translator = load_translator([model], Decoding(search={"truecase": truecase}))
    assert translator.search_config.truecase is truecase


def test_the_engine_computes_with_as_many_threads_as_asked_for(model: Path) -> None:
    before = torch.get_num_threads()
    try:
        translator = load_translator([model], Decoding("fp32", threads=2))
        assert translator.engine == "fp32"
        assert translator.environment["threads"] == 2
    finally:
        torch.set_num_threads(before)  # of the whole process


def test_several_folders_are_an_ensemble(model: Path) -> None:
    assert load_translator([model, model], Decoding()).engine.startswith("ensemble of ")
    assert load_translator([model], Decoding()).engine == "int8"
    assert load_translator([], Decoding()).name == "de-en"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            Decoding(search={"temperature": -1.0}),
            "options: temperature: Input should be greater than or equal to 0",
        ),
        (
            Decoding(search={"top_k": 5, "temperature": 0.0}),
            "options: top_k = 5 needs a temperature above 0",
        ),
        (
            Decoding(rerank={"reverse_weight": 1.0}),
            "options: --reverse-weight needs --rescore-reverse",
        ),
        (
            Decoding(rerank={"mbr_weights": "model"}),
            "options: --mbr-weights needs --mbr or --mbr-beam",
        ),
        (
            Decoding(fusion={"fusion_weight": 0.1}),
            "options: --fusion-weight needs --language-model",
        ),
    ],
)
def test_what_is_not_allowed_is_told_before_a_model_is_loaded(
    given: Decoding, message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_translator([Path("nowhere")], given)
    assert str(caught.value).startswith(message)


def test_what_does_not_go_with_the_models_own_options_is_told(tmp_path: Path) -> None:
    bundle = tiny_bundle()
    drawing = SearchConfig(temperature=1.0, top_k=5)
    config = bundle.config.model_copy(update={"search": drawing})
    save_bundle(tmp_path, dataclasses.replace(bundle, config=config), model_card(bundle))

    def load(folder: Path, **search: Any) -> SearchConfig:
        return load_translator([folder], Decoding(search=search)).search_config

    assert load(tmp_path) == drawing
    assert load(tmp_path, top_k=3).top_k == 3
    with pytest.raises(ConfigError, match=r"^options: top_k = 5 needs a temperature above 0"):
        load(tmp_path, temperature=0.0)
    with pytest.raises(ConfigError, match=r"^options: top_k = 3 needs a temperature above 0"):
        load(save_tiny_bundle(tmp_path / "searching"), top_k=3)
