"""A story, its question and the answer; and the words that several families share.

Knows text. Does not know what makes an answer true: the families do.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import NamedTuple

from mt.questions import asked_of

PEOPLE = ("Mary", "John", "Daniel", "Sandra")
PLACES = ("bathroom", "bedroom", "garden", "hallway", "kitchen", "office")
OBJECTS = ("apple", "football", "milk")
OTHER_PEOPLE = ("Bill", "Fred", "Julie", "Mary")
OTHER_PLACES = ("bedroom", "cinema", "kitchen", "office", "park", "school")
MOVES = ("moved to", "went to", "journeyed to", "travelled to", "went back to")
ROUNDS = range(1, 6)
"""A story of the paper goes on after its question, up to five times; here each is one question, of
a story that has gone on so often."""


Statements = tuple[str, ...]


class Story(NamedTuple):
    """What is told, and what is asked of it."""

    statements: Statements
    question: str
    answer: str

    @property
    def text(self) -> str:
        """Question and story, as a model is given them."""
        return asked_of(self.question, " ".join(self.statements))


Family = Callable[[Random], Story]
"""Tells a story; the same for the same state of the generator."""


def other(random: Random, choices: tuple[str, ...], *unwanted: str | None) -> str:
    """One of the choices that is none of those."""
    return random.choice([choice for choice in choices if choice not in unwanted])
