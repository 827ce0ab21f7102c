"""How likely a model finds translations that are given to it, line by line.

Knows tokenizers, engines and options. Does not know documents: both sides of a pair are one
sequence each, as they were in training, never split and in the letter case they have.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mt.config import SearchConfig
from mt.decoding import batches, max_length
from mt.engine.interface import Engine
from mt.search import force, length_penalty
from mt.tokenizer import TokenizerPair
from mt.tokens import UNKNOWN

SCORED = "scored"
"""The pair has a log-probability."""
BLANK = "blank"
"""A side has no piece, so there is nothing to translate or nothing to be scored."""
TOO_LONG = "too_long"
"""The source has more pieces than search.max_source_pieces, so it would be split; or the target has
more than any translation may have (search.max_length_ratio, max_length_extra)."""
UNKNOWN_CHARACTERS = "unknown_characters"
"""The target has characters that the model's vocabulary cannot spell: it could never write it."""


@dataclass(frozen=True, slots=True)
class PairScore:
    """What a model says of one target, given its source."""

    status: str
    """SCORED, or the reason why there is no score; the first that fits, in the order above."""
    pieces: tuple[str, ...] = ()
    """The target as the vocabulary spells it, then the end token; empty if not scored."""
    log_probabilities: tuple[float, ...] = ()
    """Of each piece, given the source and the pieces before it; natural logarithm."""
    score: float = math.nan
    """log_probability / length_penalty(length, alpha), as `mt.search` ranks; NaN if not scored.
    Of the model alone: no rule of the search (`mt.search.constraints`, `mt.search.copying`) has a
    part in it."""

    @property
    def log_probability(self) -> float:
        """Of the target as a whole, its end included; NaN if not scored."""
        return sum(self.log_probabilities) if self.status == SCORED else math.nan


def score_pairs(
    engine: Engine[Any],
    tokenizers: TokenizerPair,
    config: SearchConfig,
    sources: Sequence[str],
    targets: Sequence[str],
) -> list[PairScore]:
    """Score each target given its source.

    A pair's result does not depend on the other pairs, but for rounding (`mt.engine.interface`).
    """
    assert len(sources) == len(targets), (len(sources), len(targets))
    source_ids, target_ids = tokenizers.source.encode(sources), tokenizers.target.encode(targets)
    pairs = list(zip(source_ids, target_ids, strict=True))
    results = [PairScore(_status(source, target, config)) for source, target in pairs]
    places = [place for place, result in enumerate(results) if result.status == SCORED]
    found = force_pairs(engine, [pairs[place] for place in places], config)
    for place, log_probabilities in zip(places, found, strict=True):
        pieces = tokenizers.target.pieces([*target_ids[place], engine.end])
        penalty = length_penalty(len(pieces), config.length_penalty)
        score = sum(log_probabilities) / penalty
        results[place] = PairScore(SCORED, tuple(pieces), log_probabilities, score)
    return results


def force_pairs(
    engine: Engine[Any], pairs: Sequence[tuple[Sequence[int], Sequence[int]]], config: SearchConfig
) -> list[tuple[float, ...]]:
    """The log-probability of each token of each target, and of its end, given its source.

    Args:
        engine: reads the sources and scores the targets.
        pairs: source and target, token ids without special tokens.
        config: says how much is scored at once.
    """
    results: list[tuple[float, ...]] = [()] * len(pairs)
    longest = [max(len(source), len(target)) for source, target in pairs]
    for places in batches(longest, config.batch_tokens, config.batch_rows):
        state = engine.start([pairs[place][0] for place in places])
        found = force(engine, state, [pairs[place][1] for place in places])
        for place, log_probabilities in zip(places, found, strict=True):
            results[place] = log_probabilities
    return results


def _status(source: Sequence[int], target: Sequence[int], config: SearchConfig) -> str:
    if not source or not target:
        return BLANK
    limit = config.max_source_pieces
    if len(source) > limit or len(target) > max_length(config, limit):
        return TOO_LONG
    return UNKNOWN_CHARACTERS if UNKNOWN in target else SCORED
