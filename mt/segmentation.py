"""Words cut into pieces at random: BPE-dropout, and paths through a unigram model's lattice.

Knows pieces, their scores, and normalised text. Does not know how pieces are learned. SentencePiece
can do this too, but its generator (absl::BitGen) mixes a salt of each process into any seed. Draws
here come from the generator that is handed in, so they are the same in every process.

In normalised text each word begins with SPACE, and a piece never crosses words. A character that is
no piece is UNKNOWN; neighbours of that kind are one UNKNOWN together, as SentencePiece writes them.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from mt.tokens import END, UNKNOWN

SPACE = "\u2581"
"""How SentencePiece writes white space; a piece that begins with it begins a word."""
UNKNOWN_PENALTY = 10.0
"""By how many nats an unknown character is less likely than the least likely piece of a unigram
model; SentencePiece's value."""


class Segmentation(Protocol):
    """Cuts text into pieces at random."""

    def sample(
        self, texts: Sequence[str], alpha: float, random: np.random.Generator
    ) -> list[list[int]]:
        """The ids of each text; texts are normalised."""
        ...


class Merges:
    """BPE-dropout (Provilkov et al. 2020, section 3): some merges are skipped.

    As in SentencePiece, whether two neighbours may become a piece is drawn once for as long as they
    are neighbours. All words take their next merge at once.
    """

    def __init__(self, pieces: Sequence[str]) -> None:
        """`pieces` by id: special ones, then the others in the order they were learned."""
        ids = {piece: number for number, piece in enumerate(pieces) if number > END}
        self._nothing = len(pieces)
        self._characters = _Table(
            {ord(piece): number for piece, number in ids.items() if len(piece) == 1}, UNKNOWN
        )
        parts = (
            (ids.get(piece[:cut]), ids.get(piece[cut:]), number)
            for piece, number in ids.items()
            for cut in range(1, len(piece))
        )
        self._made = _Table(
            {
                left * self._nothing + right: number
                for left, right, number in parts
                if left is not None and right is not None
            },
            self._nothing,
        )

    def sample(
        self, texts: Sequence[str], alpha: float, random: np.random.Generator
    ) -> list[list[int]]:
        """As `Segmentation.sample`, in about 100 bytes a character.

        Args:
            alpha: share of the merges skipped.
        """
        codes = np.frombuffer("".join(texts).encode("utf-32-le"), np.uint32).astype(np.int64)
        stops = np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)))
        begins = np.append(codes == ord(SPACE), True)
        begins[0] = begins[stops] = True
        ids = self._merge(self._characters[codes], begins, alpha, random)
        there = ids >= 0
        flat = ids[there].tolist()
        ends = np.append(0, np.cumsum(there))[stops].tolist()
        return [
            _unknown_once(flat[start:end]) for start, end in zip([0, *ends], ends, strict=False)
        ]

    def _merge(
        self,
        characters: NDArray[np.int64],
        begins: NDArray[np.bool_],
        alpha: float,
        random: np.random.Generator,
    ) -> NDArray[np.int64]:
        """[n]: the piece that begins at each character, -1 where none does.

        Args:
            characters: [n], as ids.
            begins: [n + 1], whether a word begins there; True at the end.
        """
        found = np.full(len(characters), -1)
        places = np.arange(len(characters))
        symbols = np.append(characters, UNKNOWN)  # the last one has a neighbour too
        # made[i]: what the symbols i and i + 1 may become.
        made = self._draw(symbols[:-1], symbols[1:], begins[1:], alpha, random)
        while len(made):
            starts = np.flatnonzero(begins[:-1])
            # In each word the piece that was learned first, and its leftmost place.
            first = np.minimum.reduceat(made << 32 | np.arange(len(made)), starts)
            merging = first >> 32 < self._nothing
            piece, at = first[merging] >> 32, first[merging] & 0xFFFFFFFF
            kept = np.repeat(merging, np.diff(starts, append=len(made)))
            found[places[~kept]] = symbols[:-1][~kept]
            symbols[at] = piece
            made[at] = self._draw(piece, symbols[at + 2], begins[at + 2], alpha, random)
            left = at[~begins[at]] - 1
            made[left] = self._draw(symbols[left], symbols[left + 1], False, alpha, random)
            kept[at + 1] = False
            made, places = made[kept], places[kept]
            kept = np.append(kept, True)
            symbols, begins = symbols[kept], begins[kept]
        return found

    def _draw(
        self,
        left: NDArray[np.int64],
        right: NDArray[np.int64],
        apart: NDArray[np.bool_] | bool,
        alpha: float,
        random: np.random.Generator,
    ) -> NDArray[np.int64]:
        """What neighbours make, if they are no words `apart` and their merge is not skipped."""
        made = self._made[left * self._nothing + right]
        made[(random.random(len(made)) < alpha) | apart] = self._nothing
        return made


