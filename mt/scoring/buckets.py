"""Quality by length of the source: where a state of fixed size stops to hold a whole sentence.

Knows texts. Does not know models.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

from mt.config import Words
from mt.scoring.metrics import Score, bleu


class Bucket(NamedTuple):
    """The lines whose sources have between `first` and `last` words."""

    first: int
    last: int | None
    """None in the last bucket, which has no upper end."""
    lines: tuple[int, ...]
    """Their positions in the text, from 0."""

    def __str__(self) -> str:
        if self.last is None:
            return f"{self.first}+"
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


def length_buckets(sources: Sequence[str], edges: Sequence[int]) -> list[Bucket]:
    """Every line in the bucket of its length, in words, which are what white space separates.

    Args:
        edges: the longest lines of each bucket but the last, in words, rising, from 1.

    Returns:
        The buckets from short to long, empty ones too. Blank lines, if there are any, have one of
        their own before the others.
    """
    assert all(low < high for low, high in zip((0, *edges), edges, strict=False))
    lasts = [0, *edges]
    lines: list[list[int]] = [[] for _ in range(len(lasts) + 1)]
    for number, source in enumerate(sources):
        lines[bisect_left(lasts, len(source.split()))].append(number)
    firsts = [0, *(last + 1 for last in lasts)]
    buckets = [
        Bucket(first, last, tuple(numbers))
        for first, last, numbers in zip(firsts, [*lasts, None], lines, strict=True)
    ]
    return buckets if buckets[0].lines else buckets[1:]


def bleu_by_bucket(
    buckets: Sequence[Bucket],
    translations: Sequence[str],
    *references: Sequence[str],
    words: Words = "13a",
) -> list[Score | None]:
    """Cased BLEU of the lines of each bucket; None for a bucket without lines."""
    return [
        bleu(
            *([text[line] for line in bucket.lines] for text in (translations, *references)),
            words=words,
        )
        if bucket.lines
        else None
        for bucket in buckets
    ]
