"""Which place of a text is which of its translation, guessed without knowing either language.

Knows words, and where they stand. Does not know markup.

    anchors      A word or number that both texts have once, and the ends of sentences if both have
                 as many, are in the same place.
    between      From one anchor to the next, places keep their proportions. Some words become at
                 least one, and as many as is their share, around the same middle.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence

_WORD = re.compile(r"\w+(?:['\u2019]\w+)*|[^\w\s]")
_SENTENCE_END = frozenset(".!?\u3002\uff01\uff1f")


class Alignment:
    """Places of a text and of its translation."""

    def __init__(self, text: str, translation: str) -> None:
        self._length, self._end = len(text), len(translation)
        before, after = ([*_WORD.finditer(each)] for each in (text, translation))
        self._starts = [word.start() for word in before]
        self._ends = [word.end() for word in before]
        self._spans = [word.span() for word in after]
        self._spoken = [n for n, word in enumerate(after) if word[0][0].isalnum()]
        self._anchors = dict(_anchors(*([word[0] for word in each] for each in (before, after))))
        # Between words: an anchor is a place before and one behind it.
        behind = ((i + n, j + n) for i, j in self._anchors.items() for n in (0, 1))
        self._known = [(0, 0), *behind, (len(before), len(after))]

    def place(self, offset: int) -> int:
        """Of something between two characters."""
        if (exact := self._exactly(offset)) is not None:
            return exact
        if not self._spans:
            return 0
        ended = bisect_right(self._ends, offset)
        if ended and self._ends[ended - 1] == offset:  # it clings to the word before it
            return self._spans[max(0, round(self._number(ended)) - 1)][1]
        word = round(self._number(bisect_left(self._starts, offset)))
        return self._spans[word][0] if word < len(self._spans) else self._spans[-1][1]

    def has_words(self, start: int, end: int) -> bool:
        """Whether there are words between two places, or parts of them."""
        first, behind = self._words(start, end)
        return first < behind

    def word_from(self, place: int) -> tuple[int, int]:
        """The first word of the translation from a place on; the place alone if there is none."""
        first = bisect_left(self._spoken, bisect_left(self._spans, (place, 0)))
        return self._spans[self._spoken[first]] if first < len(self._spoken) else (place, place)

    def stretch(self, start: int, end: int) -> tuple[int, int]:
        """Of the words between two places, of which there are some."""
        first, behind = self._words(start, end)
        if not self._spans:
            return 0, 0
        low, high = self._number(first), self._number(behind)
        count = max(1, round(high - low))
        begin = min(max(0, round((low + high - count) / 2)), len(self._spans) - count)
        last = begin + count - 1
        near = bisect_left(self._spoken, begin)
        if self._spoken and near == bisect_right(self._spoken, last):  # but a comma, for one
            around = self._spoken[max(0, near - 1) : near + 1]
            begin = last = min(around, key=lambda word: abs(word - begin))
        exact = self._exactly(start), self._exactly(end)
        return (
            self._spans[begin][0] if exact[0] is None else exact[0],
            self._spans[last][1] if exact[1] is None else exact[1],
        )

    def _words(self, start: int, end: int) -> tuple[int, int]:
        """The first word between two places, and the first behind."""
        return bisect_right(self._ends, start), bisect_left(self._starts, end)

    def _number(self, words: int) -> float:
        """How many words of the translation stand before a place with so many before it."""
        right = max(1, bisect_left(self._known, (words, 0)))
        (low, low_after), (high, high_after) = self._known[right - 1 : right + 1]
        if high == low:
            return high_after
        return low_after + (words - low) * (high_after - low_after) / (high - low)

    def _exactly(self, offset: int) -> int | None:
        """Of what needs no guess: an end of the text, or the inside of a word that both have."""
        if offset in (0, self._length):
            return offset and self._end
        word = bisect_right(self._starts, offset) - 1
        if word not in self._anchors or not self._starts[word] < offset < self._ends[word]:
            return None
        start, end = self._spans[self._anchors[word]]
        return min(start + offset - self._starts[word], end)


def _anchors(before: Sequence[str], after: Sequence[str]) -> list[tuple[int, int]]:
    """Words that are in the same place, by their numbers, which rise in both texts."""
    folded = [each.casefold() for each in before], [each.casefold() for each in after]
    return _rising(sorted({*_only(*folded), *_sentence_ends(before, after)}))


def _only(before: Sequence[str], after: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Words that are the same and stand in each text once."""
    here, there = (
        {word: n for n, word in enumerate(words) if counts[word] == 1}
        for words, counts in ((each, Counter(each)) for each in (before, after))
    )
    for word, place in here.items():
        if word in there and any(map(str.isalnum, word)):
            yield place, there[word]


def _sentence_ends(before: Sequence[str], after: Sequence[str]) -> Iterator[tuple[int, int]]:
    here, there = (
        [n for n, word in enumerate(words) if word in _SENTENCE_END] for words in (before, after)
    )
    if len(here) == len(there):
        yield from zip(here, there, strict=True)


def _rising(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The longest row of pairs that rises in both; `pairs` rises in the first."""
    tails: list[int] = []  # the least second number with which a row of each length ends
    rows: list[tuple[tuple[int, int], int]] = []  # each pair, and the one before it in its row
    lasts: list[int] = []
    for pair in pairs:
        length = bisect_left(tails, pair[1])
        rows.append((pair, lasts[length - 1] if length else -1))
        tails[length : length + 1] = [pair[1]]
        lasts[length : length + 1] = [len(rows) - 1]
    found = []
    last = lasts[-1] if lasts else -1
    while last >= 0:
        pair, last = rows[last]
        found.append(pair)
    return found[::-1]
