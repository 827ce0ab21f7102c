"""Honest comparison of a few actions: in turn, again and again, by medians.

Machines drift, so every action is measured in every round, and what carries over to another machine
is a ratio within a round, not a time.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any


def rounds_of(*actions: Callable[[], Any], rounds: int) -> list[list[float]]:
    """For each action its seconds in each round (A B C, A B C, ...)."""
    taken: list[list[float]] = [[] for _ in actions]
    for _ in range(rounds):
        for action, seconds in zip(actions, taken, strict=True):
            started = time.perf_counter()
            action()
            seconds.append(time.perf_counter() - started)
    return taken


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
