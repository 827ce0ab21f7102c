"""What a dataset is: its original files, its licence, and how the originals become texts.

Knows no particular one, and neither servers nor the folder the texts are written to.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from mt.errors import CorpusError


class Original(NamedTuple):
    """A file as its publisher offers it."""

    path: str
    """Where it is below the dataset's address; the last part is its name here."""
    bytes: int | None = None
    sha256: str | None = None
    """None, both: the publisher renews the file from time to time. It is a .zip archive then,
    which has checksums of its own."""

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


@dataclass(frozen=True)
class Texts:
    """What the originals say."""

    files: Mapping[str, Sequence[str]]
    """Lines by file name without ".xz", such as "train.de"; both sides of a split match."""
    record: Mapping[str, Any] = field(default_factory=dict)
    """How they came about: date of the export, rule of the split, pairs left out."""


@dataclass(frozen=True)
class Dataset:
    """Parallel text that somebody publishes."""

    name: str
    url: str
    """Address below which the originals are."""
    originals: Sequence[Original]
    licence: str
    read: Callable[[Path], Texts]
    """Reads the folder of the originals. Raises CorpusError where one is not what it should be."""


def lines_of(content: bytes, where: str) -> list[str]:
    r"""The lines of a UTF-8 text, which end at "\n" only, each clean.

    Raises:
        CorpusError: a line is not UTF-8; `where` names the text.
    """
    lines = content.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    return [_clean(line, where, number) for number, line in enumerate(lines, start=1)]


def _clean(line: bytes, where: str, number: int) -> str:
    # White space at the ends, carriage returns and two ways to write one letter are accidents of
    # the tools that the text has passed through. A tab separates columns, so it stays.
    try:
        text = unicodedata.normalize("NFC", line.decode())
    except UnicodeDecodeError as error:
        raise CorpusError(f"{where}, line {number}: not UTF-8: {error.reason}") from error
    return "\t".join(" ".join(column.split()) for column in text.split("\t"))
