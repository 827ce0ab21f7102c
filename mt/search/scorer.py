"""What search asks of a model: the log-probabilities of the next token, and a state to go on from.

Knows rows and tokens. Does not know how either side works: a test scripts a scorer with a table, an
engine computes one, and search asks them alike.

Shapes: N rows, V vocabulary, C = min(k, V) best tokens of a row.
"""

from __future__ import annotations

from typing import Any, Protocol, Self, TypeAlias, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Integers: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]
LogProbabilities: TypeAlias = NDArray[np.floating[Any]]


class State(Protocol):
    """What a scorer remembers of each row from one step to the next."""

    def select(self, rows: Integers) -> Self:
        """The state of these rows, in this order; rows may repeat, reorder and be left out."""
        ...


S = TypeVar("S", bound=State)


class Scorer(Protocol[S]):
    """A model that continues token sequences by one token at a time."""

    begin: int
    """Token fed at the first step; it is no part of a hypothesis."""
    end: int
    """Token that finishes a hypothesis."""

    def step(self, previous: Integers, state: S) -> tuple[LogProbabilities, S]:
        """[N] previous tokens, state of N rows -> [N, V] log-probabilities, new state.

        A token that may not be written has -inf. A row must not look at the other rows.
        """
        ...


@runtime_checkable
class TopScorer(Scorer[S], Protocol[S]):
    """A scorer that picks the best tokens where its numbers are, such as on a GPU."""

    def step_top(
        self, previous: Integers, state: S, k: int
    ) -> tuple[Integers, LogProbabilities, S]:
        """Like `step`, but only the best min(k, V) tokens of each row: [N, C] ids, [N, C] values.

        Values fall along a row, NaN before all others; of equal values the lower id comes first.
        """
        ...


def refuse_nonsense(values: LogProbabilities, step: int) -> None:
    """Stop at a scorer gone wrong, before it becomes a translation.

    Raises:
        ArithmeticError: NaN or +inf is among the values [N, C]; the message names step and row.
    """
    sound = values < np.inf  # false for NaN
    if not sound.all():
        row, rank = np.argwhere(~sound)[0]
        value = values[row, rank]
        raise ArithmeticError(f"the scorer's log-probability at step {step}, row {row}, is {value}")
