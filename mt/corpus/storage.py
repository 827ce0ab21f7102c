"""Prepared pairs in a folder: arrays that are mapped into memory instead of read.

Knows arrays, lines and files. Does not know how pairs are prepared, or what from: a record, whose
meaning is the caller's, goes with them.

    corpus.json             the record, the filters' counts, and the size of every other file
    source.ids.npy ...      `Sentences` of both sides
    source.spm, target.spm  the tokenizers whose ids they are
    source.txt ...          the kept pairs as text, with source.lines.npy, if asked for
    held_out.source.txt ... pairs taken out of the text to validate on, if there are any

A folder is made under another name, locked, and has its own only when it is whole.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO, overload

import numpy as np
from numpy.lib import format as npy
from numpy.typing import DTypeLike, NDArray

from mt.corpus.filters import FilterReport
from mt.corpus.sentences import Corpus, Sentences
from mt.corpus.text import Pairs, read_lines
from mt.errors import BundleError, CorpusError
from mt.files import settle, write_atomic, write_json
from mt.tokenizer import Tokenizer, TokenizerPair

FORMAT = 1
_RECORD = "corpus.json"
_BLOCK = 1 << 20
_SIDES = ("source", "target")


class CorpusFolder:
    """Prepared pairs as they lie on the disk."""

    def __init__(self, path: Path) -> None:
        """Look at the folder; its arrays are not touched yet.

        Raises:
            CorpusError: it holds no prepared pairs, or a file of them is not as it was written.
        """
        self.path = path
        try:
            content = json.loads((path / _RECORD).read_bytes())
            self.record: dict[str, Any] = content["record"]
            """What was handed to `NewCorpusFolder.finish`."""
            self.report = FilterReport(**content["filters"])
            sizes: dict[str, int] = content["sizes"]
            whole = content["format"] == FORMAT and all(
                (path / name).stat().st_size == size for name, size in sizes.items()
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CorpusError(f"{path}: not a folder of prepared text: {error}") from error
        if not whole:
            raise CorpusError(f"{path}: prepared by another version, or damaged; remove it")

    @property
    def has_text(self) -> bool:
        return (self.path / "source.txt").exists()

    def corpus(self) -> Corpus:
        """The pairs, mapped: a page of them is read when it is first needed."""
        source, target = (
            Sentences(self._array(f"{side}.ids"), self._array(f"{side}.starts")) for side in _SIDES
        )
        texts = (self._lines("source"), self._lines("target")) if self.has_text else None
        return Corpus(source, target, self.report, texts)

    def tokenizers(self) -> TokenizerPair:
        """Those the ids are of.

        Raises:
            CorpusError: they cannot be read.
        """
        try:
            return read_tokenizers(self.path)
        except (OSError, BundleError) as error:
            raise CorpusError(f"{self.path}: its tokenizers cannot be read: {error}") from error

    def held_out(self) -> Pairs:
        """The pairs that were held out; none where none were."""
        paths = [self.path / f"held_out.{side}.txt" for side in _SIDES]
        source, target = (read_lines(path) if path.exists() else [] for path in paths)
        return source, target

    def content(self) -> Iterator[bytes]:
        """The bytes of ids and starts of the source, then of the target, block by block."""
        for name in (f"{side}.{array}" for side in _SIDES for array in ("ids", "starts")):
            # Read, not taken from the map: its pages would count as memory of this process.
            with (self.path / f"{name}.npy").open("rb") as file:
                file.seek(-self._array(name).nbytes, os.SEEK_END)
                while block := file.read(_BLOCK):
                    yield block

    def _array(self, name: str) -> NDArray[Any]:
        # As a plain view: np.memmap spends microseconds on each slice.
        return np.asarray(np.load(self.path / f"{name}.npy", mmap_mode="r", allow_pickle=False))

    def _lines(self, side: str) -> Lines:
        content = np.memmap(self.path / f"{side}.txt", np.uint8, "r")
        return Lines(np.asarray(content), self._array(f"{side}.lines"))


class NewCorpusFolder:
    """A folder of prepared pairs in the making, to which pairs are appended."""

    def __init__(self, path: Path, stack: ExitStack, *, with_text: bool) -> None:
        self.path = path
        self._sides = [
            stack.enter_context(_SideWriter(path, name, with_text=with_text)) for name in _SIDES
        ]

    def append(self, source: Sentences, target: Sentences, texts: Pairs) -> None:
        """Write pairs behind those that are there; `texts` is of use only if text is kept."""
        for writer, sentences, lines in zip(self._sides, (source, target), texts, strict=True):
            writer.append(sentences, lines)

    def finish(
        self,
        record: Mapping[str, Any],
        report: FilterReport,
        tokenizers: TokenizerPair,
        held_out: Pairs,
    ) -> CorpusFolder:
        """Write the rest; nothing can be appended any more.

        Args:
            record: what the pairs were made of, as plain JSON.
        """
        for writer in self._sides:
            writer.close()
        for side, tokenizer, lines in zip(_SIDES, tokenizers, held_out, strict=True):
            write_atomic(self.path / f"{side}.spm", tokenizer.content)
            if lines:
                write_atomic(self.path / f"held_out.{side}.txt", _joined(lines))
        files = sorted(self.path.iterdir())
        content = {
            "format": FORMAT,
            "record": record,
            "filters": asdict(report),
            "sizes": {path.name: path.stat().st_size for path in files},
        }
        write_json(self.path / _RECORD, content)
        return CorpusFolder(self.path)


@contextmanager
def new_folder(path: Path, *, with_text: bool) -> Iterator[NewCorpusFolder]:
    """Make a folder of prepared pairs; it stands at path if the block ends without an exception.

    Folders above it are made too, and go again if it does not come to that. Prepared pairs that
    stood at path are replaced.

    Args:
        with_text: keep the text of the pairs as well as its ids.

    Raises:
        CorpusError: another process is making it.
        OSError: it cannot be written.
    """
    part = path.with_name(f"{path.name}.part")
    missing = [folder for folder in part.parents if not folder.exists()]
    part.mkdir(parents=True, exist_ok=True)
    with _locked(part):
        try:
            for leftover in part.iterdir():  # of a process that was killed
                leftover.unlink()
            with ExitStack() as stack:
                yield NewCorpusFolder(part, stack, with_text=with_text)
            if (path / _RECORD).exists():
                shutil.rmtree(path)
            settle(part, path)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            for folder in missing:  # from the nearest up
                with suppress(OSError):
                    folder.rmdir()  # stays if somebody else has put something there
            raise


def read_tokenizers(folder: Path) -> TokenizerPair:
    """The tokenizers source.spm and target.spm of a folder; the same object twice if they are one.

    Raises:
        OSError: a file cannot be read.
        BundleError: a file is no tokenizer.
    """
    source, target = ((folder / f"{side}.spm").read_bytes() for side in _SIDES)
    first = Tokenizer(source)
    return TokenizerPair(first, first if source == target else Tokenizer(target))


class Lines(Sequence[str]):
    """Lines of a mapped text, each decoded when it is asked for."""

    def __init__(self, content: NDArray[np.uint8], starts: NDArray[np.int64]) -> None:
        """`starts` is [lines + 1]; content[starts[n]:starts[n + 1]] is line n and its line end."""
        self._content, self._starts = content, starts

    def __len__(self) -> int:
        return len(self._starts) - 1

    @overload
    def __getitem__(self, number: int) -> str: ...
    @overload
    def __getitem__(self, number: slice) -> Lines: ...
    def __getitem__(self, number: int | slice) -> str | Lines:
        if isinstance(number, slice):
            first, last, step = number.indices(len(self))
            assert step == 1, "lines are handed out in their order"
            return Lines(self._content, self._starts[first : max(first, last) + 1])
        if not 0 <= number < len(self):
            raise IndexError(number)  # which also ends an iteration
        line = self._content[self._starts[number] : self._starts[number + 1] - 1]
        return line.tobytes().decode()


class _SideWriter:
    """The arrays of one side, and its text, as files that grow."""

    def __init__(self, folder: Path, side: str, *, with_text: bool) -> None:
        self._ids = _ArrayWriter(folder / f"{side}.ids.npy", np.int32)
        self._starts = _StartsWriter(folder / f"{side}.starts.npy")
        self._text = (folder / f"{side}.txt").open("wb") if with_text else None
        self._lines = _StartsWriter(folder / f"{side}.lines.npy") if with_text else None

    def __enter__(self) -> _SideWriter:
        return self

    def __exit__(self, kind: object, *exception: object) -> None:
        try:
            if kind is None:
                self.close()
        finally:
            self._abandon()

    def append(self, sentences: Sentences, lines: Sequence[str]) -> None:
        self._ids.append(sentences.ids)
        self._starts.append(sentences.lengths)
        if self._text is not None and self._lines is not None:
            content = [f"{line}\n".encode() for line in lines]
            self._text.write(b"".join(content))
            self._lines.append(np.fromiter(map(len, content), np.int64))

    def _abandon(self) -> None:
        """Close what is still open: it is not wanted, so nobody asks if its end is written."""
        writers = (self._ids, self._starts, self._lines)
        files = [self._text, *(writer and writer.file for writer in writers)]
        for file in files:
            if file is not None:
                with suppress(OSError):
                    file.close()

    def close(self) -> None:
        for writer in (self._ids, self._starts, self._lines):
            if writer is not None:
                writer.close()
        if self._text is not None and not self._text.closed:
            _close(self._text)


class _ArrayWriter:
    """A one-dimensional array in a .npy file that grows at its end."""

    def __init__(self, path: Path, dtype: DTypeLike) -> None:
        self._dtype = np.dtype(dtype)
        self._length = 0
        self.file = path.open("wb")
        self._write_header()

    def append(self, values: NDArray[Any]) -> None:
        self.file.write(np.ascontiguousarray(values, self._dtype).data)
        self._length += len(values)

    def close(self) -> None:
        if not self.file.closed:
            self.file.seek(0)
            self._write_header()
            _close(self.file)

    def _write_header(self) -> None:
        # NumPy leaves room in it for a longer length, so the second one is as long as the first.
        descr = npy.dtype_to_descr(self._dtype)
        header = {"descr": descr, "fortran_order": False, "shape": (self._length,)}
        npy.write_array_header_1_0(self.file, header)


class _StartsWriter(_ArrayWriter):
    """Where each of many things starts that stand one behind the other, given their lengths."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, np.int64)
        self._end = 0
        super().append(np.zeros(1, np.int64))

    def append(self, lengths: NDArray[Any]) -> None:
        if len(lengths):
            starts = self._end + np.cumsum(lengths, dtype=np.int64)
            super().append(starts)
            self._end = int(starts[-1])


def _close(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
    file.close()


def _joined(lines: Sequence[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """The folder for this process alone; the lock is gone with the process, however it ends."""
    busy = CorpusError(f"{folder} is being written by another process")
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise busy from error
        except OSError:
            pass  # a file system without locks
        # The other process may have finished, and renamed the folder, after it was opened here.
        if not folder.exists() or not os.path.samestat(folder.stat(), os.fstat(descriptor)):
            raise busy
        yield
    finally:
        os.close(descriptor)
