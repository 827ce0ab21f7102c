"""The tokens that the translations of a batch may use, where not all of a vocabulary is asked for.

Knows a lexical table and batches. Does not know how an engine leaves the others out. Each sentence
has a list of its own, which does not depend on its neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mt.errors import ConfigError
from mt.lexicon import MOST_PIECES, Lexicon
from mt.tokens import PAD


class Shortlist(NamedTuple):
    """The lists of B sentences put together in one of U places, so that one product serves all."""

    tokens: NDArray[np.int64]
    """[U] the token of each place, in their order, filled up with PAD."""
    allowed: NDArray[np.float32]
    """[B, U]: 0 where a sentence may use the token, else -inf."""


def shortlists(
    lexicon: Lexicon | None, sources: Sequence[Sequence[int]], count: int
) -> list[NDArray[np.int64]]:
    """The tokens that each sentence may use, in their order.

    Raises:
        ConfigError: there is no lexical table.
    """
    if lexicon is None:
        raise ConfigError(
            f"search.shortlist = {count} needs a model with a lexical table: mt-lexicon adds one"
        )
    return [lexicon.allowed(source, count) for source in sources]


def joint_shortlist(
    lexicon: Lexicon | None, sources: Sequence[Sequence[int]], count: int, *, multiple: int
) -> Shortlist:
    """The lists of all sentences, in a number of places that is a multiple of something.

    Raises:
        ConfigError: there is no lexical table.
    """
    lists = shortlists(lexicon, sources, count)
    used = np.zeros(MOST_PIECES, dtype=bool)
    for its_tokens in lists:
        used[its_tokens] = True
    tokens = np.flatnonzero(used)
    allowed = np.full((len(lists), len(tokens) + -len(tokens) % multiple), -np.inf, np.float32)
    for row, its_tokens in zip(allowed, lists, strict=True):
        row[np.searchsorted(tokens, its_tokens)] = 0
    padding = allowed.shape[1] - len(tokens)
    return Shortlist(np.pad(tokens, (0, padding), constant_values=PAD), allowed)
