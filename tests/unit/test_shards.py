"""Shards of a text, put together, are what a single job writes, however often each is written."""

from __future__ import annotations

import gzip
import lzma
from collections.abc import Iterator
from pathlib import Path

import pytest

from mt.config import JobConfig
from mt.errors import InputError, JobError
from mt.jobs import CHUNK_LINES, one_by_one
from mt.jobs.chunks import Chunk, Translated
from mt.jobs.record import Flagged
from mt.jobs.shards import (
    MAX_DEATHS,
    Shard,
    attempts,
    find_record,
    join_shards,
    plan_shards,
    translate_shard,
)
from mt.system.files import sha256
from support.jobs import Shouter, shout

TEXT = "".join(f"line {n}{'?' * (n == 1103)}{end}" for n in range(1, 1200) for end in ("\r\n",))
"""Three chunks, the last of which is not full, and a line with a flag in it."""

TRANSLATE = one_by_one(Shouter().as_translator(), JobConfig())


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in.de"
    path.write_bytes(TEXT.encode())
    return path


def planned(source: Path, name: str = "out.en", **options) -> list[Shard]:
    return plan_shards(source, source.parent / name, JobConfig(), **options)


def test_shards_end_where_chunks_end_and_know_the_lines_before_them(source: Path) -> None:
    first, second = planned(source, shard_chunks=2)
    assert CHUNK_LINES == 500
    assert (first.before, first.last, second.before, second.last) == (0, 1000, 1000, 1199)
    lines = TEXT.splitlines(keepends=True)
    assert first.hash == second.before_hash == sha256("".join(lines[:1000]).encode())
    assert second.hash == sha256(TEXT.encode())
    assert [Path(each.output).name for each in (first, second)] == [
        *("out.en.00000-of-00002", "out.en.00001-of-00002")
    ]
    assert str(second) == f"{source}, lines 1001-1199"


@pytest.mark.parametrize("shard_chunks", [1, 2, 3])
@pytest.mark.parametrize(("suffix", "module"), [("", None), (".gz", gzip), (".xz", lzma)])
def test_joined_shards_are_the_output_of_a_single_job(
    source: Path, suffix: str, module, shard_chunks: int
) -> None:
    job = JobConfig(format="jsonl")
    output, single = (source.with_name(f"{name}.jsonl{suffix}") for name in ("out", "single"))
    if module:
        source = source.with_name(f"in.de{suffix}")
        source.write_bytes(module.compress(TEXT.encode()))
    shout(source, single, format="jsonl", chunk_lines=CHUNK_LINES)

    shards = plan_shards(source, output, job, shard_chunks=shard_chunks)
    for shard in reversed(shards):
        translate_shard(one_by_one(Shouter().as_translator(), job), shard)
    join_shards(shards, output)

    assert output.read_bytes() == single.read_bytes()
    flagged = [record.flagged for shard in shards if (record := find_record(shard))]
    assert {"question": Flagged(lines=1, first=(1103,))} in flagged
    assert len(flagged) == len(shards)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_text_without_a_line_is_one_shard(source: Path, suffix: str) -> None:
    source.write_bytes(b"")
    (shard,) = planned(source, f"out{suffix}")
    translate_shard(TRANSLATE, shard)
    join_shards([shard], source.with_name(f"out{suffix}"))
    shout(source, source.with_name(f"single{suffix}"))
    whole = source.with_name(f"out{suffix}").read_bytes()
    assert whole == source.with_name(f"single{suffix}").read_bytes()


def test_a_mistake_in_a_line_is_told_before_anything_is_translated(source: Path) -> None:
    with pytest.raises(InputError, match=r"in\.de, line 1: column 2"):
        plan_shards(source, source, JobConfig(column=2))


def test_a_shard_written_twice_at_once_is_written_once(source: Path) -> None:
    (shard,) = planned(source)

    def twice(chunks: Iterator[Chunk]) -> Iterator[tuple[Chunk, Translated]]:
        for number, each in enumerate(TRANSLATE(chunks)):
            yield each
            if number == 1:  # another process begins later and is done earlier
                assert len(attempts(shard)) == 1
                translate_shard(TRANSLATE, shard)

    translate_shard(twice, shard)

    assert Path(shard.output).read_bytes().decode() == TEXT.upper()
    assert find_record(shard) is not None
    assert attempts(shard) == []


def test_a_shard_is_done_once_its_record_is_there_and_the_text_is_the_same(source: Path) -> None:
    shards = planned(source, shard_chunks=1)
    assert [find_record(shard) for shard in shards] == [None] * 3
    for shard in shards:
        translate_shard(TRANSLATE, shard)
    source.write_bytes(TEXT.replace("line 600", "line six").encode())
    # What is behind another line is not where it was, so it is not taken for the same.
    assert [bool(find_record(shard)) for shard in planned(source, shard_chunks=1)] == [
        *(True, False, False)
    ]
    Path(f"{shards[0].output}.json").unlink()
    assert find_record(shards[0]) is None


def test_a_damaged_shard_is_not_joined(source: Path) -> None:
    (shard,) = planned(source)
    translate_shard(TRANSLATE, shard)
    Path(shard.output).write_bytes(TEXT.upper().replace("LINE 6", "LINE 9").encode())
    with pytest.raises(JobError, match="00000-of-00001: missing or damaged"):
        join_shards([shard], source.with_name("out.en"))
    assert not source.with_name("out.en").exists()


def test_a_text_that_changes_meanwhile_is_refused_and_leaves_nothing(source: Path) -> None:
    first, last = planned(source, shard_chunks=2)
    source.write_bytes(TEXT.replace("line 1100", "line 9999").encode())
    translate_shard(TRANSLATE, first)
    with pytest.raises(JobError, match=r"lines 1001-1199 have changed"):
        translate_shard(TRANSLATE, last)
    assert find_record(last) is None
    assert attempts(last) == []
    source.write_bytes(TEXT.replace("line 100\r", "line 999\r").encode())
    with pytest.raises(JobError, match=r"its first 1,000 lines are not those"):
        translate_shard(TRANSLATE, last)


def test_a_shard_that_killed_three_processes_is_given_up(source: Path) -> None:
    (shard,) = planned(source)
    for number in range(MAX_DEATHS):
        killed = Path(shard.output)
        killed.with_name(f".{killed.name}.{number}.tmp").touch()
    with pytest.raises(JobError, match=r"in\.de, lines 1-1199: 3 processes died"):
        translate_shard(TRANSLATE, shard)
