"""Prepared pairs in a folder: arrays that are mapped into memory instead of read.

Knows which files there are, and when they are whole. Does not know how an array or a line is kept
(`arrays`), how pairs are prepared, or what from: a record, whose meaning is the caller's, goes with
them.

    corpus.json             the record, the filters' counts, and the size of every other file
    source.ids.npy ...      `Sentences` of both sides
    source.spm, target.spm  the tokenizers whose ids they are
    source.txt ...          the kept pairs as text, with source.lines.npy, if asked for
    held_out.source.txt ... pairs taken out of the text to validate on, if there are any

A folder is made under another name, locked, and has its own only when it is whole.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mt.corpus.arrays import ArrayWriter, Lines, StartsWriter, close_written, map_array, map_lines
from mt.corpus.filters import FilterReport
from mt.corpus.sentences import Corpus, Sentences
from mt.corpus.text import Pairs, read_lines
from mt.errors import BundleError, CorpusError
from mt.system.files import claim, settle, write_atomic, write_json
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
        return map_array(self.path / f"{name}.npy")

    def _lines(self, side: str) -> Lines:
        return map_lines(self.path / f"{side}.txt", self._array(f"{side}.lines"))


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
        CorpusError: another process is making it, or it cannot be given its name.
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
            _settle(part, path)
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


class _SideWriter:
    """The arrays of one side, and its text, as files that grow."""

    def __init__(self, folder: Path, side: str, *, with_text: bool) -> None:
        self._ids = ArrayWriter(folder / f"{side}.ids.npy", np.int32)
        self._starts = StartsWriter(folder / f"{side}.starts.npy")
        self._text = (folder / f"{side}.txt").open("wb") if with_text else None
        self._lines = StartsWriter(folder / f"{side}.lines.npy") if with_text else None

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

    def close(self) -> None:
        for writer in (self._ids, self._starts, self._lines):
            if writer is not None:
                writer.close()
        if self._text is not None and not self._text.closed:
            close_written(self._text)

    def _abandon(self) -> None:
        """Close what is still open: it is not wanted, so nobody asks if its end is written."""
        writers = (self._ids, self._starts, self._lines)
        files = [self._text, *(writer and writer.file for writer in writers)]
        for file in files:
            if file is not None:
                with suppress(OSError):
                    file.close()


def _joined(lines: Sequence[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def _settle(part: Path, path: Path) -> None:
    """Give the folder its name; prepared pairs that had it go in one move, for half removed they
    would be in the way for ever."""
    replaced = path.with_name(f"{path.name}.old")
    shutil.rmtree(replaced, ignore_errors=True)  # of a process that was killed
    try:
        if (path / _RECORD).exists():
            path.rename(replaced)
        settle(part, path)
    except OSError as error:
        raise CorpusError(f"{path}: cannot be written: {error.strerror}") from error
    shutil.rmtree(replaced, ignore_errors=True)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """The folder for this process alone; the lock is gone with the process, however it ends."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        if not claim(descriptor, folder):
            raise CorpusError(f"{folder} is being written by another process")
        yield
    finally:
        os.close(descriptor)
