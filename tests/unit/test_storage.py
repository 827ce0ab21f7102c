"""Folders of prepared pairs: what is written is what is mapped, whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mt.corpus import Corpus, CorpusFolder, FilterReport, Sentences, arrays, new_folder
from mt.errors import CorpusError
from support.bundles import tiny_tokenizers
from support.commands import ROOT

SOURCE, TARGET = [[5, 6], [7], [8, 9, 10]], [[4], [4, 4], [11]]
TEXT = (["fünf sechs", "sieben", "acht"], ["four", "4 4", "elf \u2028"])
REPORT = FilterReport(read=4, kept=3, empty=1, duplicate=0, too_long=0, uneven=0)
RECORD = {"made": "of nothing"}


def write(path: Path, *, with_text: bool = False, held_out=((), ())) -> CorpusFolder:
    with new_folder(path, with_text=with_text) as new:
        for part in (slice(0, 2), slice(2, 2), slice(2, 3)):  # the middle one is empty
            new.append(
                Sentences.of(SOURCE[part]),
                Sentences.of(TARGET[part]),
                (TEXT[0][part], TEXT[1][part]),
            )
        new.finish(RECORD, REPORT, tiny_tokenizers(), held_out)
    return CorpusFolder(path)


def rows(corpus: Corpus) -> tuple[list[list[int]], list[list[int]]]:
    source, target = (
        [side[number].tolist() for number in range(len(corpus))]
        for side in (corpus.source, corpus.target)
    )
    return source, target


def test_what_was_appended_is_what_is_mapped(tmp_path):
    folder = write(tmp_path / "made")
    corpus = folder.corpus()
    assert rows(corpus) == (SOURCE, TARGET)
    assert (corpus.report, folder.record, corpus.texts) == (REPORT, RECORD, None)
    assert folder.held_out() == ([], [])
    expected = tiny_tokenizers()
    assert [t.content for t in folder.tokenizers()] == [t.content for t in expected]


def test_arrays_are_mapped_and_those_that_a_list_would_give(tmp_path):
    corpus = write(tmp_path / "made").corpus()
    for side, rows_of_it in ((corpus.source, SOURCE), (corpus.target, TARGET)):
        expected = Sentences.of(rows_of_it)
        for array, other in ((side.ids, expected.ids), (side.starts, expected.starts)):
            assert isinstance(array.base, np.memmap)
            assert not array.flags.writeable
            assert array.dtype == other.dtype
            assert array.tolist() == other.tolist()


def test_any_reader_of_npy_files_can_read_them(tmp_path):
    write(tmp_path / "made")
    ids = np.load(tmp_path / "made" / "target.ids.npy", allow_pickle=False)
    assert ids.tolist() == [4, 4, 4, 11]


def test_the_content_is_that_of_the_arrays_one_behind_the_other(tmp_path):
    sides = (Sentences.of(SOURCE), Sentences.of(TARGET))
    expected = b"".join(side.ids.tobytes() + side.starts.tobytes() for side in sides)
    assert b"".join(write(tmp_path / "made").content()) == expected


def test_lines_come_back_one_by_one_in_parts_and_all(tmp_path):
    source, target = write(tmp_path / "made", with_text=True).corpus().texts
    assert (list(source), list(target)) == TEXT
    assert source[1] == "sieben"
    assert [list(source[part]) for part in (slice(1, 9), slice(0, 2), slice(5, 9))] == [
        ["sieben", "acht"],
        ["fünf sechs", "sieben"],
        [],
    ]
    with pytest.raises(IndexError):
        source[3]


def test_held_out_pairs_come_back(tmp_path):
    held_out = (["ja", " Übung \u2028", ""], ["yes", "training", "x"])
    assert write(tmp_path / "made", held_out=held_out).held_out() == held_out


def test_the_same_pairs_are_the_same_bytes(tmp_path):
    first, second = (
        {path.name: path.read_bytes() for path in write(tmp_path / name).path.iterdir()}
        for name in ("first", "second")
    )
    assert first == second


def test_what_fails_leaves_nothing_and_no_folder_above_it(tmp_path):
    with pytest.raises(ZeroDivisionError), new_folder(tmp_path / "a" / "b", with_text=True):
        _ = 1 / 0
    assert list(tmp_path.iterdir()) == []


def test_what_fails_leaves_what_others_have_put_beside_it(tmp_path):
    with pytest.raises(FileExistsError), new_folder(tmp_path / "a" / "b", with_text=True):
        made_twice(tmp_path / "a" / "other")
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["other"]


def test_a_disk_that_fails_again_at_the_end_does_not_hide_what_failed(tmp_path, monkeypatch):
    monkeypatch.setattr(arrays, "close_written", failing)
    with pytest.raises(ZeroDivisionError), new_folder(tmp_path / "a", with_text=True):
        _ = 1 / 0
    with pytest.raises(OSError, match="No space left"), new_folder(tmp_path / "a", with_text=True):
        pass
    assert list(tmp_path.iterdir()) == []


def made_twice(folder):
    for _ in range(2):
        folder.mkdir()


def failing(file):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_what_fails_leaves_what_stood_there_before(tmp_path):
    before = rows(write(tmp_path / "made").corpus())
    with pytest.raises(ZeroDivisionError), new_folder(tmp_path / "made", with_text=False):
        _ = 1 / 0
    assert rows(CorpusFolder(tmp_path / "made").corpus()) == before
    assert [path.name for path in tmp_path.iterdir()] == ["made"]


def test_prepared_pairs_are_replaced_but_no_other_folder(tmp_path):
    write(tmp_path / "made", with_text=True)
    assert not write(tmp_path / "made").has_text
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "diary.txt").write_text("dear")
    with pytest.raises(CorpusError, match="other: cannot be written: Directory not empty"):
        write(tmp_path / "other")
    assert (tmp_path / "other" / "diary.txt").read_text() == "dear"


def test_what_a_killed_process_left_is_no_hindrance(tmp_path):
    (tmp_path / "made.part").mkdir()
    (tmp_path / "made.part" / "source.txt").write_text("half")
    assert not write(tmp_path / "made").has_text
    assert [path.name for path in tmp_path.iterdir()] == ["made"]


def test_a_process_killed_while_it_replaces_prepared_pairs_is_no_hindrance(tmp_path, monkeypatch):
    def kill(path: Path, **options: object) -> None:
        if path.exists():
            (path / "corpus.json").unlink()
            raise KeyboardInterrupt

    write(tmp_path / "made", with_text=True)
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", kill)
        with pytest.raises(KeyboardInterrupt):
            write(tmp_path / "made")
    assert not write(tmp_path / "made").has_text
    assert [path.name for path in tmp_path.iterdir()] == ["made"]


LOCKED = """
import sys
from pathlib import Path
from mt.corpus import new_folder
with new_folder(Path(sys.argv[1]), with_text=False):
    print(flush=True)
    sys.stdin.read()
    raise SystemExit
"""


def test_two_processes_do_not_make_one_folder(tmp_path):
    command = [sys.executable, "-c", LOCKED, str(tmp_path / "made")]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        with pytest.raises(CorpusError, match=r"made\.part is being written by another process$"):
            write(tmp_path / "made")
        assert (tmp_path / "made.part").exists()
    assert not (tmp_path / "made.part").exists()
    write(tmp_path / "made")


@pytest.mark.parametrize("name", ["source.ids.npy", "target.starts.npy", "source.spm"])
def test_a_file_that_was_cut_short_is_refused(tmp_path, name):
    path = write(tmp_path / "made").path / name
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CorpusError, match="damaged"):
        CorpusFolder(tmp_path / "made")


@pytest.mark.parametrize("content", [None, b"", b"[]", b'{"format": 2}'])
def test_a_folder_without_a_good_record_is_refused(tmp_path, content):
    path = write(tmp_path / "made").path / "corpus.json"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CorpusError, match=r"made: not a folder of prepared text: [^\n]*$"):
        CorpusFolder(tmp_path / "made")
