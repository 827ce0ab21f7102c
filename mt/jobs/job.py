"""A job: the lines of one text, translated and written in order, a chunk at a time.

Knows the order of the steps. Does not know where lines come from (`mt.streams`) or what keeps the
output (`mt.jobs.part`, or whoever offers a `Sink`).

Where a chunk ends depends on the text alone, and a job goes on where a full chunk ended. So each
chunk is translated, compressed and written as in a job that was never stopped, and the output is
the same byte for byte.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

from mt.config import JobConfig
from mt.errors import JobError
from mt.jobs.record import Flagged, Progress
from mt.jobs.rows import find_line_flags, read_row, write_row

if TYPE_CHECKING:
    from mt.translator import Translator

CHUNK_LINES = 500
"""Lines translated together: enough to fill batches of equal length."""
CHUNK_LENGTH = 1 << 18
"""Characters with which a chunk is full too, so that long lines fit in memory."""

FIRST_LINES = 3
"""Numbers kept of the lines with a flag."""

Report = Callable[[int, int], None]
"""Takes the lines done and their bytes: once at the start of a job, then after each chunk."""


class Sink(Protocol):
    """What keeps the output, and knows how far it is."""

    @property
    def progress(self) -> Progress: ...
    def write(self, content: bytes) -> None: ...
    def commit(self, progress: Progress) -> None: ...


def describe_job(translator: Translator, config: JobConfig) -> dict[str, Any]:
    """All that decides the output of a job besides its input, as JSON has it."""
    return {
        "model": {
            "identity": translator.identity,
            "engine": translator.engine,
            "source_language": translator.source_language,
            "target_language": translator.target_language,
        },
        "search": translator.search_config.model_dump(mode="json"),
        "job": config.model_dump(mode="json"),
    }


def survey(lines: Iterator[str], name: str, config: JobConfig) -> int:
    """Read a text through once, so that a mistake at its end is told before hours of work.

    Args:
        name: what messages call the text.

    Returns:
        The bytes of all lines.

    Raises:
        InputError: a line cannot be read or does not have the column.
    """
    size = 0
    for number, line in enumerate(lines, start=1):
        read_row(line, f"{name}, line {number}", config)
        size += len(line.encode())
    return size


def run_job(
    translator: Translator,
    lines: Iterator[str],
    name: str,
    sink: Sink,
    config: JobConfig,
    *,
    chunk_lines: int = CHUNK_LINES,
    report: Report = lambda lines, size: None,
) -> Progress:
    """Translate the lines that the sink does not have yet, and write them to it.

    Args:
        lines: the whole text, each line with its end.
        name: what messages call the text.

    Returns:
        How far the job is at its end.

    Raises:
        InputError: a line cannot be read or does not have the column.
        JobError: the text does not begin with the lines that the sink has, or the sink fails.
        ConfigError: more translations of a line are asked for than the beam can hold.
    """
    done = sink.progress
    digest, size = _skip(lines, name, done)
    report(done.lines, size)
    for chunk, full in _chunks(lines, chunk_lines):
        content, flagged = _translate(translator, chunk, name, done, config)
        sink.write(content)
        encoded = "".join(chunk).encode()
        digest.update(encoded)
        size += len(encoded)
        done = Progress(lines=done.lines + len(chunk), source=digest.hexdigest(), flagged=flagged)
        # The last chunk may be short, and would be longer if the text were continued.
        if full:
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


def _chunks(lines: Iterator[str], chunk_lines: int) -> Iterator[tuple[list[str], bool]]:
    """The lines in chunks, and for each whether it is full; only the last may not be."""
    chunk: list[str] = []
    length = 0
    for line in lines:
        chunk.append(line)
        length += len(line)
        if len(chunk) == chunk_lines or length >= CHUNK_LENGTH:
            yield chunk, True
            chunk, length = [], 0
    if chunk:
        yield chunk, False


def _translate(
    translator: Translator, chunk: list[str], name: str, done: Progress, config: JobConfig
) -> tuple[bytes, dict[str, Flagged]]:
    """What is to be written for a chunk, and the flags of the job with those of the chunk."""
    flagged = dict(done.flagged)
    numbers = range(done.lines + 1, done.lines + 1 + len(chunk))
    rows = [
        read_row(line, f"{name}, line {number}", config)
        for number, line in zip(numbers, chunk, strict=True)
    ]
    translations = translator.translate(
        [row.source for row in rows], alternatives=config.n_best - 1
    )
    written = []
    for number, row, translation in zip(numbers, rows, translations, strict=True):
        flags = find_line_flags(translation, config)
        written.append(write_row(number, row, translation, flags, config))
        for flag in flags:
            before = flagged.get(flag, Flagged())
            flagged[flag] = Flagged(
                lines=before.lines + 1, first=(*before.first, number)[:FIRST_LINES]
            )
    return "".join(written).encode(), flagged
