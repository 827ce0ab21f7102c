"""Sentence pairs to train, valid and test, so that no sentence is in two of them.

Knows pairs and hashes. Does not know files or where the pairs come from. Pairs that share a
sentence, on either side and whatever its case, are one group, and so are groups that share one;
a group goes whole to one split. Which one depends on its own sentences only, so it stays there
when the collection grows, unless a new pair joins it to another group or brings it an English
sentence that sorts before its others.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

Pair = tuple[str, str]
"""A sentence and its English translation."""
Node = tuple[int, str]
"""A side, 0 or 1, and a sentence there, case-folded."""

TEST_SHARE, VALID_SHARE = 15, 20
"""Of 1,000 groups."""
LARGEST_HELD_OUT = 100
"""Pairs of the largest group that may be held out."""
RULE = (
    "Pairs that share a sentence on either side, case ignored, form a group. A group is known by "
    "that of its English sentences, case-folded, that sorts first by code points. The first 8 "
    "hexadecimal digits of the SHA-256 of that sentence in UTF-8, as a number modulo 1000: below "
    f"{TEST_SHARE} test, below {TEST_SHARE + VALID_SHARE} valid, else train; a group of more than "
    f"{LARGEST_HELD_OUT} pairs is train. In test and valid a pair is left out if one of its "
    "sentences, case ignored, has come before."
)


class Splits(NamedTuple):
    """Where each pair went, in the order given."""

    train: list[Pair]
    valid: list[Pair]
    test: list[Pair]
    left_out: int
    """Pairs of groups that are held out, with a sentence that the split already has."""


def split(pairs: Sequence[Pair]) -> Splits:
    """Share out pairs by `RULE`."""
    groups = _groups(pairs)
    members: dict[Node, list[Pair]] = defaultdict(list)
    for group, pair in zip(groups, pairs, strict=True):
        members[group].append(pair)
    names = {group: _split_of(group_pairs) for group, group_pairs in members.items()}
    parts: dict[str, list[Pair]] = {"train": [], "valid": [], "test": []}
    for group, pair in zip(groups, pairs, strict=True):
        parts[names[group]].append(pair)
    valid, test = _each_sentence_once(parts["valid"]), _each_sentence_once(parts["test"])
    left_out = len(parts["valid"]) + len(parts["test"]) - len(valid) - len(test)
    return Splits(parts["train"], valid, test, left_out)


def _groups(pairs: Sequence[Pair]) -> list[Node]:
    """For each pair the sentence that stands for its group (union-find, Tarjan 1975)."""
    parents: dict[Node, Node] = {}

    def top(node: Node) -> Node:
        while (parent := parents.setdefault(node, node)) != node:
            parents[node] = parents[parent]  # halves the way for the next who asks
            node = parent
        return node

    for pair in pairs:
        left, right = _nodes(pair)
        parents[top(left)] = top(right)
    return [top(_nodes(pair)[0]) for pair in pairs]


def _nodes(pair: Pair) -> tuple[Node, Node]:
    # The side is part of it: a name that is the same in both languages links nothing.
    return (0, pair[0].casefold()), (1, pair[1].casefold())


def _split_of(group: Sequence[Pair]) -> str:
    if len(group) > LARGEST_HELD_OUT:
        return "train"
    canonical = min(english.casefold() for _, english in group)
    number = int(hashlib.sha256(canonical.encode()).hexdigest()[:8], 16) % 1000
    if number < TEST_SHARE:
        return "test"
    return "valid" if number < TEST_SHARE + VALID_SHARE else "train"


def _each_sentence_once(pairs: Iterable[Pair]) -> list[Pair]:
    seen: set[Node] = set()
    kept = []
    for pair in pairs:
        nodes = _nodes(pair)
        if seen.isdisjoint(nodes):
            seen.update(nodes)
            kept.append(pair)
    return kept
