"""A place in a sentence where one of two words is right, and something earlier says which.

Knows words between spaces. Does not know where sentences come from, or models.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Kind = Literal["verb", "pronoun"]
"""A verb agrees with its subject in number, a pronoun with the person it stands for in gender."""


class Choice(NamedTuple):
    """A sentence up to the place, the two forms, and the rest."""

    kind: Kind
    case: str
    """What makes it easy or hard, such as "2 attractors"."""
    before: str
    forms: tuple[str, str]
    """Singular and plural, or "he" and "she"."""
    second: bool
    """Whether the second form is right."""
    after: str
    decider: int
    """Which word of `before` decides, counted from 0: the subject."""
    others: tuple[int, ...] = ()
    """Words of `before` of the same sort that do not: nouns between, other people."""

    @property
    def right(self) -> str:
        """The form that agrees."""
        return self.forms[self.second]

    @property
    def wrong(self) -> str:
        """The form that does not."""
        return self.forms[not self.second]

    @property
    def text(self) -> str:
        """The whole sentence, as it is right."""
        return f"{self.before} {self.right} {self.after}".rstrip()
