"""mt-evaluate, run as a user runs it, with a model of random weights."""

from __future__ import annotations

import json
import lzma
from pathlib import Path

import pytest

from mt import Translator
from mt.scoring import evaluate
from support.bundles import SOURCES, TARGETS, save_tiny_bundle
from support.commands import assert_mistake, run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluation")
    save_tiny_bundle(folder / "model")
    (folder / "test.de").write_text("".join(f"{line}\n" for line in SOURCES), encoding="utf-8")
    with lzma.open(folder / "test.en.xz", "wt", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in TARGETS)
    return folder


def test_the_record_holds_scores_of_the_models_own_translations(folder: Path) -> None:
    result = run(
        "evaluate", "--model", folder / "model", "--source", folder / "test.de",
        "--reference", folder / "test.en.xz", "--output", folder / "out.en", "--json",
    )  # fmt: skip

    assert result.returncode == 0, result.stderr
    record = json.loads(result.stdout)
    translator = Translator.load(folder / "model")
    translations = [translation.text for translation in translator.translate(SOURCES)]
    expected = evaluate(translations, TARGETS)
    assert (folder / "out.en").read_text(encoding="utf-8").splitlines() == translations
    assert record["lines"] == len(SOURCES)
    assert record["weights"] == translator.identity
    assert record["search"] == translator.search_config.model_dump()
    for name, score in expected.items():
        assert record["scores"][name]["value"] == round(score.value, 2)
        assert record["scores"][name]["signature"] == score.signature
    assert "case:lc" in record["scores"]["bleu_lc"]["signature"]


def test_the_table_names_every_score_with_its_signature(folder: Path) -> None:
    result = run(
        "evaluate", "--model", folder / "model", "--source", folder / "test.de",
        "--reference", folder / "test.en.xz",
    )  # fmt: skip

    table = result.stdout.decode()
    assert result.returncode == 0, result.stderr
    for words in ("BLEU", "BLEU, lower-cased", "chrF2", "95 % interval", "tok:13a", "beam 5"):
        assert words in table


def test_uneven_files_are_refused(folder: Path, tmp_path: Path) -> None:
    short = tmp_path / "short.en"
    short.write_text("Good morning.\n", encoding="utf-8")

    result = run("evaluate", "--source", folder / "test.de", "--reference", short)

    assert_mistake(result, "test.de has 24 lines", "short.en 1", "line 2")
