"""A segment as a model is shown it: truecased, then tokenised.

Knows the order of the two, and what a vocabulary needs for a word. Does not know documents, nor how
much a model reads at once.
"""

from __future__ import annotations

from typing import NamedTuple

from mt.text.casing import Case, find_case, truecase
from mt.tokenizer import Tokenizer
from mt.tokens import UNKNOWN


class Reading(NamedTuple):
    """What a model is shown of a segment."""

    case: Case
    """That the translation is to be put into."""
    text: str
    tokens: list[int]
    """Empty for a segment of which the vocabulary makes nothing."""


def read_segment(segment: str, tokenizer: Tokenizer, *, truecases: bool) -> Reading:
    """A segment truecased, if it is to be and not in ordinary case anyway, and tokenised."""

    def cost(word: str) -> tuple[int, int]:
        """Unknown pieces first, then pieces."""
        ids = tokenizer.encode([word])[0]
        return ids.count(UNKNOWN), len(ids)

    case = find_case(segment, cost) if truecases else Case.ORDINARY
    text = segment if case is Case.ORDINARY else truecase(segment, cost)
    return Reading(case, text, tokenizer.encode([text])[0])
