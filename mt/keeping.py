"""What a text keeps as it is gets past a model: left out before, and put back behind.

Knows where in a translation something belongs that stood between two words: beside what these
became (`mt.markup.places`). Does not know what is kept (`mt.text.verbatim`), or models. No
vocabulary spells an address, and what a model makes of %d or {name} is anything but that.
"""

from __future__ import annotations

from typing import NamedTuple

from mt.markup import Alignment
from mt.text.verbatim import find_verbatim
from mt.text.words import Links

_CLOSING = frozenset(".,;:!?)]}\u2026\u201d\u00bb")
"""Signs that no space stands before."""
_PAIRS = frozenset(('""', "''", "()", "[]", "\u201e\u201c", "\u201c\u201d", "\u00ab\u00bb"))
"""Signs that stand around something."""


class Kept(NamedTuple):
    """Something that was left out."""

    text: str
    place: int
    """Characters of what is shown that stand before it."""
    before: str
    """The character before it in its segment; empty at the start."""
    behind: str


class Shown(NamedTuple):
    """A segment as a model is to see it, and what it is not to see."""

    text: str
    kept: tuple[Kept, ...] = ()

    def restored(self, translation: str, links: Links) -> str:
        """A translation of `text` with everything kept in its place.

        Args:
            links: of the words of `text` and of the translation.
        """
        if not self.kept:
            return translation
        alignment = Alignment(self.text, translation, links)
        places = [alignment.place(each.place) for each in self.kept]
        parts, end = [""], 0
        for at, each in sorted(zip(places, self.kept, strict=True), key=lambda pair: pair[0]):
            parts.append(translation[end:at])
            end = at
            parts.append(_spaced(each, (parts[-1] or parts[-2])[-1:], translation[at : at + 1]))
        return "".join([*parts, translation[end:]])


def leave_out(segment: str) -> Shown:
    """What is shown of a segment: all that is not kept, with one space where that stood in two."""
    parts, kept, length, end = list[str](), list[Kept](), 0, 0
    for found in find_verbatim(segment):
        start, stop = found.span()
        if start > end and segment[start - 1] + segment[stop : stop + 1] in _PAIRS:
            start, stop = start - 1, stop + 1  # empty ones would be left
        part = segment[end:start]
        end = stop
        behind = segment[end : end + 1]
        if not behind.isalnum():  # the space before it would be one too many
            part = part.rstrip()
        if not length + len(part) and behind.isspace():
            end += len(segment[end:]) - len(segment[end:].lstrip())
        parts.append(part)
        length += len(part)
        before = segment[max(0, start - 1) : start]
        kept.append(Kept(segment[start:stop], length, before, behind))
    return Shown("".join([*parts, segment[end:]]), tuple(kept))


def _spaced(each: Kept, before: str, behind: str) -> str:
    """What is put between two characters: spaces are where they were, and between words."""
    text = each.text
    if before and not before.isspace():
        apart = before.isalnum() and not each.before.isalnum()
        text = f" {text}" if apart or each.before.isspace() else text
    if behind and not behind.isspace() and behind not in _CLOSING:
        apart = behind.isalnum() and not each.behind.isalnum()
        text = f"{text} " if apart or each.behind.isspace() else text
    return text
