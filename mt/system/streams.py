r"""Lines of a text of any length, one after the other: plain, .gz or .xz by the file's suffix.

Knows bytes, compression and UTF-8. Does not know what a line means. Memory holds one line and a
block, so it does not grow with the text; a line has a limit for the same reason.

A line ends at "\n" only and keeps its end. What is damaged, cut off or not UTF-8 is refused with
the line it follows or stands in, never read over.
"""

from __future__ import annotations

import gzip
import io
import lzma
import os
import select
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import IO, Any, Protocol

from mt.errors import InputError

MAX_LINE_BYTES = 4 << 20
"""Longest line accepted, its end included: a long novel. To translate one takes up to fifty times
its size in memory; of words with tabs between them, hundreds of times."""

_BLOCK = 1 << 16
_DAMAGE = (EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError)


class Bytes(Protocol):
    """A stream of bytes that can be read line by line."""

    def readline(self, size: int, /) -> bytes: ...


@contextmanager
def open_lines(path: Path) -> Iterator[Iterator[str]]:
    """The lines of a UTF-8 text file, decompressed by its suffix, while the file is open.

    Raises:
        InputError: as `read_lines` does, when the line in question is asked for.
        OSError: the file cannot be opened.
    """
    with path.open("rb", buffering=0) as raw, interruptible(raw.fileno()) as file:
        yield read_lines(_DECOMPRESSED.get(path.suffix, _plain)(file), str(path))


class Waiting(io.BufferedReader):
    """A reader that knows whether there is another line to read."""

    def __init__(self, raw: _Interruptible) -> None:
        super().__init__(raw)
        self._raw = raw

    def idle(self) -> bool:
        """Whether there is no line now, and nothing says that there will be none."""
        if self._raw.ready():
            return False
        with self._raw.not_waiting():  # as an empty buffer would
            return b"\n" not in self.peek()


@contextmanager
def interruptible(descriptor: int) -> Iterator[Waiting]:
    """A reader of an open descriptor, which another thread may use and wait in for more to come.

    That thread is told that the stream has ended once the context is left. To close the descriptor
    under it would not wake it up. It stays open.
    """
    signal, signalled = os.pipe()
    try:
        with Waiting(_Interruptible(descriptor, signal)) as file:
            try:
                yield file
            finally:
                os.close(signalled)
    finally:
        os.close(signal)


def read_lines(file: Bytes, name: str) -> Iterator[str]:
    """The lines of a UTF-8 text that stands open; `name` is what messages call it.

    Raises:
        InputError: the text cannot be read on, or a line is not UTF-8 or too long.
    """
    for number in count(1):
        try:
            line = file.readline(MAX_LINE_BYTES + 1)
        except _DAMAGE as error:
            raise InputError(f"{name}: damaged behind line {number - 1:,}: {error}") from error
        except OSError as error:
            raise InputError(f"{name}: {error.strerror or error}") from error
        if not line:
            return
        if len(line) > MAX_LINE_BYTES:
            raise InputError(
                f"{name}, line {number}: longer than the {MAX_LINE_BYTES:,} bytes that are "
                "allowed; break the text into lines"
            )
        yield _decode(line, name, number)


def compressor(path: Path) -> Callable[[bytes], bytes]:
    """What makes of bytes a part of the file at path, by its suffix.

    Parts stand one behind the other: a .gz or .xz file of several members or streams, which is
    read like one of a single. The same bytes give the same part: no time or name goes into it.
    """
    return _COMPRESSED.get(path.suffix, _unchanged)


def _decode(line: bytes, name: str, number: int) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise InputError(
            f"{name}, line {number}: not UTF-8 (byte 0x{line[error.start]:02x} "
            f"at column {error.start + 1})"
        ) from error


class _Interruptible(io.RawIOBase):
    """A stream that ends when it does, or else when a second one does."""

    def __init__(self, descriptor: int, signal: int) -> None:
        self._descriptor, self._signal = descriptor, signal
        self._patience: float | None = None  # seconds that a read waits; None for ever

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if not (ready := self._wait(self._patience)):
            return None
        return 0 if self._signal in ready else os.readv(self._descriptor, [buffer])

    def ready(self) -> bool:
        """Whether a read would not have to wait; at the end of the stream, for one."""
        return bool(self._wait(0))

    @contextmanager
    def not_waiting(self) -> Iterator[None]:
        """Reads find nothing where they would have to wait."""
        self._patience = 0
        try:
            yield
        finally:
            self._patience = None

    def _wait(self, seconds: float | None) -> list[int]:
        return select.select([self._descriptor, self._signal], [], [], seconds)[0]


class _XzStreams(io.RawIOBase):
    """All streams of an .xz file.

    `lzma.open` ends in silence at a second stream that it cannot read, and with it the text. Here
    only zeros, which the format allows as padding, may stand between two streams or at the end.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ)
        self._ahead = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = b""
        while not data:
            if self._decoder.eof and not self._next_stream():
                return 0
            block = b""
            if self._decoder.needs_input:
                block = self._ahead or self._file.read(_BLOCK)
                self._ahead = b""
                if not block:
                    raise EOFError("the file ends before its last stream does")
            data = self._decoder.decompress(block, len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _next_stream(self) -> bool:
        rest = self._decoder.unused_data.lstrip(b"\0")
        while not rest:
            block = self._file.read(_BLOCK)
            if not block:
                return False
            rest = block.lstrip(b"\0")
        self._ahead = rest
        self._decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ)
        return True


class _GzipMembers(gzip.GzipFile):
    """All members of a .gz file; one without any, which gzip.open takes for an empty text, is none.

    A download that failed leaves such a file.
    """

    def __init__(self, file: io.BufferedReader) -> None:
        super().__init__(fileobj=file, mode="rb")
        self._none = not file.peek(1)

    def readline(self, size: int | None = -1) -> bytes:
        if self._none:
            raise EOFError("the file is empty")
        return super().readline(size)


def _plain(file: io.BufferedReader) -> Bytes:
    return file


def _gunzipped(file: io.BufferedReader) -> Bytes:
    return _GzipMembers(file)


def _unxzed(file: io.BufferedReader) -> Bytes:
    return io.BufferedReader(_XzStreams(file), _BLOCK)


def _unchanged(content: bytes) -> bytes:
    return content


def _gzip_member(content: bytes) -> bytes:
    return gzip.compress(content, compresslevel=6, mtime=0)


_DECOMPRESSED: dict[str, Callable[[io.BufferedReader], Bytes]] = {".gz": _gunzipped, ".xz": _unxzed}
_COMPRESSED: dict[str, Callable[[bytes], bytes]] = {".gz": _gzip_member, ".xz": lzma.compress}
