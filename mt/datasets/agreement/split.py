"""Which text a pair of words belongs to, so that no text has pairs of another.

Knows positions of words in their lists, and nothing of words. Position i of one list and j of
another go to the text that i + j, counted around, falls on: every word is in all texts, with other
partners in each.
"""

from __future__ import annotations

from functools import cache
from typing import Literal

Split = Literal["train", "valid", "test"]

_TURN: tuple[Split, ...] = ("test", "valid", "train", "train", "train")


def split_of(first: int, second: int) -> Split:
    """The one text that has the pair."""
    return _TURN[(first + second) % len(_TURN)]


@cache
def partners(first: int, count: int, split: Split) -> tuple[int, ...]:
    """The positions below `count` that a text pairs with `first`, itself excepted."""
    return tuple(n for n in range(count) if n != first and split_of(first, n) == split)
