"""Many texts become one folder, whole or not at all, and an unfinished one can be gone on with."""

from __future__ import annotations

from pathlib import Path

import pytest

from mt.config import JobConfig
from mt.errors import JobError
from mt.jobs import one_by_one
from mt.jobs.corpora import find_texts, open_corpus, would_hold
from mt.jobs.shards import find_record, translate_shard
from support.jobs import Shouter

JOB = JobConfig()
TRANSLATE = one_by_one(Shouter().as_translator(), JOB)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("corpus/b.de", "corpus/more/a.de", "corpus/.hidden", "corpus/more/c.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"{name}\n")
    return tmp_path


def names(pattern: Path) -> list[str]:
    return [str(name) for name in find_texts(str(pattern))]


def test_a_folder_a_pattern_or_a_file_names_texts(folder: Path) -> None:
    assert names(folder / "corpus") == ["b.de", "more/a.de", "more/c.txt"]
    assert names(folder / "corpus/**/*.de") == ["b.de", "more/a.de"]
    assert names(folder / "corpus/more/*.de") == ["a.de"]
    assert names(folder / "corpus/b.de") == ["b.de"]
    (folder / "corpus/d[1].de").write_text("")
    assert names(folder / "corpus/d[1].de") == ["d[1].de"]
    with pytest.raises(JobError, match=r"corpus/\*\.en: no such file"):
        find_texts(str(folder / "corpus/*.en"))


@pytest.mark.parametrize(
    ("pattern", "output", "held"),
    [
        ("corpus", "corpus/out", True),
        ("corpus", "corpus", True),
        ("corpus", "out", False),
        ("corpus/**", "corpus/out", True),
        ("corp*/**/*.de", "corpus/more/out", True),
        ("**/*.de", "out", True),
        ("corpus/**", "out", False),
        ("corpus/*.de", "corpus/out", False),
        ("corpus/b.de", "corpus/out", False),
    ],
)
def test_an_output_that_a_corpus_would_hold_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch, pattern: str, output: str, held: bool
) -> None:
    monkeypatch.chdir(folder)
    assert would_hold(pattern, Path(output)) == held
    assert would_hold(str(folder / pattern), folder / output) == held


def test_the_output_is_whole_or_not_there(folder: Path) -> None:
    output = folder / "out"
    sources = find_texts(str(folder / "corpus"))
    with open_corpus(output, {"model": 1}, resume=False) as corpus:
        texts = corpus.plan(sources, JOB)
        for text in texts[:2]:
            translate_shard(TRANSLATE, text.shards[0])
        with pytest.raises(JobError, match="damaged"):
            corpus.finish(texts)
        assert not output.exists()

    with open_corpus(output, {"model": 1}, resume=True) as corpus:
        texts = corpus.plan(sources, JOB)
        assert [find_record(text.shards[0]) is None for text in texts] == [False, False, True]
        translate_shard(TRANSLATE, texts[2].shards[0])
        corpus.finish(texts)

    found = {path.relative_to(output): path for path in output.rglob("*") if path.is_file()}
    assert {str(name): path.read_text() for name, path in found.items()} == {
        "b.de": "CORPUS/B.DE\n",
        "more/a.de": "CORPUS/MORE/A.DE\n",
        "more/c.txt": "CORPUS/MORE/C.TXT\n",
    }
    assert not (folder / "out.part").exists()


def test_an_unfinished_job_is_gone_on_with_only_when_asked_and_alike(folder: Path) -> None:
    output = folder / "out"
    with (
        open_corpus(output, {"model": 1}, resume=True),
        pytest.raises(JobError, match="written by another process"),
        open_corpus(output, {"model": 1}, resume=True),
    ):
        pass
    with (
        pytest.raises(JobError, match="add --resume"),
        open_corpus(output, {"model": 1}, resume=False),
    ):
        pass
    with (
        pytest.raises(JobError, match="begun with model = 1, which is now 2"),
        open_corpus(output, {"model": 2}, resume=True),
    ):
        pass


def test_a_finished_output_is_not_written_over(folder: Path) -> None:
    with (
        pytest.raises(JobError, match="corpus is there already"),
        open_corpus(folder / "corpus", {}, resume=True),
    ):
        pass
    assert not (folder / "corpus.part").exists()


def test_what_killed_processes_left_is_cleared_before_a_job_goes_on(folder: Path) -> None:
    sources = find_texts(str(folder / "corpus/b.de"))
    left = folder / "out.part/shards/.b.de.00000-of-00001.4711.tmp"
    for _ in range(2):
        with open_corpus(folder / "out", {}, resume=True) as corpus:
            corpus.plan(sources, JOB)
            assert not left.exists()
            left.touch()


def test_what_a_call_that_was_killed_while_it_finished_had_put_together_is_made_again(
    folder: Path,
) -> None:
    with open_corpus(folder / "out", {}, resume=False) as corpus:
        (text,) = corpus.plan(find_texts(str(folder / "corpus/b.de")), JOB)
        translate_shard(TRANSLATE, text.shards[0])
        stray = folder / "out.part/whole/.b.de.4711.tmp"
        stray.parent.mkdir()
        stray.touch()
        corpus.finish([text])
    assert [path.name for path in (folder / "out").iterdir()] == ["b.de"]
