"""mt-translate, mt-evaluate and mt-tune with minimum Bayes risk and rescoring, as a user runs them.

A right-to-left model is trained on the spot; the others have random weights.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from mt import Translator
from mt.bundle import Bundle, load_bundle, save_bundle
from mt.card import model_card
from mt.config import FusionConfig, RerankConfig, SearchConfig
from mt.language_model import LanguageModel
from mt.reranking import Fluency, Reranker
from mt.scoring import TRIALS
from mt.tokenizer import TokenizerPair
from support.bundles import SOURCES, TARGETS, tiny_bundle, tiny_language_bundle
from support.commands import assert_mistake, call, run
from support.recipes import pairs, write_lines, write_recipe


@pytest.fixture(autouse=True)
def _fewer_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test here is about p-values, which take seconds."""
    monkeypatch.setitem(TRIALS, "randomization", 10)


def store(folder: Path, bundle: Bundle) -> Path:
    save_bundle(folder, bundle, model_card(bundle))
    return folder


def turned(bundle: Bundle) -> Bundle:
    """The same weights as a model from English to German."""
    source, target = bundle.tokenizers
    config = bundle.config.model_copy(update={"source_language": "en", "target_language": "de"})
    return dataclasses.replace(bundle, config=config, tokenizers=TokenizerPair(target, source))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reranking")
    store(folder / "model", tiny_bundle())
    store(folder / "other", tiny_bundle(context_size=7))
    store(folder / "reverse", turned(tiny_bundle()))
    store(folder / "backward", tiny_bundle(reverse_target=True))
    store(folder / "language", tiny_language_bundle())
    write_lines(folder / "text.de", [*SOURCES, "", "---"])
    write_lines(folder / "text.en", [*TARGETS, "no", "---"])
    return folder


def translated(folder: Path, *arguments: str | Path) -> list[str]:
    output = folder / "out.en"
    result = call("translate", "--input", "text.de", "--output", output, *arguments, folder=folder)
    assert result.returncode == 0, result.stderr
    return output.read_text(encoding="utf-8").split("\n")[:-1]


def expected(translator: Translator, reranker: Reranker) -> list[str]:
    found = translator.with_reranker(reranker).translate([*SOURCES, "", "---"])
    return [translation.text for translation in found]


def test_a_right_to_left_model_is_trained_and_writes_text_in_order(tmp_path: Path) -> None:
    recipe = write_recipe(
        tmp_path / "text",
        model__reverse_target=True,
        training__updates=150,
        training__validate_every=150,
    )
    result = call("train", recipe, "--output", tmp_path / "model")

    assert result.returncode == 0, result.stderr
    assert load_bundle(tmp_path / "model").record["bleu"] > 50  # the validator reads it in order
    translator = Translator.load(tmp_path / "model")
    assert translator.right_to_left
    shown = pairs()[:40]
    found = translator.translate([source for source, _ in shown])
    # So short a run may miss a word.
    assert sum(each.text == target for each, (_, target) in zip(found, shown, strict=True)) > 30
    sources, targets = zip(*shown, strict=True)
    mean = sum(pair.log_probability for pair in translator.score(sources, targets)) / len(shown)
    backward = [" ".join(reversed(target.split())) for target in targets]
    wrong = sum(pair.log_probability for pair in translator.score(sources, backward)) / len(shown)
    assert mean > wrong + 10


def test_the_choice_of_the_command_is_that_of_the_library(folder: Path) -> None:
    plain = Translator.load(folder / "model")
    reverse, backward = Translator.load(folder / "reverse"), Translator.load(folder / "backward")
    model = ("--model", folder / "model")
    mbr = RerankConfig(mbr_samples=6, mbr_beam=True, mbr_utility="bleu", mbr_temperature=0.5)
    chosen = translated(
        folder, *model, "--mbr", "6", "--mbr-beam", "--mbr-utility", "bleu",
        "--mbr-temperature", "0.5",
    )  # fmt: skip
    assert chosen == expected(plain, Reranker(mbr))

    config = RerankConfig.model_validate(
        {
            "reverse_model": "reverse",
            "right_to_left_model": "backward",
            "reverse_weight": 0.7,
            "right_to_left_weight": 0.4,
            "language_model": "language",
            "language_weight": 0.6,
            "length_weight": 0.1,
        }
    )
    rescored = translated(
        folder, *model, "--rescore-reverse", "reverse", "--rescore-right-to-left", "backward",
        "--rescore-language-model", "language", "--reverse-weight", "0.7",
        "--right-to-left-weight", "0.4", "--language-weight", "0.6", "--length-weight", "0.1",
    )  # fmt: skip
    fluency = Fluency(LanguageModel.load(folder / "language"), plain.search_config.length_penalty)
    assert rescored == expected(plain, Reranker(config, reverse, backward, fluency))
    assert len({*map(tuple, (chosen, rescored, translated(folder, *model)))}) == 3


