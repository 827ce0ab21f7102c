"""The tags inside a text, put where its translation has the words they were at.

Knows which tags belong together. Does not know what becomes of a place in the translation
(`places`), nor how text is written between tags (`passages`). Elements lie in each other as before;
side by side they follow the order of their words, which another language may have turned around. An
element with words in it has a word in the translation too, unless those beside it leave it none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple, TypeAlias

from mt.markup.places import Alignment
from mt.markup.syntax import Role

_Stretch: TypeAlias = tuple[int, int]
_ROOT = -1
"""The text as a whole, where an element is asked for."""


class Tag(NamedTuple):
    """A tag inside a text."""

    written: str
    role: Role
    """OTHER is a tag alone, such as <x/> in XML."""
    name: str


class Placed(NamedTuple):
    """A tag, and where it stands in the translation."""

    place: int
    tag: Tag


def lay_out(tags: Sequence[Tag], offsets: Sequence[int], alignment: Alignment) -> list[Placed]:
    """The tags in the order in which the translation has them.

    Args:
        offsets: where each tag stands in the text, in characters of it; rising.
    """
    ends = dict(_elements(tags))
    if 2 * len(ends) < sum(tag.role is not Role.OTHER for tag in tags):
        # Of an element that begins or ends elsewhere there is no telling what lies in it.
        return _in_order(tags, offsets, ends, alignment)
    return _as_a_tree(tags, offsets, ends, alignment)


def _in_order(
    tags: Sequence[Tag], offsets: Sequence[int], ends: Mapping[int, int], alignment: Alignment
) -> list[Placed]:
    places = [alignment.place(offset) for offset in offsets]
    spoken = [each for each in ends.items() if _speaks(offsets, *each, alignment)]
    for first, last in spoken:
        places[first], places[last] = alignment.stretch(offsets[first], offsets[last])
    places = [*accumulate(places, max)]
    for first, last in spoken:
        if places[first] == places[last]:  # pushed together by those before them
            places[first], places[last] = alignment.word_from(places[first])
    return [Placed(*each) for each in zip(accumulate(places, max), tags, strict=True)]


def _as_a_tree(
    tags: Sequence[Tag], offsets: Sequence[int], ends: Mapping[int, int], alignment: Alignment
) -> list[Placed]:
    """Elements, and tags that stand alone, are told by the number of their first tag."""
    around = _around(tags, ends)
    spoken = {first for first, last in ends.items() if _speaks(offsets, first, last, alignment)}
    wanted = {_ROOT: (0, alignment.end)}
    for n in around:
        start, end = offsets[n], offsets[ends.get(n, n)]
        wanted[n] = alignment.stretch(start, end) if start < end else (alignment.place(start),) * 2
    for n in reversed(around):  # those inside before those around
        if n in spoken:
            (low, high), (begin, end) = wanted[around[n]], wanted[n]
            wanted[around[n]] = min(low, begin), max(high, end)
    within: dict[int, list[int]] = {n: [] for n in wanted}
    for n in sorted(around, key=lambda n: wanted[n][0]):
        within[around[n]].append(n)
    return [*_written(tags, ends, _apart(wanted, within, spoken, alignment), within)]


def _apart(
    wanted: Mapping[int, _Stretch],
    within: Mapping[int, Sequence[int]],
    spoken: Collection[int],
    alignment: Alignment,
) -> Mapping[int, _Stretch]:
    """Where elements can be, each within the one around it and none in one beside it.

    Args:
        wanted: where they should be, those around others before these.
    """
    found = {_ROOT: wanted[_ROOT]}
    for parent in wanted:
        low, high = found[parent]
        for n in within[parent]:
            begin, end = (min(max(place, low), high) for place in wanted[n])
            if begin == end and n in spoken:  # pushed together by those before it
                begin, end = (min(place, high) for place in alignment.word_from(begin))
            found[n] = begin, end
            low = end
    return found


def _around(tags: Sequence[Tag], ends: Mapping[int, int]) -> dict[int, int]:
    """The element that each element or tag alone lies in, those around before those inside."""
    around: dict[int, int] = {}
    still_open = [_ROOT]
    for n, tag in enumerate(tags):
        if tag.role is Role.END:
            still_open.pop()
            continue
        around[n] = still_open[-1]
        if n in ends:
            still_open.append(n)
    return around


def _written(
    tags: Sequence[Tag],
    ends: Mapping[int, int],
    found: Mapping[int, _Stretch],
    within: Mapping[int, Sequence[int]],
) -> Iterator[Placed]:
    todo = [(n, False) for n in reversed(within[_ROOT])]
    while todo:  # not a recursion: elements may lie in each other by the thousand
        n, inside = todo.pop()
        if inside:
            yield Placed(found[n][1], tags[ends[n]])
            continue
        yield Placed(found[n][0], tags[n])
        if n in ends:
            todo.append((n, True))
            todo += [(child, False) for child in reversed(within[n])]


def _speaks(offsets: Sequence[int], first: int, last: int, alignment: Alignment) -> bool:
    """Whether the element of two tags has words; what has nothing in it may stand in a word."""
    return offsets[first] < offsets[last] and alignment.speaks(offsets[first], offsets[last])


def _elements(tags: Sequence[Tag]) -> Iterator[tuple[int, int]]:
    """The start and end tag of each element that has both, those inside before those around."""
    still_open: list[int] = []
    for number, tag in enumerate(tags):
        if tag.role is Role.START:
            still_open.append(number)
        elif tag.role is Role.END and still_open and tags[still_open[-1]].name == tag.name:
            yield still_open.pop(), number
