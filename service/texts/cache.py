"""Translations of segments, kept for when they are asked for again.

Knows a bound in bytes, and drops what was not used for longest. Does not know what makes two
requests the same: that is the key's business.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

from mt.translation import SegmentTranslation

ENTRY_BYTES = 600
"""Memory of a candidate besides its characters: records, strings and numbers."""
LINK_BYTES = 64
"""Memory of two linked words."""
CHARACTER_BYTES = 2
"""Between 1, for Latin text, and 4."""


class Cache:
    """A bounded map from keys to translations.

    Args:
        limit: about how many bytes to use; 0 keeps nothing.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: OrderedDict[Hashable, tuple[SegmentTranslation, int]] = OrderedDict()
        self._size = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Hashable) -> SegmentTranslation | None:
        """What was put under a key, if it is still there."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        self._entries.move_to_end(key)
        return entry[0]

    def put(self, key: Hashable, source: str, translation: SegmentTranslation) -> None:
        """Keep the translation of a source, at the cost of what was not used for longest."""
        characters = len(source) + sum(len(each.text) for each in translation.candidates)
        links = sum(len(each.links) for each in translation.candidates)
        size = ENTRY_BYTES * len(translation.candidates) + CHARACTER_BYTES * characters
        size += LINK_BYTES * links
        if size > self._limit:
            return
        if (before := self._entries.pop(key, None)) is not None:
            self._size -= before[1]
        self._entries[key] = translation, size
        self._size += size
        while self._size > self._limit:
            _, (_, dropped) = self._entries.popitem(last=False)
            self._size -= dropped