class Lattice:
    """Segmentations drawn by their probability in a unigram model to the power of alpha.

    Kudo 2018, section 3.3, among all segmentations: pieces are drawn from the end of a word to its
    beginning, by sums over all ways to get there. Words are independent, as no piece crosses them.
    """

    def __init__(self, pieces: Sequence[str], scores: Sequence[float]) -> None:
        """`pieces` and their log-probabilities by id, special ones first."""
        self._ids = {piece: number for number, piece in enumerate(pieces) if number > END}
        self._scores = scores
        self._unknown = min(scores[END + 1 :]) - UNKNOWN_PENALTY
        self._longest = max(map(len, self._ids))

    def sample(
        self, texts: Sequence[str], alpha: float, random: np.random.Generator
    ) -> list[list[int]]:
        """As `Segmentation.sample`.

        Args:
            alpha: the greater, the more likely are likely pieces; 0 makes all equally likely.
        """
        uniform = iter(random.random(sum(map(len, texts))).tolist())
        seen: dict[str, list[_Last]] = {}
        rows = []
        for text in texts:
            row: list[int] = []
            for word in _words(text):
                if word not in seen:
                    seen[word] = self._lasts(word, alpha)
                row += _path(seen[word], uniform)
            rows.append(_unknown_once(row))
        return rows

    def _lasts(self, word: str, alpha: float) -> list[_Last]:
        """What the last piece of each beginning of a word may be, from one character on."""
        sums = [0.0]  # log of the sum over all segmentations of the first n characters
        lasts = []
        for end in range(1, len(word) + 1):
            starts, ids, logs = [], [], []
            for start in range(max(0, end - self._longest), end):
                number = self._ids.get(word[start:end])
                if number is None and end - start > 1:
                    continue
                score = self._unknown if number is None else self._scores[number]
                starts.append(start)
                ids.append(UNKNOWN if number is None else number)
                logs.append(sums[start] + alpha * score)
            most = max(logs)
            weights = list(accumulate(math.exp(log - most) for log in logs))
            sums.append(most + math.log(weights[-1]))
            lasts.append(_Last(starts, ids, weights))
        return lasts


class _Last(NamedTuple):
    """The pieces that a beginning of a word may end with."""

    starts: list[int]
    ids: list[int]
    weights: list[float]
    """Relative probabilities, each added to those before it."""


def _path(lasts: Sequence[_Last], uniform: Iterator[float]) -> list[int]:
    """Ids drawn from the end to the beginning, in their order."""
    path = []
    end = len(lasts)
    while end:
        starts, ids, weights = lasts[end - 1]
        drawn = bisect_right(weights, next(uniform) * weights[-1], hi=len(weights) - 1)
        path.append(ids[drawn])
        end = starts[drawn]
    return path[::-1]


def _words(text: str) -> list[str]:
    first, *others = text.split(SPACE)  # nothing comes before the first SPACE, as a rule
    return [first, *(SPACE + word for word in others)]


def _unknown_once(row: list[int]) -> list[int]:
    if row.count(UNKNOWN) < 2:
        return row
    return [
        number
        for before, number in zip([None, *row], row, strict=False)
        if number != UNKNOWN or before != UNKNOWN
    ]


class _Table:
    """Numbers by number, for whole arrays of them."""

    def __init__(self, entries: Mapping[int, int], otherwise: int) -> None:
        ordered = sorted(entries.items())
        self._keys = np.array([*(key for key, _ in ordered), np.iinfo(np.int64).max])
        self._values = np.array([*(value for _, value in ordered), otherwise])
        self._otherwise = otherwise

    def __getitem__(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        places = np.searchsorted(self._keys, keys)
        return np.where(self._keys[places] == keys, self._values[places], self._otherwise)
