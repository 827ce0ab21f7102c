"""A text cut into shards: ranges of its lines, each translated by itself into a file of its own.

Knows where shards end, when one is done, and how they are put together. Does not know who
translates which, or when.

A shard is a number of whole chunks (`mt.jobs.chunks`), so that the shards of a text, one behind the
other, are what a single job writes, byte for byte. The name of its file is fixed, and the file gets
it once it is whole. So a shard may be translated again, or twice at once by processes that do not
know of each other: all of them write the same. Its record comes after it and makes it done.
"""

from __future__ import annotations

import glob
import hashlib
import json
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice, pairwise
from pathlib import Path
from typing import IO, NamedTuple

from pydantic import Field

from mt.config import JobConfig, Options, parse
from mt.errors import ConfigError, JobError
from mt.jobs.chunks import CHUNK_LINES, Translate, cut_chunks
from mt.jobs.job import run_job
from mt.jobs.record import Flagged, Progress
from mt.jobs.rows import read_row
from mt.system.files import settle, sha256
from mt.system.streams import compressor, open_lines

SHARD_CHUNKS = 100
"""Chunks of a shard: 50,000 lines if none is long. A core takes minutes for them, which is what is
lost if it dies."""


MAX_DEATHS = 3
"""Processes that may die while they write a shard; then it is the shard that is to blame."""


class Shard(NamedTuple):
    """A range of lines; plain values, which travel to other machines."""

    source: str
    """Path of the text."""
    before: int
    """Lines of the text before it."""
    before_hash: str
    """SHA-256 of those lines."""
    last: int
    """Number of its last line, counted from 1."""
    hash: str
    """SHA-256 of all lines up to the last."""
    output: str
    """Path of its file."""
    suffix: str
    """Of the name of the whole output: .gz and .xz are compressed."""

    def __str__(self) -> str:
        """Its lines, as messages call them."""
        return f"{self.source}, lines {self.before + 1}-{self.last}"


class ShardRecord(Options):
    """What stands in OUTPUT.json of a shard that is done."""

    before_hash: str
    hash: str
    """Both as in `Shard`: it was made of the lines that the text has now."""
    size: int
    """Bytes of the file."""
    content: str
    """SHA-256 of those bytes."""
    flagged: dict[str, Flagged] = Field({})
    """The flags of its lines."""


def plan_shards(
    source: Path, output: Path, config: JobConfig, *, shard_chunks: int = SHARD_CHUNKS
) -> list[Shard]:
    """Read a text through once, and cut it into shards; a text without a line has one.

    Args:
        output: the shards' files are named after it: OUTPUT.00000-of-00012 and so on.

    Raises:
        InputError: a line cannot be read or does not have the column.
    """
    ends = [(0, sha256(b""))]
    with open_lines(source) as lines:
        digest, last = hashlib.sha256(), 0
        for number, chunk in enumerate(cut_chunks(lines, str(source), 1, CHUNK_LINES), start=1):
            for place, line in enumerate(chunk.lines, start=chunk.first):
                read_row(line, f"{source}, line {place}", config)
                digest.update(line.encode())
            last = chunk.last
            if number % shard_chunks == 0:
                ends.append((last, digest.hexdigest()))
    if ends[-1][0] < last or not last:
        ends.append((last, digest.hexdigest()))
    return [
        Shard(
            str(source),
            *before,
            *end,
            output=f"{output}.{number:05}-of-{len(ends) - 1:05}",
            suffix=output.suffix,
        )
        for number, (before, end) in enumerate(pairwise(ends))
    ]


def translate_shard(translate: Translate, shard: Shard) -> ShardRecord:
    """Write the file of a shard, and then its record.

    Raises:
        JobError: the text has changed since the shard was planned, or `MAX_DEATHS` processes have
            died of it.
        MTError: as `run_job`.
        OSError: the file cannot be written.
    """
    if len(attempts(shard)) >= MAX_DEATHS:
        raise JobError(f"{shard}: {MAX_DEATHS} processes died of them, one after the other")
    with _whole_file(Path(shard.output)) as file:
        sink = _ShardFile(file, shard)
        with open_lines(Path(shard.source)) as lines:
            done = run_job(translate, islice(lines, shard.last), shard.source, sink)
        if done.source != shard.hash:
            raise JobError(f"{shard} have changed since the job began: begin again")
        sink.finish()
    record = ShardRecord(
        before_hash=shard.before_hash,
        hash=shard.hash,
        size=sink.size,
        content=sink.digest.hexdigest(),
        flagged=done.flagged,
    )
    with _whole_file(_record_path(shard)) as file:
        file.write(json.dumps(record.model_dump(mode="json"), indent=2).encode() + b"\n")
    return record


def find_record(shard: Shard) -> ShardRecord | None:
    """The record of a shard if it is done, for the lines that the text has now."""
    try:
        record = parse(ShardRecord, json.loads(_record_path(shard).read_bytes()), where="found")
        size = Path(shard.output).stat().st_size
    except (FileNotFoundError, ConfigError, ValueError):
        return None
    made_of_these = (record.before_hash, record.hash) == (shard.before_hash, shard.hash)
    return record if made_of_these and record.size == size else None


def attempts(shard: Shard) -> list[Path]:
    """What is left of attempts to write the shard, and of none but those that were killed.

    While it is being written, there is also the file of whoever does so.
    """
    path = Path(shard.output)
    return [*path.parent.glob(f".{glob.escape(path.name)}.*.tmp")]


def join_shards(shards: Sequence[Shard], output: Path) -> None:
    """Put the files of all shards of a text together.

    Raises:
        JobError: one of them is not done, or not what it was when it was done.
    """
    with _whole_file(output) as file:
        for shard in shards:
            record = find_record(shard)
            content = Path(shard.output).read_bytes() if record else b""
            if not record or sha256(content) != record.content:
                raise JobError(
                    f"{shard.output}: missing or damaged; remove it and its record to have it made "
                    "again"
                )
            file.write(content)


class _ShardFile:
    """The sink of a shard: a file that begins in the middle of a text."""

    def __init__(self, file: IO[bytes], shard: Shard) -> None:
        self.progress = Progress(lines=shard.before, source=shard.before_hash)
        self.size, self.digest = 0, hashlib.sha256()
        self._file = file
        self._compress = compressor(Path(shard.suffix and f"shard{shard.suffix}"))

    def write(self, content: bytes) -> None:
        self._append(self._compress(content))

    def commit(self, progress: Progress) -> None:
        """Nothing: it is done as a whole or not at all."""

    def finish(self) -> None:
        if not self.size:
            self._append(self._compress(b""))  # no bytes at all are no .gz or .xz file

    def _append(self, content: bytes) -> None:
        self._file.write(content)
        self.digest.update(content)
        self.size += len(content)


def _record_path(shard: Shard) -> Path:
    return Path(f"{shard.output}.json")


@contextmanager
def _whole_file(path: Path) -> Iterator[IO[bytes]]:
    """A file that gets its name once it is whole; its temporary one belongs to nobody else."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with temporary.open("xb") as file:
            yield file
        settle(temporary, path)
    except BaseException as error:
        if isinstance(error, OSError) and error.filename is None:  # a full disk names no file
            error.filename = str(path)
        temporary.unlink(missing_ok=True)
        raise
