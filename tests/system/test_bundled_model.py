"""The models that come along: that they are small enough, documented, and translate or answer.

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
SMALL_TALK = "small-talk"
MODELS = sorted(path.name for path in BUNDLED_MODELS.iterdir())
TRANSLATING = [name for name in MODELS if name != SMALL_TALK]


@pytest.fixture(scope="module")
def translator() -> Translator:
    return Translator.load()


def _texts(translator: Translator, sources: Sequence[str]) -> list[str]:
    return [translation.text for translation in translator.translate(sources)]


@pytest.mark.parametrize("name", MODELS)
def test_the_folder_holds_the_model_and_nothing_else(name: str) -> None:
    files = [path for path in (BUNDLED_MODELS / name).rglob("*") if path.is_file()]

    assert sum(path.stat().st_size for path in files) <= MAX_BYTES
    vocabularies = ["tokenizer"] if name == SMALL_TALK else ["source", "target"]
    assert sorted(path.name.split("-")[0] for path in files) == [
        "README.md", "config", "lexicon", "manifest.json", *vocabularies, "weights",
    ]  # fmt: skip


@pytest.mark.parametrize("name", TRANSLATING)
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


def test_the_card_of_small_talk_carries_the_licence_of_its_text() -> None:
    card = (BUNDLED_MODELS / SMALL_TALK / "README.md").read_text(encoding="utf-8")
    for words in (
        "Copyright (c) 2017, Gunther Cox",
        "Redistributions in binary form must reproduce",
        "Neither the name of chatterbot",
        'PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS"',
        "exact match",
        "final states",
    ):
        assert words in " ".join(card.split())


def test_small_talk_answers_and_cannot_be_asked_to_translate() -> None:
    answered = run("answer", stdin=b"Can you die\n")
    assert b"process can be killed" in answered.stdout or b"indefinitely" in answered.stdout
    refused = run("translate", "--model", SMALL_TALK, stdin=b"Can you die\n")
    assert (refused.returncode, refused.stdout) == (2, b"")
    assert b"small-talk answers questions" in refused.stderr


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
