"""A chunk: lines of a text that are translated together, and what is to be written for them.

Knows where chunks end and how one is translated. Does not know files, or which process does it.

Where a chunk of a file ends depends on the text alone, and what is written for it on the chunk, the
model and the options. So the output of a job is the same byte for byte, whoever translates which
chunk. (Of a text that comes as it is written, a chunk may end where there is a pause.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from mt.config import JobConfig
from mt.differences import first_difference
from mt.errors import InputError, JobError
from mt.jobs.record import Flagged, add_flags
from mt.jobs.rows import find_line_flags, read_row, write_row

if TYPE_CHECKING:
    from mt.translator import Translator

CHUNK_LINES = 500
"""Lines translated together: enough to fill batches of equal length."""
CHUNK_LENGTH = 1 << 18
"""Characters with which a chunk is full too, so that long lines fit in memory."""


class Chunk(NamedTuple):
    """Lines that stand one behind the other."""

    text: str
    """What messages call the text they are from."""
    first: int
    """Number of the first of them, counted from 1."""
    lines: list[str]
    """Each with its end."""
    full: bool
    """Whether more lines behind it would change nothing: of the last chunk they might."""

    @property
    def last(self) -> int:
        """Number of the last of the lines."""
        return self.first + len(self.lines) - 1

    def __str__(self) -> str:
        """The lines, as messages call them."""
        if self.first == self.last:
            return f"{self.text}, line {self.first}"
        return f"{self.text}, lines {self.first}-{self.last}"


class Translated(NamedTuple):
    """What became of a chunk."""

    content: bytes
    """What is to be written."""
    flagged: dict[str, Flagged]
    """The flags of its lines."""


Translate = Callable[[Iterator[Chunk]], Iterator[tuple[Chunk, Translated]]]
"""Translates chunks: each comes out with what became of it, in the same order."""


def cut_chunks(
    lines: Iterable[str],
    text: str,
    first: int,
    chunk_lines: int,
    pause: Callable[[], bool] = lambda: False,
) -> Iterator[Chunk]:
    """The lines in chunks; only the last may not be full.

    Args:
        text: what messages call the text.
        first: number of the first of the lines, counted from 1.
        pause: says behind a line that a chunk shall end there, though it is not full.

    Raises:
        InputError: as `lines` does, behind a chunk of what stands before.
    """
    chunk: list[str] = []
    length = 0
    try:
        for line in lines:
            chunk.append(line)
            length += len(line)
            full = len(chunk) == chunk_lines or length >= CHUNK_LENGTH
            if full or pause():
                yield Chunk(text, first, chunk, full)
                first += len(chunk)
                chunk, length = [], 0
    except InputError:
        if chunk:
            yield Chunk(text, first, chunk, full=False)
        raise
    if chunk:
        yield Chunk(text, first, chunk, full=False)


def translate_chunk(translator: Translator, config: JobConfig, chunk: Chunk) -> Translated:
    """Translate the lines of a chunk together.

    Raises:
        InputError: a line does not have the column, or is too long for a model that takes it whole.
        ConfigError: more translations of a line are asked for than the beam can hold.
    """
    flagged: dict[str, Flagged] = {}
    numbers = range(chunk.first, chunk.last + 1)
    rows = [
        read_row(line, f"{chunk.text}, line {number}", config)
        for number, line in zip(numbers, chunk.lines, strict=True)
    ]
    try:
        translations = translator.translate(
            [row.source for row in rows], alternatives=config.n_best - 1
        )
    except InputError:
        for number, row in zip(numbers, rows, strict=True):
            try:
                translator.plan(row.source)
            except InputError as error:
                raise InputError(f"{chunk.text}, line {number}: {error}") from error
        raise
    written = []
    for number, row, translation in zip(numbers, rows, translations, strict=True):
        flags = find_line_flags(translation, config)
        written.append(write_row(number, row, translation, flags, config))
        flagged = add_flags(flagged, {flag: Flagged(lines=1, first=(number,)) for flag in flags})
    return Translated("".join(written).encode(), flagged)


def one_by_one(translator: Translator, config: JobConfig) -> Translate:
    """Translates chunks in this process."""
    return lambda chunks: ((chunk, translate_chunk(translator, config, chunk)) for chunk in chunks)


def describe_job(translator: Translator, config: JobConfig) -> dict[str, Any]:
    """All that decides the output of a job besides its input, as JSON has it."""
    return {
        "model": {
            "identity": translator.identity,
            "engine": translator.engine,
            "source_language": translator.source_language,
            "target_language": translator.target_language,
        },
        "search": (search := translator.search_config).model_dump(mode="json"),
        # Left out where there is none, so that jobs begun before there was one go on.
        **({"lexicon": translator.lexicon_identity} if search.shortlist else {}),
        **({"reranking": reranker.record()} if (reranker := translator.reranker) else {}),
        "job": config.model_dump(mode="json"),
    }


@dataclass(frozen=True)
class Preparation:
    """Makes another process translate chunks as this one would; small, since it is sent there."""

    load: Callable[[], Translator]
    """Loads the translator."""
    config: JobConfig
    settings: Mapping[str, Any]
    """What `describe_job` says in this process."""

    def __call__(self) -> Callable[[Chunk], Translated]:
        """What translates a chunk.

        Raises:
            JobError: another model is there by now; the lines before would be the work of this one.
            MTError: the model cannot be loaded.
        """
        translator = self.load()
        if found := first_difference(self.settings, describe_job(translator, self.config)):
            name, before, now = found
            raise JobError(
                f"the job was begun with {name} = {before!r}, but another process finds {now!r}: "
                "the model folder or this program has changed meanwhile"
            )
        return partial(translate_chunk, translator, self.config)
