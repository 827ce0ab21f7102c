"""Links of words that need no model: what can be told of two texts without knowing a language.

Knows words that are spelt alike, and signs that end sentences. Does not know markup.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence

from mt.text.words import Links, find_words

_SENTENCE_END = frozenset(".!?\u3002\uff01\uff1f")


def guess_links(text: str, translation: str) -> Links:
    """Links that need no model: words and numbers that both texts have once, in one order, and the
    ends of sentences if both have as many."""
    before, after = ([word[0] for word in find_words(each)] for each in (text, translation))
    folded = [each.casefold() for each in before], [each.casefold() for each in after]
    return rising(sorted({*_only(*folded), *_sentence_ends(before, after)}))


def rising(pairs: Links) -> list[tuple[int, int]]:
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
