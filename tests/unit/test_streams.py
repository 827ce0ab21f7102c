"""Lines come as they stand in the file, and damage is told, not read over."""

from __future__ import annotations

import gzip
import io
import lzma
import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue

import pytest

from mt.errors import InputError
from mt.system.streams import MAX_LINE_BYTES, compressor, interruptible, open_lines, read_lines

TEXT = "Grüße\r\n\n  zwei\u2028\x85drei\x0b\nEnde"
LINES = ["Grüße\r\n", "\n", "  zwei\u2028\x85drei\x0b\n", "Ende"]


def packed(suffix: str, content: bytes) -> bytes:
    return {"": bytes, ".gz": gzip.compress, ".xz": lzma.compress}[suffix](content)


def lines_of(path: Path) -> list[str]:
    with open_lines(path) as lines:
        return list(lines)


@pytest.mark.parametrize("suffix", ["", ".gz", ".xz"])
def test_a_line_ends_at_a_line_feed_only_and_keeps_its_end(tmp_path, suffix):
    path = tmp_path / f"in.de{suffix}"
    path.write_bytes(packed(suffix, TEXT.encode()))
    assert lines_of(path) == LINES


@pytest.mark.parametrize("suffix", [".gz", ".xz"])
def test_a_compressed_file_may_have_several_parts(tmp_path, suffix):
    # Cut in the middle of a line, and of a character.
    content = TEXT.encode()
    path = tmp_path / f"in.de{suffix}"
    path.write_bytes(
        packed(suffix, content[:3]) + packed(suffix, b"") + packed(suffix, content[3:])
    )
    assert lines_of(path) == LINES


def test_zeros_may_stand_between_and_behind_xz_streams(tmp_path):
    path = tmp_path / "in.xz"
    path.write_bytes(lzma.compress(b"a\n") + bytes(100_000) + lzma.compress(b"b\n") + bytes(4))
    assert lines_of(path) == ["a\n", "b\n"]


@pytest.mark.parametrize("suffix", [".gz", ".xz"])
@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-1],
        lambda content: content[: len(content) // 2],
        lambda content: content[:3],
        lambda content: b"",
        lambda content: content + b"more",
        lambda content: content + b"\0\0\0\0" + content[:10],
        lambda content: content[:20] + bytes([content[20] ^ 255]) + content[21:],
        lambda content: b"plain text\n",
    ],
    ids=["last byte", "half", "header", "all", "tail", "half a tail", "one byte", "plain"],
)
def test_damage_is_told(tmp_path, suffix, damage):
    path = tmp_path / f"in.de{suffix}"
    path.write_bytes(damage(packed(suffix, TEXT.encode() * 10)))
    with pytest.raises(InputError, match=r"in\.de\.\w\w: damaged behind line \d+: .*\w"):
        lines_of(path)


def test_damage_is_told_with_the_line_before_it(tmp_path):
    path = tmp_path / "in.xz"
    second = bytearray(lzma.compress(b"c\n"))
    second[0] ^= 1  # lzma.open would take it for the end of the file
    path.write_bytes(lzma.compress(b"a\nb\n") + second)
    with open_lines(path) as lines:
        assert [next(lines), next(lines)] == ["a\n", "b\n"]
        with pytest.raises(InputError, match=r"in\.xz: damaged behind line 2: "):
            next(lines)


def test_a_line_that_is_not_utf8_is_told_with_byte_and_place():
    lines = read_lines(io.BytesIO(b"gut\nGr\xfc\xdfe\n"), "standard input")
    assert next(lines) == "gut\n"
    with pytest.raises(InputError) as caught:
        next(lines)
    assert str(caught.value) == "standard input, line 2: not UTF-8 (byte 0xfc at column 3)"


def test_a_line_has_a_longest_length_its_end_included():
    longest = b"x" * (MAX_LINE_BYTES - 1) + b"\n"
    lines = read_lines(io.BytesIO(longest + b"x" + longest), "in.de")
    assert len(next(lines)) == MAX_LINE_BYTES
    with pytest.raises(InputError, match=r"^in\.de, line 2: longer than the 4,194,304 bytes"):
        next(lines)


def test_a_line_without_end_is_not_read_whole():
    class Endless(io.BytesIO):
        asked = 0

        def readline(self, size: int | None = -1) -> bytes:
            assert size is not None
            self.asked += size
            return b"x" * size

    endless = Endless()
    with pytest.raises(InputError, match="longer than"):
        next(read_lines(endless, "in"))
    assert endless.asked == MAX_LINE_BYTES + 1


def test_a_disk_that_cannot_be_read_is_told():
    class Broken(io.BytesIO):
        def readline(self, size: int | None = -1) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(InputError, match=r"^in\.de: Input/output error$"):
        next(read_lines(Broken(), "in.de"))


@pytest.mark.parametrize("suffix", ["", ".gz", ".xz"])
def test_parts_one_behind_the_other_are_the_file(tmp_path, suffix):
    path = tmp_path / f"out.en{suffix}"
    make = compressor(path)
    path.write_bytes(make(b"a\nb") + make(b"") + make(b"c\n"))
    assert lines_of(path) == ["a\n", "bc\n"]


@pytest.mark.parametrize("suffix", [".gz", ".xz"])
def test_the_same_bytes_are_compressed_alike_at_any_time(monkeypatch, suffix):
    monkeypatch.setattr("time.time", lambda: 1e9)
    before = compressor(Path(f"a{suffix}"))(b"text")
    monkeypatch.setattr("time.time", lambda: 2e9)
    assert compressor(Path(f"b{suffix}"))(b"text") == before


def test_a_thread_that_waits_for_more_is_let_go(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = os.open(pipe, os.O_RDWR)  # does not wait for a reader
    read: SimpleQueue[str] = SimpleQueue()

    def read_all(lines: Iterator[str]) -> None:
        with suppress(ValueError):  # if it has not begun to wait when the file is closed
            for line in lines:
                read.put(line)

    with open_lines(pipe) as lines:
        thread = threading.Thread(target=read_all, args=(lines,), daemon=True)
        thread.start()
        os.write(writer, b"a\n")
        assert read.get(timeout=60) == "a\n"
    thread.join(60)
    assert not thread.is_alive()
    os.close(writer)


def test_a_reader_knows_whether_there_is_another_line():
    reader, writer = os.pipe()
    with interruptible(reader) as file:
        assert file.idle()
        os.write(writer, b"a\nb\nc")
        assert not file.idle()
        assert file.readline() == b"a\n"
        assert not file.idle()  # the rest has been read already, and waits in a buffer
        assert file.readline() == b"b\n"
        assert file.idle()  # a part of a line is none
        os.write(writer, b"\n")
        assert not file.idle()
        assert file.readline() == b"c\n"
        os.close(writer)
        assert not file.idle()  # it has ended
        assert file.readline() == b""
    os.close(reader)
