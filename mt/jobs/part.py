"""A job's output while it is unfinished: OUTPUT.part, with OUTPUT.part.json, its record.

Knows files, and what has been promised of them. Does not know texts or models.

The record is replaced only once the bytes it speaks of are on the disk. So after a kill, a full
disk or a power cut at any moment the part begins with what the record says; whatever follows is
cut off before the job goes on. Once all is written the part takes the output's name, and then the
record is removed.
"""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mt.errors import JobError
from mt.jobs.record import Progress, Record, read_record, write_record
from mt.system.files import behind_link, claim, settle
from mt.system.streams import compressor

_BLOCK = 1 << 20


@contextmanager
def open_part(
    output: Path, settings: Mapping[str, Any], environment: Mapping[str, Any], *, resume: bool
) -> Iterator[Part]:
    """Begin a job's output, or go on with an unfinished one if there is one and `resume` says so.

    The body calls `Part.finish` at its end. If it is left by an exception instead, part and record
    stay, unless nothing has been committed yet.

    Args:
        output: name of the finished file; compressed if it ends in .gz or .xz.
        settings: model and options, as JSON has them; those of an unfinished job must be the same.
        environment: versions and the like, which may differ: `Part.changes` says what does.

    Raises:
        JobError: there is an unfinished output and `resume` is false, or its settings differ, or
            the files are not as its record says, or another process is at it.
        OSError: the part cannot be made.
    """
    if output.exists() and not output.is_file():
        raise JobError(f"{output} is not a regular file: use standard output for it")
    compress = compressor(output)  # by the name that it will be read by, not what is behind a link
    output = behind_link(output)
    path = part_path(output)
    with locked(path) as descriptor:
        part = Part(output, path, descriptor, settings, environment, compress)
        record = _record_to_continue(part, resume)
        if record is None:
            part.begin()
        else:
            part.go_on(record)
        try:
            yield part
        except BaseException:
            part.drop_if_empty()
            raise


def part_path(output: Path) -> Path:
    """Where a job keeps its output until it is finished.

    Raises:
        OSError: the output is no regular file.
    """
    output = behind_link(output)
    return output.with_name(f"{output.name}.part")