def test_a_language_model_takes_part_in_the_search(folder: Path) -> None:
    fused = Translator.load(folder / "model").with_language_model(folder / "language", 0.7)
    expected = [found.text for found in fused.translate([*SOURCES, "", "---"])]
    options = ("--model", folder / "model", "--language-model", "language")
    assert translated(folder, *options, "--fusion-weight", "0.7") == expected
    assert translated(folder, *options, "--fusion-weight", "0.7", "--workers", "2") == expected
    text = ("--source", "text.de", "--reference", "text.en", "--model", "model")
    result = call("evaluate", *text, "--language-model", "language", "--json", folder=folder)
    assert result.returncode == 0, result.stderr
    weight = FusionConfig().fusion_weight
    assert json.loads(result.stdout)["engine"].startswith(f"int8 + {weight:g} int8 language model")


def test_all_models_score_by_the_length_penalty_asked_for(folder: Path) -> None:
    search = SearchConfig(length_penalty=3.0)
    plain = Translator.load(folder / "model").with_search(search)
    reverse = Translator.load(folder / "reverse")
    config = RerankConfig.model_validate({"reverse_model": "reverse", "reverse_weight": 1.0})
    asked = expected(plain, Reranker(config, reverse))
    options = ("--length-penalty", "3", "--rescore-reverse", "reverse", "--reverse-weight", "1")
    assert translated(folder, "--model", folder / "model", *options) == asked


def test_an_ensemble_and_a_right_to_left_model_are_rescored_too(folder: Path) -> None:
    both = Translator.load_ensemble([folder / "model", folder / "other"])
    config = RerankConfig(mbr_samples=4)
    models = ("--model", folder / "model", "--model", folder / "other")
    assert translated(folder, *models, "--mbr", "4") == expected(both, Reranker(config))

    backward, forward = Translator.load(folder / "backward"), Translator.load(folder / "model")
    config = RerankConfig.model_validate({"right_to_left_model": "model"})
    rescored = translated(
        folder, "--model", folder / "backward", "--rescore-right-to-left", folder / "model"
    )
    assert rescored == expected(backward, Reranker(config, right_to_left=forward))


def test_several_processes_choose_the_same(folder: Path) -> None:
    options = ("--model", folder / "model", "--rescore-reverse", "reverse")
    assert translated(folder, *options, "--workers", "2") == translated(folder, *options)


def test_a_job_goes_on_only_with_the_same_choice(folder: Path, tmp_path: Path) -> None:
    # What is no UTF-8 stops the job behind its first full chunk.
    lines = (SOURCES[0] + "\n").encode() * 500
    job = ("translate", "--model", folder / "model", "--output", tmp_path / "out.en",
           "--max-length-ratio", "0.5", "--max-length-extra", "1")  # fmt: skip
    assert run(*job, "--mbr-beam", stdin=lines + b"\xff").returncode == 2
    assert (tmp_path / "out.en.part").exists()
    assert_mistake(run(*job, "--resume", stdin=lines), "was begun with reranking")
    assert run(*job, "--mbr-beam", "--resume", stdin=lines).returncode == 0


