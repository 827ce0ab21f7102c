"""Parallel text in files, as pairs of lines.

Knows files, lines and which lines belong together. Does not know tokens. Text of any size can be
gone through (`ParallelText`); only what is small is read as a whole (`read_pairs`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest
from pathlib import Path
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mt.errors import CorpusError, InputError
from mt.system.streams import open_lines

Pairs: TypeAlias = tuple[list[str], list[str]]
"""Parallel text: source lines, and their translations in the same order."""


def read_lines(path: Path) -> list[str]:
    r"""The lines of a UTF-8 text file, plain, .gz or .xz; a line ends at "\n" only.

    Raises:
        CorpusError: the file is missing or damaged, or a line is not UTF-8.
    """
    return list(_lines(path))


def read_pairs(sources: Sequence[Path], targets: Sequence[Path]) -> Pairs:
    """The two sides of parallel text, each the lines of its files in order.

    Raises:
        CorpusError: as iterating over `ParallelText`.
    """
    pairs: Pairs = ([], [])
    for source, target in ParallelText(tuple(sources), tuple(targets)):
        pairs[0].append(source)
        pairs[1].append(target)
    return pairs


def read_beside(source: Path, sources: Sequence[str], path: Path) -> list[str]:
    """The lines of a file that goes with a source whose lines are read already.

    Raises:
        CorpusError: it cannot be read, or has more or fewer lines.
    """
    lines = read_lines(path)
    if len(lines) != len(sources):
        raise _uneven(source, len(sources), path, len(lines))
    return lines


@dataclass(frozen=True)
class ParallelText:
    """Parallel text that stays in its files: each iteration reads it anew, pair by pair.

    Iterating raises CorpusError if a file cannot be read, if two that belong together differ in
    length, or if there is no line at all.
    """

    sources: tuple[Path, ...]
    targets: tuple[Path, ...]
    """As many as `sources`, line by line their translations."""

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return (pair for _, pair in self.with_files())

    def with_files(self) -> Iterator[tuple[int, tuple[str, str]]]:
        """The pairs, each with the number of its files, counted from 0."""
        empty = True
        for number, paths in enumerate(zip(self.sources, self.targets, strict=True)):
            for pair in _pairs(*paths):
                empty = False
                yield number, pair
        if empty:
            raise CorpusError(f"{', '.join(map(str, self.sources))}: no lines")


@dataclass(frozen=True)
class HeldOut:
    """Pairs that are kept from training, so that they can validate."""

    pairs: Pairs

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]], whole: NDArray[np.integer], count: int) -> Self:
        """Take `count` pairs out of a text, evenly spread, at most a tenth of the whole ones.

        Args:
            whole: numbers of the pairs that have no blank side, rising.

        Raises:
            CorpusError: there are too few pairs.
        """
        count = min(count, len(whole) // 10)
        if count == 0:
            raise CorpusError(
                f"{len(whole)} pairs are too few to hold some out for validation: 10 are the least"
            )
        numbers = set(whole[np.arange(count) * len(whole) // count].tolist())
        held = [pair for number, pair in enumerate(pairs) if number in numbers]
        return cls(([source for source, _ in held], [target for _, target in held]))

    def has_side_of(self, source: str, target: str) -> bool:
        """Whether a held out pair has one of these sides, so that the pair may not train."""
        sources, targets = self._sides
        return source.strip() in sources or target.strip() in targets

    @cached_property
    def _sides(self) -> tuple[frozenset[str], ...]:
        return tuple(frozenset(line.strip() for line in side) for side in self.pairs)


def _lines(path: Path) -> Iterator[str]:
    try:
        with open_lines(path) as lines:
            for line in lines:
                yield line.removesuffix("\n")
    except InputError as error:
        raise CorpusError(str(error)) from error
    except OSError as error:
        raise CorpusError(f"{path}: {error.strerror or error}") from error


def _pairs(source_path: Path, target_path: Path) -> Iterator[tuple[str, str]]:
    source, target = _lines(source_path), _lines(target_path)
    for number, (left, right) in enumerate(zip_longest(source, target)):
        if left is None or right is None:
            lengths = (
                number + (left is not None) + sum(1 for _ in source),
                number + (right is not None) + sum(1 for _ in target),
            )
            raise _uneven(source_path, lengths[0], target_path, lengths[1])
        yield left, right


def _uneven(source: Path, source_lines: int, target: Path, target_lines: int) -> CorpusError:
    return CorpusError(
        f"{source} has {source_lines} lines and {target} {target_lines}: "
        f"line {min(source_lines, target_lines) + 1} has no counterpart"
    )
