"""Text through files gives what text in memory gives, in any number of chunks and processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mt.config import DataConfig
from mt.corpus import (
    CorpusFolder,
    HeldOut,
    ParallelText,
    Survey,
    new_folder,
    prepare,
    prepare_files,
    sample_pairs,
)
from mt.errors import CorpusError
from support.bundles import SOURCES, TARGETS, tiny_tokenizers
from support.held_out import hold_out

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
    path: Path,
    text: ParallelText,
    held_out: HeldOut = NOTHING,
    *,
    data: DataConfig = DATA,
    exclude: Sequence[str] = (),
    **options: object,
) -> CorpusFolder:
    survey, tokenizers = Survey.of(text, exclude=exclude), tiny_tokenizers()
    with new_folder(path, with_text=True) as new:
        report = prepare_files(text, survey, held_out, tokenizers, data, new, **options)
        new.finish({}, report, tokenizers, held_out.pairs)
    return CorpusFolder(path)


def contents(folder: CorpusFolder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.path.iterdir()}


def test_files_give_the_pairs_and_counts_that_memory_gives(tmp_path):
    source, target = some_pairs(500)
    rest, held = hold_out(source, target, 2)
    sampling = DATA.model_copy(update={"subword_sampling": 0.5})  # keeps the text too
    expected = prepare(*rest, tiny_tokenizers(), sampling)
    report = replace(expected.report, read=len(source), held_out=len(source) - len(rest[0]))
    assert min(report.empty, report.duplicate, report.held_out) > 0

    text = text_of(tmp_path, source, target)
    whole = np.flatnonzero(~Survey.of(text).blank)
    held_out = HeldOut.of(text, whole, 2)
    assert held_out.pairs == held
    corpus = prepared(tmp_path / "made", text, held_out, chunk=64).corpus()
    assert corpus.report == report
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


def test_excluded_pairs_do_not_train_and_every_pair_is_counted_once(tmp_path):
    source = ["a b", "A  B", "c", "", "d", "e", "f", "f"]
    text = text_of(tmp_path, source, ["x", "y", "Z", "z", "h", "i", "", "j"])
    held_out = HeldOut((["d"], ["?"]))
    made = prepared(tmp_path / "made", text, held_out, exclude=["a b", "z"], chunk=2)
    # A blank side does not save a pair with an excluded one: it is taken out before the filters.
    assert list(made.corpus().texts[0]) == ["e", "f"]
    assert str(made.report) == (
        "8 read, 2 kept, 1 empty, 0 duplicate, 0 too long, 0 uneven, 1 held out, 4 excluded"
    )


def test_files_are_repeated_after_duplicates_are_gone(tmp_path):
    true, more = SOURCES[:3], SOURCES[2:5]
    first = text_of(tmp_path, true, TARGETS[:3])
    (tmp_path / "second").mkdir()
    second = text_of(tmp_path / "second", more, TARGETS[2:5])
    text = ParallelText(first.sources + second.sources, first.targets + second.targets)
    twice = DATA.model_copy(update={"repeat": (3, 2)})
    corpus = prepared(tmp_path / "made", text, data=twice, chunk=2).corpus()
    expected = [line for line in true for _ in range(3)]
    expected += [line for line in more[1:] for _ in range(2)]
    assert list(corpus.texts[0]) == expected
    assert (
        tiny_tokenizers().source.decode([corpus.source[n].tolist() for n in range(13)]) == expected
    )
    assert len(corpus) == 13
    assert str(corpus.report).endswith(
        "6 read, 5 kept, 0 empty, 1 duplicate, 0 too long, 0 uneven, 0 held out, 8 copies"
    )


def test_progress_begins_at_nothing_and_ends_at_all_pairs(tmp_path):
    told: list[tuple[str, int, int | None]] = []
    text = text_of(tmp_path, *some_pairs(25))
    held_out = HeldOut.of(text, np.arange(25), 1)
    prepared(tmp_path / "made", text, held_out, chunk=10, tell=lambda *now: told.append(now))
    assert told == [("tokenising", done, 25) for done in (0, 10, 20, 25)]


def test_text_without_a_good_pair_is_refused(tmp_path):
    text = text_of(tmp_path, ["", "a"], ["b", ""])
    with pytest.raises(CorpusError, match="no pair is left: 2 read, 0 kept, 2 empty"):
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
    survey = Survey.of(text)
    assert sample_pairs(text, survey, NOTHING, 10)[0] == lines
    assert sample_pairs(text, survey, NOTHING, 99)[0] == lines
    assert sample_pairs(text, survey, NOTHING, 5) == (
        ["s0", "s2", "s4", "s6", "s8"],
        ["S0", "S2", "S4", "S6", "S8"],
    )
    held_out = HeldOut((["s4"], ["?"]))
    assert sample_pairs(text, survey, held_out, 5)[0] == ["s0", "s2", "s5", "s7", "s9"]
    assert sample_pairs(text, survey, held_out, 99)[0] == [line for line in lines if line != "s4"]
    without = Survey.of(text, exclude=["s4"])
    assert sample_pairs(text, without, NOTHING, 5)[0] == ["s0", "s2", "s5", "s7", "s9"]
    none = Survey.of(text, exclude=lines)
    assert sample_pairs(text, none, NOTHING, 5) == ([], [])
