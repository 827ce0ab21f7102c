"""Which place of a text is which of its translation.

Knows words, where they stand, and which are linked. Does not know markup.

    linked       A place at a word is at the word that it is linked to. Words between two places
                 become those that they are linked to, whatever stands among these, and beside
                 them as many words without a link as these have beside them.
    between      What is not linked keeps its proportion, from one link to the next of those that
                 have one order in both texts. Some words become at least one, and as many as is
                 their share, around the same middle.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import accumulate, takewhile

from mt.markup.guesses import rising
from mt.text.words import Links, find_words, is_sign

MOST_WORDS = 100
"""Of more words than that it is enough to know their share; of elements in elements, the time that
takes is bounded by it."""


class Alignment:
    """Places of a text and of its translation."""

    def __init__(self, text: str, translation: str, links: Links) -> None:
        self._length = len(text)
        self.end = len(translation)
        """The last place of the translation."""
        before, after = [*find_words(text)], [*find_words(translation)]
        self._starts = [word.start() for word in before]
        self._ends = [word.end() for word in before]
        self._spans = [word.span() for word in after]
        self._heard = [not is_sign(word[0]) for word in before]
        self._heard_before = [*accumulate(self._heard, initial=0)]
        self._spoken = [n for n, word in enumerate(after) if not is_sign(word[0])]
        # Links come from elsewhere, where words may have been counted in other parts of the text.
        sound = [(n, m) for n, m in links if n < len(before) and m < len(after)]
        self._origins = {m: n for n, m in dict(sound).items()}
        self._partners = {n: m for m, n in self._origins.items()}
        pairs = sorted(self._partners.items())
        self._alike = {n for n, m in pairs if _same(before[n][0], after[m][0])}
        # Between words: a link is a place before and one behind it.
        behind = ((n + k, m + k) for n, m in rising(pairs) for k in (0, 1))
        self._known = [(0, 0), *behind, (len(before), len(after))]
        self._linked_words: dict[tuple[int, int], tuple[int, int] | None] = {}

    def place(self, offset: int) -> int:
        """Of something between two characters."""
        if offset in (0, self._length):
            return offset and self.end
        if (exact := self._inside(offset)) is not None:
            return exact
        if not self._spans:
            return 0
        ended = bisect_right(self._ends, offset)
        if ended and self._ends[ended - 1] == offset:  # it clings to the word before it
            usual = max(0, round(self._number(ended)) - 1)
            return self._spans[self._partners.get(ended - 1, usual)][1]
        first = bisect_left(self._starts, offset)
        word = self._partners.get(first, round(self._number(first)))
        return self._spans[word][0] if word < len(self._spans) else self._spans[-1][1]

    def speaks(self, start: int, end: int) -> bool:
        """Whether there are words between two places that are no signs, or parts of such words."""
        first, behind = self._words(start, end)
        return first < behind and self._heard_before[first] < self._heard_before[behind]

    def word_from(self, place: int) -> tuple[int, int]:
        """The first word of the translation from a place on; the place alone if there is none."""
        first = bisect_left(self._spoken, bisect_left(self._spans, (place, 0)))
        return self._spans[self._spoken[first]] if first < len(self._spoken) else (place, place)

    def stretch(self, start: int, end: int) -> tuple[int, int]:
        """Of what is between two places: a single place if that is nothing or nothing is known."""
        first, behind = words = self._words(start, end)
        if words not in self._linked_words:
            self._linked_words[words] = self._linked(first, behind)
        if linked := self._linked_words[words]:
            begin, last = linked
        elif self._spoken and self.speaks(start, end):
            begin, last = self._share(first, behind)
        else:
            return (self.place(start),) * 2
        span = self._spans[begin][0], self._spans[last][1]
        exact = self._inside(start), self._inside(end)
        low, high = (word if at is None else at for word, at in zip(span, exact, strict=True))
        return (low, high) if low <= high else span  # else parts of two words that changed places

    def _words(self, start: int, end: int) -> tuple[int, int]:
        """The first word between two places, and the first behind."""
        return bisect_right(self._ends, start), bisect_left(self._starts, end)

    def _linked(self, first: int, behind: int) -> tuple[int, int] | None:
        """First and last of the words that these are linked to, if any: where most of them are
        together, without a word among them that another is linked to."""
        inside = range(first, behind)
        if len(inside) > MOST_WORDS:
            return None
        said = [n for n in inside if self._heard[n]] or inside
        rows: list[list[int]] = []
        for word in sorted(self._partners[n] for n in said if n in self._partners):
            if rows and self._are_of(inside, rows[-1][-1] + 1, word):
                rows[-1].append(word)
            else:
                rows.append([word])
        if not rows:
            return None
        longest = max(rows, key=len)
        begin, last = longest[0], longest[-1]
        while self._origins.get(begin - 1) in inside:  # signs
            begin -= 1
        while self._origins.get(last + 1) in inside:
            last += 1
        return begin - self._strays(inside, begin, -1), last + self._strays(inside[::-1], last, 1)

    def _strays(self, inside: range, edge: int, step: int) -> int:
        """How many words beyond an edge have no link, at most as many as on that side of the words
        that became these."""
        unlinked = takewhile(lambda n: n not in self._partners, inside)
        most = sum(self._heard[n] for n in unlinked)
        beyond = range(edge + step, edge + step * (most + 1), step)
        return sum(1 for _ in takewhile(self._is_stray, beyond))

    def _is_stray(self, word: int) -> bool:
        if word in self._origins:
            return False
        place = bisect_left(self._spoken, word)
        return place < len(self._spoken) and self._spoken[place] == word

    def _are_of(self, inside: range, begin: int, end: int) -> bool:
        """Whether no word of a part of the translation is linked to one outside."""
        origins = (self._origins.get(word) for word in range(begin, end))
        return all(n is None or n in inside or not self._heard[n] for n in origins)

    def _share(self, first: int, behind: int) -> tuple[int, int]:
        """First and last of the words that these become by proportion."""
        low, high = self._number(first), self._number(behind)
        count = max(1, round(high - low))
        begin = min(max(0, round((low + high - count) / 2)), len(self._spans) - count)
        near, beyond = bisect_left(self._spoken, begin), bisect_left(self._spoken, begin + count)
        if beyond - near > MOST_WORDS:
            return self._spoken[near], self._spoken[beyond - 1]
        spoken = self._spoken[near:beyond]
        if not spoken:  # but a comma, for one
            around = self._spoken[max(0, near - 1) : near + 1]
            spoken = [min(around, key=lambda word: abs(word - begin))]
        inside = range(first, behind)
        free = [word for word in spoken if self._are_of(inside, word, word + 1)] or spoken[:1]
        low, high = free[0], free[-1]
        if not self._heard[first] and low == spoken[0]:
            low = min(low, begin)
        if not self._heard[behind - 1] and high == spoken[-1]:
            high = max(high, begin + count - 1)
        return low, high

    def _number(self, words: int) -> float:
        """How many words of the translation stand before a place with so many before it."""
        right = max(1, bisect_left(self._known, (words, 0)))
        (low, low_after), (high, high_after) = self._known[right - 1 : right + 1]
        if high == low:
            return high_after
        return low_after + (words - low) * (high_after - low_after) / (high - low)

    def _inside(self, offset: int) -> int | None:
        """Of the inside of a word that both texts have."""
        word = bisect_right(self._starts, offset) - 1
        if word not in self._alike or not self._starts[word] < offset < self._ends[word]:
            return None
        start, end = self._spans[self._partners[word]]
        return min(start + offset - self._starts[word], end)


def _same(word: str, other: str) -> bool:
    return word.casefold() == other.casefold()
