"""Which tokens may follow in a hypothesis whose digits are to be those of its source.

Knows characters, how tokens spell them, and the numbers of one source. Does not know
probabilities; `mt.search.copying` lays the rule over a scorer.

    copied       Digits that a hypothesis writes are a number of the source, in one of its
                 spellings, and each number is written at most once for each time it is there.
    whole        A number that has been begun is finished before anything else is written.
    apart        No mark stands between two numbers with nothing else, where the source has none
                 that way: "2, 300" does not become "2,300".

Nothing has to be written: a number may be left out, or become a word.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import compress, groupby
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mt.search.scorer import Integers
from mt.text.digits import DIGITS, MARKS

Spellings: TypeAlias = tuple[str, ...]
"""All ways to write a number; the first character of each is a digit, and so is the last."""


class Numerals:
    """The tokens that spell digits and what stands before or between them.

    Shapes: D such tokens, G groups of them.
    """

    def __init__(self, spelled: Mapping[int, str]) -> None:
        """Of a vocabulary.

        Args:
            spelled: every token that has a digit, as it is written, and those of the others that
                are what one of these begins with, or a separator of thousands.
        """
        self.spelled = spelled

        def group(token: int) -> str:
            return beginning(spelled[token])

        order = sorted(spelled, key=lambda token: (group(token), token))
        sizes = [len(list(alike)) for _, alike in groupby(order, key=group)]
        self.tokens: Integers = np.array(order, dtype=np.int64)
        """[D] those that begin alike, up to their first digit, side by side."""
        self.sizes: Integers = np.array(sizes, dtype=np.int64)
        """[G] how many begin alike."""
        self.starts: Integers = self.sizes.cumsum() - self.sizes
        """[G] where they stand in `tokens`."""


class Choice(NamedTuple):
    """What may follow a hypothesis."""

    fits: NDArray[np.bool_]
    """[D] which of the tokens of `Numerals`."""
    unfinished: bool
    """Whether nothing else may, since a number has been begun."""
    spent: bool
    """Whether there is no number left to write."""


class DigitRule:
    """What hypotheses for one source may write, by the place where they are in its numbers."""

    start = 0
    """The place of a hypothesis that has written nothing."""

    def __init__(
        self, numerals: Numerals, numbers: Sequence[Spellings], *, rows: bool = False
    ) -> None:
        """Of a source.

        Args:
            numbers: those of the source; each digit of one is a token by itself.
            rows: whether the source has some that only a sign divides, as in a date, so that a
                translation may have.
        """
        self.numerals = numerals
        self._rows = rows
        self._places = [frozenset({_Reading(tuple(sorted(numbers)), "")})]
        self._numbers = {self._places[0]: 0}
        self._next: dict[tuple[_Reading, str], frozenset[_Reading]] = {}
        self._after: dict[tuple[int, str], int] = {}
        self._choices: dict[int, Choice] = {}

    def after(self, place: int, token: int) -> int:
        """The place of a hypothesis that was at one and has written a token."""
        key = (place, self.numerals.spelled.get(token, " "))
        if key not in self._after:
            before = self._places[place]
            # What the rule forbids is written all the same where nothing else could be.
            there = self._read(before, key[1]) or frozenset(_Reading(r.left, "") for r in before)
            self._after[key] = self._numbers.setdefault(there, len(self._places))
            if self._after[key] == len(self._places):
                self._places.append(there)
        return self._after[key]

    def choice(self, place: int) -> Choice:
        """What may follow there."""
        if place not in self._choices:
            readings = self._places[place]
            texts = [self.numerals.spelled[token] for token in self.numerals.tokens.tolist()]
            fits = [bool(self._read(readings, text)) for text in texts]
            finished = [each for reading in readings for each in _finished(reading)]
            left = any(each.left for each in finished)
            goes_on = not DIGITS.isdisjoint("".join(compress(texts, fits)))
            self._choices[place] = Choice(
                fits=np.array(fits),
                unfinished=not finished,
                spent=bool(finished) and not left and not goes_on,
            )
        return self._choices[place]

    def _read(self, readings: frozenset[_Reading], text: str) -> frozenset[_Reading]:
        """What it may be after more text; nothing if the rule forbids that."""
        for character in text:
            found: set[_Reading] = set()
            for reading in readings:
                key = (reading, character)
                if key not in self._next:
                    self._next[key] = frozenset(self._after_one(reading, character))
                found |= self._next[key]
            readings = frozenset(found)
        return readings

    def _after_one(self, reading: _Reading, character: str) -> Iterator[_Reading]:
        """All that a reading may be after one more character."""
        left, begun, marked = reading
        if character in DIGITS:
            goes_on = bool(begun) or not marked
        else:
            goes_on = bool(begun)
            joins = character in MARKS and bool(begun) and not self._rows
            for finished in _finished(reading):
                yield finished._replace(marked=joins)
        if goes_on and _is_begun(left, begun + character):
            yield _Reading(left, begun + character)


def beginning(text: str) -> str:
    """What stands before the first digit; all of it if there is none."""
    return text[: next((n for n, each in enumerate(text) if each in DIGITS), len(text))]


class _Reading(NamedTuple):
    """One way to understand what is written: a separator may be punctuation."""

    left: tuple[Spellings, ...]
    """The numbers not finished yet."""
    begun: str
    """What is written of one of them; "" if the last character belongs to none."""
    marked: bool = False
    """Whether that character would make one number of the last one and a digit behind it."""


def _finished(reading: _Reading) -> Iterator[_Reading]:
    """The same with its last number finished, whichever it may be; none if that is not whole."""
    left, begun, _ = reading
    if not begun:
        yield reading
        return
    for spellings in set(left):
        if begun in spellings:  # 8 may be the 8 or the 08 of a source
            place = left.index(spellings)
            yield _Reading((*left[:place], *left[place + 1 :]), "")


def _is_begun(left: tuple[Spellings, ...], text: str) -> bool:
    return any(each.startswith(text) for spellings in left for each in spellings)
