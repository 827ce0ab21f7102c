"""A result of a search or a draw, and what it is worth.

Knows tokens and log-probabilities. Does not know how a hypothesis was found.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One result of a search."""

    tokens: tuple[int, ...]
    """Without begin and end."""
    log_probability: float
    """Sum over the scored tokens: all of `tokens`, then end if the hypothesis is finished."""
    score: float
    """log_probability / length_penalty(length, alpha); higher is better."""
    finished: bool
    """False: the length limit came before the end token."""

    @property
    def length(self) -> int:
        """Number of scored tokens."""
        return len(self.tokens) + self.finished


def length_penalty(length: int, alpha: float) -> float:
    """((5 + length) / 6) ** alpha (Wu et al. 2016, eq. 14); alpha 0 makes all lengths equal."""
    return float(((5 + length) / 6) ** alpha)
