"""mt-lexicon on model folders, and --shortlist with and without what it makes."""

from __future__ import annotations

from pathlib import Path

import pytest

from mt.bundle import load_bundle, save_bundle
from support.bundles import save_tiny_bundle, tiny_language_bundle
from support.commands import assert_mistake, call, run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.de").write_text("ja\nein Hund\nsehr ja\n" * 20 + "\nnein\n")
    (tmp_path / "a.en").write_text("yes\na dog\nvery yes\n" * 20 + "no\n \n")
    return save_tiny_bundle(tmp_path / "model")


def learn(folder: Path, target: str = "a.en"):
    texts = ("--source", folder.parent / "a.de", "--target", folder.parent / target)
    return call("lexicon", folder, *texts)


def test_a_model_gets_a_table_and_stays_what_it_was(folder: Path) -> None:
    before = load_bundle(folder)
    (folder / "README.md").write_text("# annotated\n")
    done = learn(folder)
    assert done.returncode == 0, done.stderr
    assert b"has a lexical table of 60 pairs" in done.stderr
    after = load_bundle(folder)
    assert before.lexicon is None
    assert after.lexicon is not None
    assert after.identity == before.identity
    assert after.config == before.config
    assert (folder / "README.md").read_text() == "# annotated\n"


def test_a_shortlist_is_refused_without_a_table_and_taken_with_one(folder: Path) -> None:
    arguments = ("translate", "--model", folder, "--shortlist", "5", "--input")
    text = folder.parent / "a.de"
    refused = run(*arguments, text)
    assert_mistake(refused, "search.shortlist = 5 needs a model with a lexical table: mt-lexicon")
    learn(folder)
    done = run(*arguments, text)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(b"\n") == 62


def test_text_of_two_lengths_leaves_the_model_as_it_was(folder: Path) -> None:
    (folder.parent / "short.en").write_text("yes\n")
    assert_mistake(learn(folder, "short.en"), "a.de has 62 lines and")
    assert load_bundle(folder).lexicon is None


def test_text_without_a_pair_leaves_the_model_as_it_was(folder: Path) -> None:
    learn(folder)
    before = load_bundle(folder).lexicon
    (folder.parent / "blank.en").write_text("\n" * 62)
    assert_mistake(learn(folder, "blank.en"), "no pair of lines that are not blank")
    after = load_bundle(folder).lexicon
    assert before is not None
    assert after is not None
    assert after.partners.tolist() == before.partners.tolist()


def test_a_model_that_came_with_the_program_is_not_changed(folder: Path) -> None:
    texts = ("--source", folder.parent / "a.de", "--target", folder.parent / "a.en")
    assert_mistake(call("lexicon", "de-en", *texts), "de-en came with the program")


def test_the_card_is_kept_made_anew_where_there_is_none_and_refused_if_unreadable(
    folder: Path,
) -> None:
    (folder / "README.md").write_bytes(b"M\xfcller")
    assert_mistake(learn(folder), "README.md: not UTF-8")
    (folder / "README.md").unlink()
    result = learn(folder)
    assert result.returncode == 0, result.stderr
    assert (folder / "README.md").read_text().startswith("# tiny")


def test_a_language_model_is_told_what_it_is(folder: Path) -> None:
    save_bundle(folder, tiny_language_bundle(), "card")
    assert_mistake(learn(folder), "tiny-en is a language model", "no use for a lexical table")
    assert load_bundle(folder).lexicon is None