def test_the_record_names_what_chose(folder: Path) -> None:
    text = ("--source", "text.de", "--reference", "text.en")
    arguments = ("--model", "model", "--rescore-reverse", "reverse", "--against", "model")
    result = call("evaluate", *text, *arguments, "--json", folder=folder)
    assert result.returncode == 0, result.stderr
    record: dict[str, Any] = json.loads(result.stdout)
    reverse = Translator.load(folder / "reverse")
    assert record["reranking"]["reverse_model"]["identity"] == reverse.identity
    assert record["reranking"]["reverse_weight"] == RerankConfig().reverse_weight
    assert "reranking" not in record["against"][0]

    shown = call("evaluate", *text, *arguments, folder=folder).stdout.decode()
    weight = f"{RerankConfig().reverse_weight:g}"
    assert f"reverse model {reverse.identity[:12]} with weight {weight}, engine" in shown
    shown = call("evaluate", *text, "--model", "model", "--mbr", "3", folder=folder).stdout.decode()
    assert "beam 5, length penalty 1, mbr samples 3, engine int8" in shown


def test_weights_are_found_and_give_what_was_said(folder: Path) -> None:
    text = ("--source", "text.de", "--reference", "text.en", "--model", "model")
    models = (
        *("--rescore-reverse", "reverse", "--rescore-right-to-left", "backward"),
        *("--rescore-language-model", "language"),
    )
    result = call("tune", *text, *models, "--json", folder=folder)
    assert result.returncode == 0, result.stderr
    record = json.loads(result.stdout)
    assert record["method"] == "coordinate search over grids, by BLEU"
    assert set(record["found"]) == {
        *("reverse_weight", "right_to_left_weight", "language_weight", "length_weight"),
    }
    assert record["bleu"]["rescored"] >= record["bleu"]["search"]

    def bleu(*arguments: str) -> float:
        done = call("evaluate", *text, *arguments, "--json", folder=folder)
        assert done.returncode == 0, done.stderr
        return float(json.loads(done.stdout)["scores"]["bleu"]["value"])

    options = [f"--{name.replace('_', '-')}={weight}" for name, weight in record["found"].items()]
    assert bleu(*models, *options) == record["bleu"]["rescored"]
    assert bleu() == record["bleu"]["search"]
    printed = call("tune", *text, *models, folder=folder).stdout.decode()
    assert all(option.replace("=", " ").removesuffix(".0") in printed for option in options)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--mbr", "3", "--rescore-reverse", "reverse"), ("not by both",)),
        (("--mbr-utility", "bleu"), ("--mbr-utility needs",)),
        (("--mbr", "2000"), ("--mbr", "1000")),
        (("--rescore-reverse", "model"), ("model translates de to en", "it has to be en to de")),
        (("--rescore-right-to-left", "reverse"), ("translates en to de",)),
        (("--rescore-right-to-left", "other"), ("other writes in the same order as the model",)),
        (("--rescore-language-model", "other"), ("tiny-de-en", "no language model")),
        (("--language-weight", "1"), ("--language-weight needs --rescore-language-model",)),
        (("--language-model", "other"), ("other is no language model", "task is 'translate'")),
        (("--fusion-weight", "1"), ("--fusion-weight needs --language-model",)),
        (("--rescore-reverse", "nowhere"), ("nowhere is not a model folder",)),
        (("--mbr", "3", "--temperature", "1"), ("temperature = 1 draws the translation",)),
        (("--mbr", "3", "--n-best", "5", "--format", "jsonl"), ("more than 3 candidates",)),
    ],
)
def test_mistakes_are_told_in_one_line(
    folder: Path, tmp_path: Path, arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    result = call(
        "translate", "--model", "model", "--input", "text.de", "--output", tmp_path / "out",
        *arguments, folder=folder,
    )  # fmt: skip
    assert_mistake(result, *words)


def test_finished_translations_leave_nothing_to_choose(folder: Path) -> None:
    text = ("--source", "text.de", "--reference", "text.en")
    result = call("evaluate", *text, "--translations", "text.en", "--mbr", "3", folder=folder)
    assert_mistake(result, "--translations are finished")
    fused = ("--translations", "text.en", "--language-model", "language")
    result = call("evaluate", *text, *fused, folder=folder)
    assert_mistake(result, "--translations are finished")
    result = call("evaluate", *text, "--translations", "text.en", "--beam-size", "3", folder=folder)
    assert_mistake(result, "--translations are finished", "--beam-size")
    assert_mistake(call("tune", *text, "--model", "model", folder=folder), "--rescore-reverse")
