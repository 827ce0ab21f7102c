"""Sentence pairs with other numbers in place of theirs: what a model learns to copy digits by.

Knows pairs of texts and random draws. Does not know tokens or models. A corpus of sentences has few
numbers, and of most possible ones none; its sentences around them are true of any (as Fadaee et al.
2017, Data augmentation for low-resource neural machine translation, put rare words into sentences
that fit both sides).
"""

from __future__ import annotations

import re

import numpy as np

from mt.text.digits import RUN, find_runs

_PART_OF_WORD = re.compile(r"[^\W\d_][0-9]|[0-9][^\W\d_]")


def has_shared_numbers(source: str, target: str) -> bool:
    """Whether both sides have the same runs of digits, at least one, and none is part of a word.

    In 21st, 1990s or A4 other digits would want other letters.
    """
    runs = sorted(find_runs(source))
    return (
        bool(runs)
        and runs == sorted(find_runs(target))
        and not any(map(_PART_OF_WORD.search, (source, target)))
    )


def with_other_numbers(source: str, target: str, random: np.random.Generator) -> tuple[str, str]:
    """The pair with each run of digits replaced by one drawn for it, the same on both sides.

    A run keeps its length, so that years stay years and groups of thousands groups; 0 and 1 alone
    stay what they are, as words around them go by them (1 day, 2 days).
    """
    drawn = {run: _drawn(run, random) for run in sorted(set(find_runs(source)))}
    source, target = (RUN.sub(lambda run: drawn[run[0]], text) for text in (source, target))
    return source, target


def _drawn(run: str, random: np.random.Generator) -> str:
    if run in ("0", "1"):
        return run
    least = 2 if len(run) == 1 else 0 if run.startswith("0") else 1
    first, *rest = random.integers([least] + [0] * (len(run) - 1), 10)
    return "".join(map(str, (first, *rest)))
