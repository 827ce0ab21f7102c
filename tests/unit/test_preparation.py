"""Text through files gives what text in memory gives, in any number of chunks and processes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mt.config import DataConfig
from mt.corpus import (
    CorpusFolder,
    HeldOut,
    ParallelText,
    Survey,
    hold_out,
    new_folder,
    prepare,
    prepare_files,
    sample_pairs,
)
from mt.errors import CorpusError
from support.bundles import SOURCES, TARGETS, tiny_tokenizers

DATA = DataConfig(
    source_language="de", target_language="en", train_source=["-"], train_target=["-"]
)
NOTHING = HeldOut(([], []))


def some_pairs(count: int) -> tuple[list[str], list[str]]:
    """Pairs of every kind: good, blank, equal to earlier ones, uneven."""
    random = np.random.default_rng(1)
    source = random.choice([*SOURCES, ""], count).tolist()
    target = random.choice([*TARGETS, "", " a"], count).tolist()
    return source, target


def text_of(folder: Path, source: list[str], target: list[str]) -> ParallelText:
    for name, lines in (("x.de", source), ("x.en", target)):
        (folder / name).write_text("".join(f"{line}\n" for line in lines))
    return ParallelText((folder / "x.de",), (folder / "x.en",))


def prepared(
    path: Path, text: ParallelText, held_out: HeldOut = NOTHING, **options: object
) -> CorpusFolder:
    survey, tokenizers = Survey.of(text), tiny_tokenizers()
    with new_folder(path, with_text=True) as new:
        report = prepare_files(text, survey, held_out, tokenizers, DATA, new, **options)
        new.finish({}, report, tokenizers, held_out.pairs)
    return CorpusFolder(path)


def contents(folder: CorpusFolder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.path.iterdir()}


def test_files_give_the_pairs_and_counts_that_memory_gives(tmp_path):
    source, target = some_pairs(500)
    rest, held = hold_out(source, target, 2)
    sampling = DATA.model_copy(update={"subword_sampling": 0.5})  # keeps the text too
    expected = prepare(*rest, tiny_tokenizers(), sampling, held_out=len(source) - len(rest[0]))
    assert min(expected.report.empty, expected.report.duplicate, expected.report.held_out) > 0

    text = text_of(tmp_path, source, target)
    whole = np.flatnonzero(~Survey.of(text).blank)
    held_out = HeldOut.of(text, whole, 2)
    assert held_out.pairs == held
    corpus = prepared(tmp_path / "made", text, held_out, chunk=64).corpus()
    assert corpus.report == expected.report
    for found, wanted in ((corpus.source, expected.source), (corpus.target, expected.target)):
        assert found.ids.tolist() == wanted.ids.tolist()
        assert found.starts.tolist() == wanted.starts.tolist()
    assert [list(side) for side in corpus.texts] == list(expected.texts)


def test_neither_chunks_nor_processes_change_a_byte(tmp_path):
    text = text_of(tmp_path, *some_pairs(300))
    expected = contents(prepared(tmp_path / "alone", text))
    for workers, chunk in ((1, 7), (2, 40), (3, 299)):
        made = prepared(tmp_path / f"{workers}", text, workers=workers, chunk=chunk)
        assert contents(made) == expected


def test_progress_begins_at_nothing_and_ends_at_all_pairs(tmp_path):
    told: list[tuple[str, int, int | None]] = []
    text = text_of(tmp_path, *some_pairs(25))
    held_out = HeldOut.of(text, np.arange(25), 1)
    prepared(tmp_path / "made", text, held_out, chunk=10, progress=lambda *now: told.append(now))
    assert told == [("tokenising", done, 25) for done in (0, 10, 20, 25)]


def test_text_without_a_good_pair_is_refused(tmp_path):
    text = text_of(tmp_path, ["", "a"], ["b", ""])
    with pytest.raises(CorpusError, match="no pair is left to train on: 2 read, 0 kept, 2 empty"):
        prepared(tmp_path / "made", text)


@pytest.mark.parametrize("count", [19, 21])
def test_text_that_grows_or_shrinks_under_its_reader_is_refused(tmp_path, count):
    source, target = some_pairs(count)
    survey = Survey.of(text_of(tmp_path, *some_pairs(20)))
    text = text_of(tmp_path, source, target)
    with (
        pytest.raises(CorpusError, match="has changed while it was read"),
        new_folder(tmp_path / "made", with_text=False) as new,
    ):
        prepare_files(text, survey, NOTHING, tiny_tokenizers(), DATA, new, chunk=10)


def test_a_sample_is_all_of_a_small_text_and_an_even_share_of_a_large_one(tmp_path):
    lines = [f"s{number}" for number in range(10)]
    text = text_of(tmp_path, lines, [line.upper() for line in lines])
    assert sample_pairs(text, 10, NOTHING, 10)[0] == lines
    assert sample_pairs(text, 10, NOTHING, 99)[0] == lines
    assert sample_pairs(text, 10, NOTHING, 5) == (
        ["s0", "s2", "s4", "s6", "s8"],
        ["S0", "S2", "S4", "S6", "S8"],
    )
    assert sample_pairs(text, 10, HeldOut((["s4"], ["?"])), 5)[0] == ["s0", "s2", "s6", "s8"]
