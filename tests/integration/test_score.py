"""mt-score, run as a user runs it, with models of random weights."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from mt import Translator
from mt.bundle import save_bundle
from mt.card import model_card
from support.bundles import SOURCES, TARGETS, save_tiny_bundle, tiny_bundle
from support.commands import assert_mistake, call, run
from support.recipes import write_lines


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scores")
    save_tiny_bundle(folder / "model")
    other = tiny_bundle(context_size=7)
    save_bundle(folder / "other", other, model_card(other))
    write_lines(folder / "text.de", [*SOURCES, "", "Gut."])
    write_lines(folder / "text.en", [*TARGETS, "Good.", "世"])
    return folder


def test_every_pair_of_lines_has_a_line_and_the_perplexity_comes_last(folder: Path) -> None:
    result = run(
        "score", "--model", folder / "model", "--source", folder / "text.de",
        "--target", folder / "text.en",
    )  # fmt: skip

    assert result.returncode == 0, result.stderr
    rows = [line.split("\t") for line in result.stdout.decode().splitlines()]
    expected = Translator.load(folder / "model").score(SOURCES, TARGETS)
    for row, pair in zip(rows, expected, strict=False):
        assert float(row[0]) == pytest.approx(pair.log_probability, abs=1e-3)
        assert int(row[1]) == len(pair.pieces)
        assert float(row[2]) == pytest.approx(pair.score, abs=1e-3)
        assert row[3] == "scored"
    assert rows[len(SOURCES) :] == [["", "", "", "blank"], ["", "", "", "unknown_characters"]]
    pieces = sum(len(pair.pieces) for pair in expected)
    perplexity = math.exp(-sum(pair.log_probability for pair in expected) / pieces)
    first, second = result.stderr.decode().splitlines()
    assert first.startswith("perplexity ")
    assert first.endswith(f" over {pieces:,} pieces of 24 lines")
    assert float(first.split()[1].replace(",", "")) == pytest.approx(perplexity, rel=1e-3)
    assert second == "lines not scored: blank 1, unknown_characters 1"


def test_json_lines_hold_every_piece(folder: Path) -> None:
    text = ("--source", "text.de", "--target", "text.en")
    options = ("--model", "model", "--json", "--length-penalty", "0")
    result = call("score", *text, *options, folder=folder)
    assert result.returncode == 0, result.stderr

    records = [json.loads(line) for line in result.stdout.splitlines()]
    for record, target in zip(records, TARGETS, strict=False):
        assert record["status"] == "scored"
        assert "".join(record["pieces"]).replace("▁", " ").strip() == f"{target}</s>"
        assert record["log_probability"] == pytest.approx(sum(record["log_probabilities"]))
        assert record["score"] == record["log_probability"]  # no length penalty
    assert records[-2] == {
        "status": "blank",
        "log_probability": None,
        "score": None,
        "pieces": [],
        "log_probabilities": [],
    }
    assert len(records) == len(SOURCES) + 2


def test_several_models_score_together(folder: Path) -> None:
    text = ("--source", "text.de", "--target", "text.en")
    result = call("score", *text, "--model", "model", "--model", "other", folder=folder)
    assert result.returncode == 0, result.stderr

    models = [folder / "model", folder / "other"]
    pairs = Translator.load_ensemble(models).score(SOURCES, TARGETS)
    rows = [line.split("\t") for line in result.stdout.decode().splitlines()]
    assert len(rows) >= len(pairs) > 0
    for row, pair in zip(rows, pairs, strict=False):
        assert float(row[0]) == pytest.approx(pair.log_probability, abs=1e-3)


def test_where_nothing_can_be_scored_there_is_no_perplexity(folder: Path, tmp_path: Path) -> None:
    write_lines(tmp_path / "blank", ["", ""])
    text = ("--source", tmp_path / "blank", "--target", tmp_path / "blank")
    result = run("score", *text, "--model", folder / "model")

    assert result.returncode == 0
    assert result.stdout == b"\t\t\tblank\n" * 2
    assert result.stderr == b"lines not scored: blank 2\n"


def test_models_that_do_not_go_together_are_refused(folder: Path, tmp_path: Path) -> None:
    joint = tiny_bundle(joint=True)
    save_bundle(tmp_path / "joint", joint, model_card(joint))

    result = run(
        "score", "--model", folder / "model", "--model", tmp_path / "joint",
        "--source", folder / "text.de", "--target", folder / "text.en",
    )  # fmt: skip

    assert_mistake(result, "model and", "joint cannot be an ensemble", "source tokenizer")


def test_uneven_files_are_refused_before_a_model_is_loaded(folder: Path, tmp_path: Path) -> None:
    write_lines(tmp_path / "short.en", ["Good morning."])
    text = ("--source", folder / "text.de", "--target", tmp_path / "short.en")
    result = call("score", *text, "--model", tmp_path / "nowhere")

    assert_mistake(result, "text.de has 26 lines", "short.en 1: line 2 has no")