class Part:
    """What `open_part` hands out; its body needs `write`, `commit` and `finish` only."""

    def __init__(
        self,
        output: Path,
        path: Path,
        descriptor: int,
        settings: Mapping[str, Any],
        environment: Mapping[str, Any],
        compress: Callable[[bytes], bytes],
    ) -> None:
        self.path = path
        self.record_path = path.with_name(f"{path.name}.json")
        self.progress = Progress()
        """What is on the disk and recorded."""
        self.changes: dict[str, str] = {}
        """For each part of the environment that has changed since the job began: how."""
        self._output = output
        self._descriptor = descriptor
        self._settings, self._environment = dict(settings), dict(environment)
        self._compress = compress
        self._size, self._digest = 0, hashlib.sha256()

    @property
    def size(self) -> int:
        """Bytes that are there, promised or not."""
        return os.fstat(self._descriptor).st_size

    def write(self, content: bytes) -> None:
        """Add bytes, which do not count as written before the next `commit` or `finish`.

        Raises:
            JobError: the disk is full, for example; says how many lines are kept.
        """
        with self._explained():
            self._append(self._compress(content))

    def commit(self, progress: Progress) -> None:
        """Promise that the translations of all lines of `progress` are on the disk.

        Raises:
            JobError: as `write`; what was promised before still holds.
        """
        with self._explained():
            os.fsync(self._descriptor)
            self._promise(progress)

    def finish(self) -> None:
        """Give the output its name.

        Raises:
            JobError: as `write`.
        """
        with self._explained():
            if not self._size:
                self._append(self._compress(b""))  # no bytes at all are no .gz or .xz file
            settle(self.path, self._output)
            self.record_path.unlink()
            # Of kills in the middle of a promise; other jobs may be at work in the same folder.
            for path in self.path.parent.glob(f".{glob.escape(self.record_path.name)}.*.tmp"):
                path.unlink(missing_ok=True)

    def begin(self) -> None:
        """Start with nothing, whatever is there."""
        with self._explained():
            # In this order: no record may ever speak of bytes that are not there.
            self._promise(Progress())
            os.ftruncate(self._descriptor, 0)

    def go_on(self, record: Record) -> None:
        """Start with what the record speaks of.

        Raises:
            JobError: its settings are others, or the part does not hold what it speaks of.
        """
        record.refuse_other_settings(self.path, self._settings)
        self._hash(self.path, record.size)
        if self._digest.hexdigest() != record.content:
            self._take_back(record)
        with self._explained():
            os.ftruncate(self._descriptor, record.size)
        self._size = record.size
        self.progress = record.progress
        self.changes = record.changes(self._environment)

    def drop_if_empty(self) -> None:
        """Remove part and record if no line is done: there is nothing to go on with."""
        if not self.progress.lines:
            # By name: after `finish` the descriptor is that of the output.
            self.path.unlink(missing_ok=True)
            self.record_path.unlink(missing_ok=True)

    def _take_back(self, record: Record) -> None:
        """A kill came after the part took the output's name and before the record was removed."""
        if self._output.exists():
            self._hash(self._output, record.size)
        if self._digest.hexdigest() != record.content:
            raise JobError(
                f"{self.path}: its first {record.size:,} bytes are not those that "
                f"{self.record_path.name} speaks of: remove both to begin again"
            )
        with self._explained():
            os.ftruncate(self._descriptor, 0)
            for block in _blocks(self._output, record.size):
                _write_all(self._descriptor, block)

    def _hash(self, path: Path, size: int) -> None:
        """Begin with the first bytes of a file, as many as asked for and there."""
        self._digest = hashlib.sha256()
        for block in _blocks(path, size):
            self._digest.update(block)

    def _append(self, content: bytes) -> None:
        _write_all(self._descriptor, content)
        self._digest.update(content)
        self._size += len(content)

    def _promise(self, progress: Progress) -> None:
        record = Record(
            settings=self._settings,
            environment=self._environment,
            progress=progress,
            size=self._size,
            content=self._digest.hexdigest(),
        )
        write_record(self.record_path, record)
        self.progress = progress

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            kept = (
                f"; the first {self.progress.lines:,} lines are kept, go on with --resume"
                if self.progress.lines
                else ""
            )
            raise JobError(f"{self.path}: {error.strerror}{kept}") from error


@contextmanager
def locked(path: Path) -> Iterator[int]:
    """The file at path, for this process alone; an empty one does not outlive an exception."""
    with path.open("ab", buffering=0) as file:
        if not claim(file.fileno(), path):
            raise JobError(f"{path} is being written by another process")
        try:
            yield file.fileno()
        except BaseException:
            if not os.fstat(file.fileno()).st_size:
                path.unlink(missing_ok=True)
            raise


def _record_to_continue(part: Part, resume: bool) -> Record | None:
    """The record of the job to go on with; None if a job is to begin."""
    record = read_record(part.record_path)
    if record is None and part.size:
        raise JobError(
            f"{part.path} has no record {part.record_path.name} beside it, so it cannot be "
            "continued: remove it, or choose another output"
        )
    if record is None or not record.progress.lines:
        return None
    if resume:
        return record
    if part.size:
        raise JobError(
            f"{part.path} holds the first {record.progress.lines:,} lines of a job that was not "
            "finished: add --resume to go on with it, or remove it to begin again"
        )
    return None


def _write_all(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _blocks(path: Path, size: int) -> Iterator[bytes]:
    """The first bytes of a file, as many as asked for and there."""
    with path.open("rb") as file:
        while block := file.read(min(size, _BLOCK)):
            yield block
            size -= len(block)
