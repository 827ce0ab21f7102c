"""A job takes its lines in chunks, in order, and says how far it is."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Iterable, Iterator

import pytest

from mt.config import JobConfig
from mt.errors import InputError, JobError
from mt.jobs import Progress, one_by_one, run_job, survey
from mt.jobs.chunks import CHUNK_LENGTH
from mt.system.files import sha256
from mt.system.streams import read_lines
from support.jobs import MemorySink, Shouter


def run(lines: Iterable[str], sink: MemorySink | None = None, **options) -> tuple[str, Shouter]:
    chunk_lines = options.pop("chunk_lines", 3)
    report = options.pop("report", lambda lines, size: None)
    sink, shouter = sink or MemorySink(), Shouter()
    run_job(
        one_by_one(shouter.as_translator(), JobConfig(**options)),
        iter(lines),
        "in.de",
        sink,
        chunk_lines=chunk_lines,
        report=report,
    )
    return sink.content.decode(), shouter


def test_line_n_in_is_line_n_out():
    text, _ = run(["a\n", "\n", "b\r\n", "c\u2028d\n", "e"])
    assert text == "A\n\nB\r\nC\u2028D\nE"


def test_lines_are_translated_some_at_a_time_and_a_long_one_ends_a_chunk():
    long = "x" * CHUNK_LENGTH
    _, shouter = run(["a", long, "b", "c", "d", "e"])
    assert shouter.calls == [["a", long], ["b", "c", "d"], ["e"]]


def test_only_full_chunks_are_promised():
    sink = MemorySink()
    run(["a\n", "ä\n", "c?\n", "d"], sink)
    (promise,) = sink.commits
    assert promise.lines == 3
    assert promise.source == sha256("a\nä\nc?\n".encode())
    assert promise.flagged["question"].first == (3,)


def test_lines_that_are_done_are_passed_over_and_numbers_go_on():
    sink = MemorySink(progress=Progress(lines=1, source=sha256(b"a\n")))
    text, shouter = run(["a\n", "b\n"], sink, format="jsonl")
    assert shouter.calls == [["b"]]
    assert '"line": 2' in text


@pytest.mark.parametrize("lines", [["b\n"], ["a\r\n"], ["a"], [], ["", "a\n"]])
def test_lines_that_are_done_must_still_be_the_same(lines):
    sink = MemorySink(progress=Progress(lines=1, source=sha256(b"a\n")))
    with pytest.raises(JobError, match=r"in\.de: its first 1 lines are not those"):
        run(lines, sink)
    assert sink.content == b""


def test_reports_count_lines_and_bytes_from_where_the_job_goes_on():
    reports: list[tuple[int, int]] = []
    sink = MemorySink(progress=Progress(lines=1, source=sha256("ä\n".encode())))
    run(
        ["ä\n", "b\n", "cc\n", "d\n"],
        sink,
        chunk_lines=2,
        report=lambda lines, size: reports.append((lines, size)),
    )
    assert reports == [(1, 3), (3, 8), (4, 10)]


def test_a_row_that_cannot_be_translated_is_told_with_its_line():
    with pytest.raises(InputError, match=r"^in\.de, line 4: column 2"):
        run(["a\tb\n"] * 3 + ["c\n"], column=2)


def test_a_survey_finds_the_mistake_in_the_last_line():
    with pytest.raises(InputError, match=r"^in\.de, line 3: column 2"):
        survey(iter(["a\tb\n", "a\tb\n", "c"]), "in.de", JobConfig(column=2))
    assert survey(iter(["ä\n", "b"]), "in.de", JobConfig()) == 4


class Forgetful(MemorySink):
    def write(self, content: bytes) -> None:
        pass

    def commit(self, progress: Progress) -> None:
        pass


class ForgetfulShouter(Shouter):
    def translate(self, texts, *, alternatives=0):
        translations = super().translate(texts, alternatives=alternatives)
        self.calls.clear()
        return translations


class Repeated(io.RawIOBase):
    """The same line over and over, made as it is read."""

    def __init__(self, line: bytes, times: int) -> None:
        self.line, self.times = line, times

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        if not self.times:
            return 0
        self.times -= 1
        buffer[: len(self.line)] = self.line
        return len(self.line)


def peak_memory(lines: Iterator[str]) -> int:
    tracemalloc.start()
    try:
        translate = one_by_one(ForgetfulShouter().as_translator(), JobConfig())
        run_job(translate, lines, "in", Forgetful())
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_number_of_lines():
    short, long = (
        peak_memory(read_lines(io.BufferedReader(Repeated(b"Ein Hund?\n", times)), "in"))
        for times in (1_000, 6_000)
    )
    assert long - short < 100_000


def test_memory_does_not_grow_with_the_number_of_long_lines():
    line = b"Ein Hund " * 10_000 + b"\n"
    few, many = (
        peak_memory(read_lines(io.BufferedReader(Repeated(line, times), len(line)), "in"))
        for times in (6, 30)
    )
    assert many - few < 100_000
