"""A text with tags inside it, such as a sentence with a word in bold, and its translation.

Knows which tags belong together. Does not know which may stand inside a text (`document`), nor what
becomes of a place in the translation (`places`). Tags keep their order, and so lie in each other as
before; an element with words in it has a word in the translation too, while there are enough.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from typing import NamedTuple

from mt.markup.places import Alignment
from mt.markup.references import escape, unescape
from mt.markup.syntax import Kind, Role


class Tag(NamedTuple):
    """A tag inside a text."""

    written: str
    role: Role
    """OTHER is a tag alone, such as <x/> in XML."""
    name: str


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

    def join(self, translation: str) -> str:
        """The translation, escaped, with the tags in it; what was written if nothing changed."""
        if translation == self.text:
            return self.written
        places = _places(self.read, self.tags, translation)
        pieces = []
        for (start, end), tag in zip(
            pairwise((0, *places, len(translation))), (*self.tags, None), strict=True
        ):
            pieces += [escape(translation[start:end], self.kind), tag.written if tag else ""]
        return "".join(pieces)

    @cached_property
    def read(self) -> tuple[str, ...]:
        """The stretches, their references read."""
        return tuple(unescape(each, self.kind) for each in self.stretches)


def _places(stretches: Sequence[str], tags: Sequence[Tag], translation: str) -> list[int]:
    """Where each tag belongs in the translation; in their order."""
    offsets = [*accumulate(map(len, stretches[:-1]))]
    if not offsets:
        return []
    alignment = Alignment("".join(stretches), translation)
    places = [alignment.place(offset) for offset in offsets]
    starts = {}
    for first, last in _elements(tags):
        if alignment.has_words(offsets[first], offsets[last]):
            starts[last] = first
            places[first], places[last] = alignment.stretch(offsets[first], offsets[last])
    places = [*accumulate(places, max)]
    for last, first in starts.items():
        if places[first] == places[last]:  # pushed together by those before them
            places[first], places[last] = alignment.word_from(places[first])
    return [*accumulate(places, max)]


def _elements(tags: Sequence[Tag]) -> Iterator[tuple[int, int]]:
    """The start and end tag of each element that has both, those inside before those around."""
    still_open: list[int] = []
    for number, tag in enumerate(tags):
        if tag.role is Role.START:
            still_open.append(number)
        elif tag.role is Role.END and still_open and tags[still_open[-1]].name == tag.name:
            yield still_open.pop(), number
