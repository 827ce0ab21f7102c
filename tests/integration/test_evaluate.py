"""mt-evaluate, run as a user runs it, with a model of random weights or finished translations.

Most tests score finished translations: their scores can be told beforehand.
"""

from __future__ import annotations

import json
import lzma
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mt import Translator
from mt.bundle import load_bundle, save_bundle
from mt.corpus import read_lines
from mt.scoring import TRIALS, bleu, bleu_ratio, choose_parts, evaluate, join
from mt.system.files import sha256
from support.bundles import SOURCES, TARGETS, save_tiny_bundle
from support.commands import assert_mistake, call, run
from support.recipes import write_lines

# As good as the references but for every second line.
HALF = [text if number % 2 else "no" for number, text in enumerate(TARGETS)]


@pytest.fixture(autouse=True)
def _fewer_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as tell these cases apart, in a tenth of the time."""
    monkeypatch.setitem(TRIALS, "randomization", 1000)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluation")
    save_tiny_bundle(folder / "model")
    (folder / "test.de").write_text("".join(f"{line}\n" for line in SOURCES), encoding="utf-8")
    with lzma.open(folder / "test.en.xz", "wt", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in TARGETS)
    write_lines(folder / "half.en", HALF)
    write_lines(folder / "lower.en", [text.lower() for text in TARGETS])
    return folder


def score(folder: Path, *arguments: str | Path) -> dict[str, Any]:
    """The record of an evaluation in the folder, by --json."""
    result = call(
        "evaluate", "--source", "test.de", "--reference", "test.en.xz", *arguments, "--json",
        folder=folder,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    record: dict[str, Any] = json.loads(result.stdout)
    return record


def test_a_byte_order_mark_is_no_part_of_a_word(folder: Path, tmp_path: Path) -> None:
    marked = tmp_path / "marked.en"
    marked.write_text("\ufeff" + "".join(f"{line}\n" for line in TARGETS), encoding="utf-8")

    assert score(folder, "--translations", marked)["scores"]["bleu"]["value"] == 100
    record = score(folder, "--reference", marked, "--translations", "half.en")
    assert record["scores"]["bleu"]["value"] == round(bleu(HALF, TARGETS).value, 2)


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


def test_finished_translations_are_scored_without_a_model(folder: Path) -> None:
    record = score(folder, "--translations", "half.en")

    assert record["translations"] == "half.en"
    assert not {"model", "weights", "search"} & record.keys()
    assert record["scores"]["bleu"]["value"] == round(bleu(HALF, TARGETS).value, 2)


def test_the_record_names_text_and_versions(folder: Path) -> None:
    record = score(folder, "--translations", "half.en")

    text = (folder / "test.de").read_bytes()
    assert record["sha256"]["source"] == sha256(text)
    with lzma.open(folder / "test.en.xz") as file:
        assert record["sha256"]["references"] == [sha256(file.read())]
    assert (record["source"], record["references"]) == ("test.de", ["test.en.xz"])
    assert f"version:{record['versions']['sacrebleu']}" in record["scores"]["bleu"]["signature"]
    assert {"mt", "python", "numpy", "sentencepiece"} < record["versions"].keys()


def test_several_references_are_used_together(folder: Path) -> None:
    record = score(folder, "--reference", "half.en", "--translations", "half.en")

    assert record["references"] == ["test.en.xz", "half.en"]
    assert record["scores"]["bleu"]["value"] == 100
    assert record["scores"]["bleu"]["signature"].startswith("nrefs:2|")


def test_systems_are_compared_with_the_first(folder: Path) -> None:
    record = score(
        folder, "--translations", "half.en",
        "--against", "half.en", "--against", "test.en.xz", "--against", "model",
    )  # fmt: skip

    same, better, model = (system["scores"]["bleu"] for system in record["against"])
    first = record["scores"]["bleu"]
    assert (same["value"], same["difference"], same["p"]) == (first["value"], 0, 1)
    assert better["value"] == 100
    assert better["difference"] == pytest.approx(100 - first["value"], abs=0.006)
    assert better["p"] == pytest.approx(1 / 1001, abs=1e-5)
    assert model["difference"] < 0
    assert model["signature"] == better["signature"] == first["signature"]
    assert "p" not in first
    names = [system["system"] for system in record["against"]]
    assert names == ["half.en", "test.en.xz", "model"]
    assert record["against"][2]["weights"] == Translator.load(folder / "model").identity
    made = record["significance"]
    assert (made["test"], made["trials"], made["seed"]) == ("randomization", 1000, "12345")
    assert "ar:1000|seed:12345" in made["signatures"]["chrf"]


def test_the_paired_test_can_be_chosen(folder: Path) -> None:
    record = score(
        folder, "--translations", "half.en", "--against", "lower.en", "--paired-test", "bootstrap"
    )

    assert record["significance"]["test"] == "bootstrap"
    assert "bs:1000|seed:12345" in record["significance"]["signatures"]["bleu"]
    (lower,) = record["against"]
    assert lower["scores"]["bleu_lc"]["value"] == 100


def test_the_same_model_differs_from_itself_in_nothing(folder: Path) -> None:
    record = score(folder, "--model", "model", "--against", "model", "--beam-size", "2")

    (other,) = record["against"]
    assert record["search"]["beam_size"] == other["search"]["beam_size"] == 2
    for name, same in other["scores"].items():
        assert (same["difference"], same["p"]) == (0, 1)
        assert same["value"] == record["scores"][name]["value"]


def test_bleu_by_length_counts_every_line(folder: Path) -> None:
    record = score(
        folder, "--translations", "test.en.xz", "--against", "half.en", "--length-edges", "3,4"
    )

    lengths = [len(line.split()) for line in SOURCES]
    expected = [
        [number for number, length in enumerate(lengths) if low <= length <= high]
        for low, high in ((1, 3), (4, 4), (5, 99))
    ]
    buckets = record["by_length"]["buckets"]
    assert [bucket["words"] for bucket in buckets] == ["1-3", "4", "5+"]
    assert [bucket["lines"] for bucket in buckets] == [len(lines) for lines in expected]
    for bucket, lines in zip(buckets, expected, strict=True):
        half = bleu([HALF[line] for line in lines], [TARGETS[line] for line in lines])
        assert bucket["bleu"] == [100, round(half.value, 2)]
    assert record["by_length"]["signature"] == half.signature


def test_joined_lines_are_translated_whole_and_cut(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scripts.evaluation.JOINED_LINES", 20)
    arguments = ("--model", "model", "--joined")
    record = score(folder, *arguments)

    joined = record["joined"]
    translator = Translator.load(folder / "model")
    single = [each.text for each in translator.translate(SOURCES)]
    parts = choose_parts(SOURCES, 20)
    for name, each in (
        ("cut into sentences", translator),
        ("in one piece", translator.with_segmentation("whole")),
    ):
        translations = [text.text for text in each.translate(join(SOURCES, parts))]
        expected = bleu_ratio(translations, single, TARGETS, parts)
        found = joined["ratios"][name]
        assert (found["ratio"], found["low"]) == (round(expected.value, 3), round(expected.low, 3))
        assert found["joined"] == round(expected.joined, 2)
    assert joined["lines"] == 20

    for form, line in (
        ("text", "model, 20 lines joined to 25 to 40 words, nrefs:1|"),
        ("markdown", f"- BLEU: `{joined['signature']}`"),
    ):
        shown = call(
            "evaluate", "--source", "test.de", "--reference", "test.en.xz", *arguments,
            "--format", form, folder=folder,
        ).stdout.decode()  # fmt: skip
        assert line in shown
        assert f"{found['low']:.3f} to {found['high']:.3f}" in shown


def test_every_bleu_counts_what_it_is_told_to(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scripts.evaluation.JOINED_LINES", 5)
    told = ("--tokenize", "char", "--against", "half.en", "--by-length", "--joined")
    record = score(folder, "--model", "model", *told, "--sweep", "beam-size=1")
    signatures = [
        record["by_length"]["signature"],
        record["joined"]["signature"],
        *(
            scored["scores"][name]["signature"]
            for scored in (record, *record["against"], *record["sweep"])
            for name in ("bleu", "bleu_lc")
        ),
        *(record["significance"]["signatures"][name] for name in ("bleu", "bleu_lc")),
    ]
    assert len(signatures) == 10
    assert all("|tok:char|" in signature for signature in signatures)


def test_a_model_of_a_language_without_spaces_is_scored_by_characters(folder: Path) -> None:
    bundle = load_bundle(folder / "model")
    config = bundle.config.model_copy(update={"target_language": "ja"})
    save_bundle(folder / "japanese", replace(bundle, config=config), "")
    record = score(folder, "--translations", "half.en", "--against", "japanese")
    assert "|tok:char|" in record["scores"]["bleu"]["signature"]


def test_the_model_decodes_as_it_is_asked_to(folder: Path) -> None:
    record = score(folder, "--model", "model", "--beam-size", "2", "--copy-digits")

    own = Translator.load(folder / "model").search_config
    assert not own.copy_digits
    assert record["search"] == own.model_dump() | {"beam_size": 2, "copy_digits": True}


def test_a_sweep_tries_every_combination(folder: Path) -> None:
    record = score(
        folder, "--model", "model", "--sweep", "beam-size=1,5", "--sweep", "length-penalty=0,1.0"
    )

    tried = [(c["search"]["beam_size"], c["search"]["length_penalty"]) for c in record["sweep"]]
    assert tried == [(1, 0), (1, 1), (5, 0), (5, 1)]
    for cell in record["sweep"]:
        assert cell["seconds"] > 0
        assert "tok:13a" in cell["scores"]["bleu"]["signature"]
        assert "nc:6" in cell["scores"]["chrf"]["signature"]
    # One of them is the model's own way, which was scored already.
    assert record["search"] == record["sweep"][3]["search"]
    values = {name: each["value"] for name, each in record["scores"].items()}
    assert values == {n: each["value"] for n, each in record["sweep"][3]["scores"].items()}
    assert len({cell["scores"]["chrf"]["value"] for cell in record["sweep"]}) > 1


def test_a_sweep_tries_flags_too(folder: Path) -> None:
    record = score(folder, "--model", "model", "--sweep", "truecase=true,false")
    assert [cell["search"]["truecase"] for cell in record["sweep"]] == [True, False]


def test_another_system_may_be_a_bundled_one(folder: Path) -> None:
    record = score(folder, "--translations", "half.en", "--against", "de-en")
    assert record["against"][0]["weights"] == Translator.load("de-en").identity


def test_markdown_holds_what_the_record_holds(folder: Path) -> None:
    arguments = (
        "--model", "model", "--against", "half.en", "--by-length", "--sweep", "beam-size=1,2"
    )  # fmt: skip
    record = score(folder, *arguments)
    result = call(
        "evaluate", "--source", "test.de", "--reference", "test.en.xz", *arguments,
        "--format", "markdown", folder=folder,
    )  # fmt: skip

    lines = result.stdout.decode().splitlines()
    assert lines[0] == "| system | BLEU | BLEU, lower-cased | chrF2 | chrF2, lower-cased |"
    half = record["against"][0]["scores"]
    cells = [cell.strip() for cell in lines[3].split("|")[1:-1]]
    assert cells[0] == "half.en"
    for cell, each in zip(cells[1:], half.values(), strict=True):
        assert cell.startswith(f"{each['value']:.2f} ({each['low']:.2f} to {each['high']:.2f}), ")
        assert cell.endswith(f"{each['difference']:+.2f}, p = {each['p']:.4f}")
    for name, title in (("bleu", "BLEU"), ("chrf_lc", "chrF2, lower-cased")):
        assert f"- {title}: `{record['scores'][name]['signature']}`" in lines
    assert "| words | lines | model | half.en |" in lines
    assert f"- BLEU: `{record['by_length']['signature']}`" in lines
    assert "| beam size | BLEU | chrF2 | seconds |" in lines
    assert any("randomization against model, 1,000 trials, seed 12345" in line for line in lines)
    assert any(record["weights"][:12] in line for line in lines)


def test_the_text_tells_the_same(folder: Path) -> None:
    result = call(
        "evaluate", "--source", "test.de", "--reference", "test.en.xz", "--model", "model",
        "--against", "half.en", "--by-length", "--sweep", "beam-size=2", folder=folder,
    )  # fmt: skip

    text = result.stdout.decode()
    assert result.returncode == 0, result.stderr
    for words in (
        "model, 24 lines", "half.en, 24 lines", "p = 0.0", "seed 12345", "1-10 ", "31+ ",
        "model, swept\nbeam size", "\nchrF2: nrefs:1|",
    ):  # fmt: skip
        assert words in text, words


def test_lengths_and_a_sweep_are_drawn(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="drawing needs the extra [plot]")
    picture = tmp_path / "picture.png"

    score(folder, "--model", "model", "--by-length", "--sweep", "beam-size=1,2", "--plot", picture)

    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--json", "--format", "markdown"], ["--json", "--format markdown"]),
        (["--format", "html"], ["html", "markdown"]),
        (["--model", "model", "--translations", "half.en"], ["--translations", "--model"]),
        (["--translations", "nowhere.en"], ["nowhere.en", "No such file"]),
        (["--against", "short.en"], ["test.de has 24 lines", "short.en 1"]),
        (["--against", "nowhere"], ["nowhere", "No such file"]),
        (["--reference", "short.en"], ["test.de has 24 lines", "short.en 1"]),
        (["--paired-test", "bootstrap"], ["--paired-test", "--against"]),
        (["--paired-test", "t"], ["paired_test", "'randomization' or 'bootstrap'", "'t'"]),
        (["--length-edges", "3,3"], ["length_edges", "[3, 3]"]),
        (["--length-edges", "0,3"], ["length_edges", "[0, 3]"]),
        (["--length-edges", "3,a"], ["--length-edges", "3,a"]),
        (["--length-edges", "3,4.5"], ["length_edges", "4.5"]),
        (["--sweep", "beam-size"], ["--sweep beam-size", "name=1,2"]),
        (["--sweep", "beam-size=1,x"], ["--sweep beam-size", "1,x"]),
        (["--sweep", "beam-size=1,65"], ["beam_size", "65"]),
        (["--sweep", "beam-syze=1"], ["beam_syze", "did you mean beam_size?"]),
        (["--translations", "half.en", "--sweep", "beam-size=1"], ["--sweep", "--translations"]),
        (["--translations", "half.en", "--joined"], ["--joined", "--translations"]),
        (["--translations", "half.en", "--beam-size", "1"], ["--beam-size", "--translations"]),
        (["--translations", "half.en", "--no-copy-digits"], ["for --no-copy-digits"]),
        (["--plot", "a.png"], ["--plot", "--by-length"]),
        (["--by-length", "--plot", "nowhere/a.png"], ["nowhere/a.png: there is no folder nowhere"]),
        (["--output", "nowhere/a.en"], ["nowhere/a.en: there is no folder nowhere"]),
        (["--output", "model"], ["model is a folder"]),
        (["--output", "test.de"], ["test.de is read as well, and would be lost"]),
        (["--output", "test.en.xz"], ["test.en.xz is read as well"]),
        (["--against", "half.en", "--output", "half.en"], ["half.en is read as well"]),
    ],
)
def test_mistakes_are_told_before_any_work(
    folder: Path, arguments: list[str], words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_lines(folder / "short.en", ["Good morning."])
    monkeypatch.setattr(Translator, "translate", lambda *_, **__: pytest.fail("translated"))

    result = call(
        "evaluate", "--source", "test.de", "--reference", "test.en.xz", *arguments, folder=folder
    )

    assert_mistake(result, *words)


def test_a_seed_that_is_none_is_told_before_any_work(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Translator, "translate", lambda *_, **__: pytest.fail("translated"))
    monkeypatch.setenv("SACREBLEU_SEED", "x")

    result = call("evaluate", "--source", "test.de", "--reference", "test.en.xz", folder=folder)

    assert_mistake(result, "SACREBLEU_SEED", "'x'")


def test_a_text_that_is_too_short_to_join_is_told_before_any_work(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_lines(folder / "short.en", ["Good morning."])
    monkeypatch.setattr(Translator, "translate", lambda *_, **__: pytest.fail("translated"))

    result = call(
        "evaluate", "--source", "short.en", "--reference", "short.en", "--joined", folder=folder
    )

    assert_mistake(result, "short.en: no lines of it make one of 25 to 40 words")


@pytest.mark.parametrize("suffix", [".en", ".en.gz", ".en.xz"])
def test_the_translations_that_are_kept_can_be_read_back(
    folder: Path, tmp_path: Path, suffix: str
) -> None:
    score(folder, "--translations", "half.en", "--output", tmp_path / f"kept{suffix}")

    assert read_lines(tmp_path / f"kept{suffix}") == HALF


def test_a_pipe_is_read_once(folder: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    arguments = ["--source", tmp_path / "pipe", "--reference", "test.en.xz"]
    content = (folder / "test.de").read_bytes()
    with ThreadPoolExecutor() as pool:
        pool.submit((tmp_path / "pipe").write_bytes, content)
        result = call(
            "evaluate", *arguments, "--reference", "half.en", "--translations", "half.en",
            folder=folder,
        )  # fmt: skip

    assert result.returncode == 0, result.stderr


def test_uneven_files_are_refused(folder: Path, tmp_path: Path) -> None:
    short = tmp_path / "short.en"
    short.write_text("Good morning.\n", encoding="utf-8")

    result = run("evaluate", "--source", folder / "test.de", "--reference", short)

    assert_mistake(result, "test.de has 24 lines", "short.en 1", "line 2")
