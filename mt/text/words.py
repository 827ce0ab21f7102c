"""Words of a text, by their numbers, for whoever looks for one text's words in another.

Knows letters, digits and signs. Does not know languages: in one that writes no spaces, a word is
whatever stands between two signs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TypeAlias

Links: TypeAlias = Sequence[tuple[int, int]]
"""Words that belong together, by their numbers in each of two texts; no word is in two of them."""

_WORD = re.compile(r"\w+(?:['\u2019]\w+)*|[^\w\s]")


def is_sign(word: str) -> bool:
    """Whether a word is none that is spoken: a comma, for one."""
    return not word[0].isalnum()


def find_words(text: str) -> Iterator[re.Match[str]]:
    """The words of a text, in order; a sign such as a comma is one too."""
    return _WORD.finditer(text)
