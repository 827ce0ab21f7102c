"""Honest comparison of a few actions: in turn, again and again, by medians.

Machines drift, so every action is measured in every round, and what carries over to another machine
is a ratio within a round, not a time.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

Key = TypeVar("Key")


def take_turns(
    measures: Mapping[Key, Callable[[], float]], *, rounds: int
) -> dict[Key, list[float]]:
    """What each returns in each round, often seconds that it has counted itself (A B, A B, ...)."""
    found: dict[Key, list[float]] = {name: [] for name in measures}
    for _ in range(rounds):
        for name, measure in measures.items():
            found[name].append(measure())
    return found


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, least and most of some measurements, for a record."""
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}


def times_as_fast(seconds: Sequence[float], others: Sequence[float]) -> float:
    """How many times as fast the first is: the median over rounds of their ratio in a round."""
    return statistics.median(its / mine for mine, its in zip(seconds, others, strict=True))


def percentile(values: Sequence[float], share: float) -> float:
    """The least value that at least this share of all values do not exceed."""
    ordered = sorted(values)
    return ordered[max(math.ceil(share * len(ordered)), 1) - 1]


def rounds_of(*actions: Callable[[], Any], rounds: int) -> list[list[float]]:
    """For each action its seconds in each round (A B C, A B C, ...)."""
    timed = {number: partial(seconds_of, action) for number, action in enumerate(actions)}
    return list(take_turns(timed, rounds=rounds).values())


def seconds_of(action: Callable[[], Any]) -> float:
    """How long an action takes."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def compare(*actions: Callable[[], Any], rounds: int) -> list[float]:
    """Median seconds of each action."""
    return [statistics.median(seconds) for seconds in rounds_of(*actions, rounds=rounds)]


def ratios(*actions: Callable[[], Any], rounds: int) -> list[float]:
    """For each action the median over rounds of its time to that of the first in the same round."""
    first, *others = rounds_of(*actions, rounds=rounds)
    return [
        statistics.median(mine / its for mine, its in zip(seconds, first, strict=True))
        for seconds in (first, *others)
    ]
