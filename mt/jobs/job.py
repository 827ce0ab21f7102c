"""A job: the lines of one text, translated and written in order, a chunk at a time.

Knows the order of the steps. Does not know where lines come from (`mt.system.streams`), who
translates them (`mt.jobs.chunks` in this process, `mt.jobs.workers` in others) or what keeps the
output (`mt.jobs.part`, or whoever offers a `Sink`).

A job goes on where a full chunk ended. So each chunk is translated, compressed and written as in a
job that was never stopped, and the output is the same byte for byte.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Protocol

from mt.config import JobConfig
from mt.errors import JobError
from mt.jobs.chunks import CHUNK_LINES, Translate, cut_chunks
from mt.jobs.record import Progress, add_flags
from mt.jobs.rows import check_rows

Report = Callable[[int, int], None]
"""Takes the lines done and their bytes: once at the start of a job, then after each chunk."""


class Sink(Protocol):
    """What keeps the output, and knows how far it is."""

    @property
    def progress(self) -> Progress: ...
    def write(self, content: bytes) -> None: ...
    def commit(self, progress: Progress) -> None: ...


def survey(lines: Iterator[str], name: str, config: JobConfig) -> int:
    """Read a text through once, so that a mistake at its end is told before hours of work.

    Args:
        name: what messages call the text.

    Returns:
        The bytes of all lines.

    Raises:
        InputError: a line cannot be read or does not have the column.
    """
    return sum(len(line.encode()) for line in check_rows(lines, name, config))


def run_job(
    translate: Translate,
    lines: Iterator[str],
    name: str,
    sink: Sink,
    *,
    chunk_lines: int = CHUNK_LINES,
    pause: Callable[[], bool] = lambda: False,
    report: Report = lambda lines, size: None,
) -> Progress:
    """Translate the lines that the sink does not have yet, and write them to it.

    Args:
        translate: decides with the lines, and nothing else does, what is written.
        lines: the whole text, each line with its end.
        name: what messages call the text.
        pause: as of `cut_chunks`; not for a sink that a later job goes on with.

    Returns:
        How far the job is at its end.

    Raises:
        InputError: a line cannot be read or does not have the column.
        JobError: the text does not begin with the lines that the sink has, or the sink fails.
        MTError: whatever else `translate` raises.
    """
    done = sink.progress
    digest, size = _skip(lines, name, done)
    report(done.lines, size)
    chunks = cut_chunks(lines, name, done.lines + 1, chunk_lines, pause)
    for chunk, (content, flagged) in translate(chunks):
        sink.write(content)
        encoded = "".join(chunk.lines).encode()
        digest.update(encoded)
        size += len(encoded)
        done = Progress(
            lines=chunk.last,
            source=digest.hexdigest(),
            flagged=add_flags(done.flagged, flagged),
        )
        # The last chunk may be short, and would be longer if the text were continued.
        if chunk.full:
            sink.commit(done)
        report(done.lines, size)
    return done


def _skip(lines: Iterator[str], name: str, done: Progress) -> tuple[Any, int]:
    """Pass over the lines that are done; returns their hash, open for more, and their bytes."""
    digest, size = hashlib.sha256(), 0
    for line in islice(lines, done.lines):
        encoded = line.encode()
        digest.update(encoded)
        size += len(encoded)
    if digest.hexdigest() != done.source:
        raise JobError(
            f"{name}: its first {done.lines:,} lines are not those that were translated before: "
            "restore them, or remove the unfinished output to begin again"
        )
    return digest, size
