"""The model that comes along: that it is there, small enough, documented, and translates.

The figures it must reach are measured by mt-evaluate and stand in the README; the test here only
sees to it that a broken model cannot be shipped.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from mt import Translator
from mt.bundle import BUNDLED_MODELS, DEFAULT_MODEL
from mt.corpus import read_pairs
from mt.scoring import evaluate
from support.commands import run

MAX_BYTES = 30_000_000
MODELS = sorted(path.name for path in BUNDLED_MODELS.iterdir())


@pytest.fixture(scope="module")
def translator() -> Translator:
    return Translator.load()


def _texts(translator: Translator, sources: Sequence[str]) -> list[str]:
    return [translation.text for translation in translator.translate(sources)]


@pytest.mark.parametrize("name", MODELS)
def test_the_folder_holds_the_model_and_nothing_else(name: str) -> None:
    files = [path for path in (BUNDLED_MODELS / name).rglob("*") if path.is_file()]

    assert sum(path.stat().st_size for path in files) <= MAX_BYTES
    assert sorted(path.name.split("-")[0] for path in files) == [
        "README.md", "config", "lexicon", "manifest.json", "source", "target", "weights",
    ]  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_the_card_names_licence_and_attribution(name: str) -> None:
    card = (BUNDLED_MODELS / name / "README.md").read_text(encoding="utf-8")

    for words in ("CC BY 2.0 FR", "tatoeba.org", "manythings.org/anki", "tok:13a", "final states"):
        assert words in card


def test_everyday_sentences_come_out_right(translator: Translator) -> None:
    expected = {
        "Guten Morgen.": "Good morning.",
        "Ich habe keine Zeit.": "I don't have time.",
        "Wo ist der Bahnhof?": "Where is the station?",
    }

    assert dict(zip(expected, _texts(translator, list(expected)), strict=True)) == expected


def test_a_text_does_not_depend_on_its_neighbours(translator: Translator) -> None:
    texts = ["Guten Morgen.", "Ein Hund läuft über die Wiese.", "Tom.", "Was hast du gesagt?"]

    assert _texts(translator, texts) == [_texts(translator, [text])[0] for text in texts]


def test_the_command_of_the_readme_gives_three_lines(checkout: Path) -> None:
    text = "Guten Morgen.\n\nEin Hund läuft über die Wiese.\n"
    readme = (checkout / "README.md").read_text(encoding="utf-8")
    assert "printf 'Guten Morgen.\\n\\nEin Hund läuft über die Wiese.\\n' | mt-translate" in readme

    result = run("translate", stdin=text.encode())

    lines = result.stdout.decode().split("\n")
    assert lines[0] == "Good morning."
    assert lines[1] == ""
    assert "dog" in lines[2]
    assert lines[3:] == [""]


def test_a_bundled_model_is_found_by_its_name() -> None:
    assert DEFAULT_MODEL in MODELS
    result = run("translate", "--model", "en-de", stdin=b"Good morning.\n")
    assert result.stdout.decode() == "Guten Morgen.\n"


@pytest.mark.shared
def test_held_out_sentences_score_no_worse_than_a_working_model_does(
    translator: Translator, corpora: Path
) -> None:
    folder = corpora / "tatoeba-de-en"
    sources, references = read_pairs([folder / "test.de.xz"], [folder / "test.en.xz"])

    scores = evaluate(_texts(translator, sources[:300]), references[:300], interval=False)

    # Far below what it reaches on the whole set, far above what a damaged one could.
    assert scores["bleu_lc"].value > 20
    assert scores["bleu_lc"].value - scores["bleu"].value < 3
