"""What a translation is, and how those of segments make that of a text.

Knows records and their arithmetic. Does not know models: whoever has the segments of a text
translated, here or in another process, puts them together with `join`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from mt.text.words import Links


class Frame(Protocol):
    """What is around the segments of a text, such as `mt.text.Document`."""

    def join(self, translations: Sequence[str], links: Sequence[Links] = ()) -> str:
        """The text with the translations of its segments in their places.

        Args:
            links: of the words of each segment and its translation, for a frame that has something
                to put between them.
        """


class Candidate(NamedTuple):
    """One way to translate a segment."""

    text: str
    log_probability: float
    """Natural logarithm, summed over the tokens written."""
    length: int
    """Tokens written, the end of each part included."""
    links: Links = ()
    """Words of the segment and of the text that belong together, where they were asked for."""


class SegmentTranslation(NamedTuple):
    """What became of one segment."""

    candidates: tuple[Candidate, ...]
    """As the search ranks them, better ones first, or as drawn; at least one."""
    flags: frozenset[str] = frozenset()
    """Reasons for a closer look; `mt.flags` names and defines each."""

    @property
    def text(self) -> str:
        return self.candidates[0].text

    @property
    def score(self) -> float:
        """As `Translation.score`."""
        return mean_probability(self.candidates[:1])


class Alternative(NamedTuple):
    """Another translation of a text."""

    text: str
    score: float
    """As `Translation.score`."""


@dataclass(frozen=True)
class Translation:
    """What became of one text."""

    text: str
    """The translation, with the white space and line ends of the source."""
    score: float
    """exp of the mean log-probability of the tokens written, from 0 to 1; 1 if none had to be. As
    the search had it, so where it copies digits a digit counts as likely as the copying was."""
    flags: frozenset[str] = frozenset()
    """Reasons for a closer look; `mt.flags` names and defines each."""
    alternatives: tuple[Alternative, ...] = ()
    """Further translations of the whole text, as many as asked for and found: as the search ranks
    them, better ones first (`length_penalty` has a say in that, not in `score`), or as drawn."""


def given(text: str) -> SegmentTranslation:
    """A translation that no model had to write."""
    return SegmentTranslation((Candidate(text, 0.0, 0),))


def join(frame: Frame, segments: Sequence[SegmentTranslation]) -> Translation:
    """Put the translations of a text's segments in their places.

    The n-th alternative of the text takes every segment's n-th candidate, or the last it has.
    """
    ranked: dict[str, float] = {}
    for n in range(max((len(each.candidates) for each in segments), default=1)):
        nth = [each.candidates[min(n, len(each.candidates) - 1)] for each in segments]
        # Different tokens can spell the same text; the first to do so counts.
        texts, links = ([each.text for each in nth], [each.links for each in nth])
        text = frame.join(texts, links)
        ranked.setdefault(text, mean_probability(nth))
    best, *others = (Alternative(*each) for each in ranked.items())
    flags = frozenset[str]().union(*(each.flags for each in segments))
    return Translation(best.text, best.score, flags, tuple(others))


def mean_probability(candidates: Sequence[Candidate]) -> float:
    """The geometric mean of the probabilities of all tokens written; 1 if there is none."""
    written = sum(candidate.length for candidate in candidates)
    total = sum(candidate.log_probability for candidate in candidates)
    return math.exp(total / written) if written else 1.0
