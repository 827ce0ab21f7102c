"""A text with tags inside it, such as a sentence with a word in bold, and its translation.

Knows how the text is written between tags. Does not know which tags may stand inside a text
(`document`), nor where they belong in the translation (`layout`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

from mt.markup.guesses import guess_links
from mt.markup.layout import Placed, Tag, lay_out
from mt.markup.places import Alignment
from mt.markup.references import escape, unescape
from mt.markup.syntax import Kind
from mt.text.words import Links


@dataclass(frozen=True)
class Passage:
    """A text to translate, as it is written."""

    kind: Kind
    stretches: tuple[str, ...]
    """Text as it was written, references and all; one more than there are tags between them."""
    tags: tuple[Tag, ...] = ()

    @property
    def written(self) -> str:
        """All of it."""
        tags = (*(tag.written for tag in self.tags), "")
        return "".join(each for pair in zip(self.stretches, tags, strict=True) for each in pair)

    @property
    def text(self) -> str:
        """What there is to translate: without tags, references read."""
        return "".join(self.read)

    def join(self, translation: str, links: Links | None = None) -> str:
        """The translation, escaped, with the tags in it; what was written if nothing changed.

        Args:
            links: of words of `text` and of the translation; None guesses some.
        """
        if translation == self.text:
            return self.written
        pieces, end = [], 0
        for place, tag in self._laid_out(translation, links):
            assert end <= place, (end, place)
            pieces += [escape(translation[end:place], self.kind), tag.written]
            end = place
        return "".join([*pieces, escape(translation[end:], self.kind)])

    @cached_property
    def read(self) -> tuple[str, ...]:
        """The stretches, their references read."""
        return tuple(unescape(each, self.kind) for each in self.stretches)

    def _laid_out(self, translation: str, links: Links | None) -> Sequence[Placed]:
        if not self.tags:
            return ()
        if links is None:
            links = guess_links(self.text, translation)
        alignment = Alignment(self.text, translation, links)
        offsets = [*accumulate(map(len, self.read[:-1]))]
        return lay_out(self.tags, offsets, alignment)
