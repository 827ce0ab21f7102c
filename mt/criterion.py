"""By which figure of a validation the best model is told, and what people call it.

Knows the keys that a validator's record may have. Does not know how the figures come about.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from mt.config import Task


class Criterion(NamedTuple):
    """One figure of a validation."""

    key: str
    """In the record of a validation."""
    name: str
    """For people."""
    how: str
    """In a word or two, how it was measured."""
    axis: str
    """The name of an axis that it is drawn along."""
    sign: int = 1
    """1 where more is better, -1 where less is."""


CRITERIA: dict[Task, Criterion] = {
    "translate": Criterion("bleu", "BLEU", "greedy", "BLEU of greedy translations"),
    "answer": Criterion("exact", "exact match", "greedy", "percent of greedy answers"),
    "continue": Criterion("perplexity", "perplexity", "per piece", "perplexity per piece", sign=-1),
}


def find_criterion(record: Mapping[str, Any]) -> Criterion | None:
    """The one that a record has a figure of; None if it has none."""
    return next((each for each in CRITERIA.values() if each.key in record), None)
