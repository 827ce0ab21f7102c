"""Sources to hypotheses, by the options of a model: batches, limits, search or draws.

Knows `SearchConfig` and which part of `mt.search` carries out what. Does not know texts: sources,
prefixes and hypotheses are token ids.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from mt.config import SearchConfig
from mt.engine.interface import Engine
from mt.errors import ConfigError
from mt.search import Constrained, Hypothesis, Integers, Scorer, sample, search

Tokens = Sequence[int]


def decode(
    engine: Engine[Any],
    sources: Sequence[Tokens],
    config: SearchConfig,
    *,
    n_best: int = 1,
    prefixes: Sequence[Tokens] | None = None,
) -> list[list[Hypothesis]]:
    """Up to n_best hypotheses for each source, in the order of the sources.

    They come best first from a search, as drawn from sampling. A result does not depend on what
    else is in the list.

    Args:
        engine: reads the sources and scores what may follow.
        sources: token ids without special tokens, none of them empty.
        config: what is asked for; every field means what its documentation says.
        n_best: hypotheses wanted of a source.
        prefixes: for each source, the tokens that its hypotheses begin with; none if left out. One
            that is longer than a translation may be raises the limit to its own length.

    Raises:
        ConfigError: n_best is more than the beam can hold.
    """
    if not config.temperature and n_best > config.beam_size:
        raise ConfigError(
            f"{n_best} translations of a text, {n_best - 1} of them alternatives, are more than a "
            f"beam of {config.beam_size} can hold: at most {config.beam_size}"
        )
    prefixes = prefixes if prefixes is not None else [()] * len(sources)
    results: list[list[Hypothesis]] = [[] for _ in sources]
    for numbers in _batches(sources, prefixes, config, n_best):
        found = _decode_together(
            engine,
            [sources[number] for number in numbers],
            [prefixes[number] for number in numbers],
            config,
            n_best,
        )
        for number, hypotheses in zip(numbers, found, strict=True):
            results[number] = hypotheses
    return results


def _batches(
    sources: Sequence[Tokens], prefixes: Sequence[Tokens], config: SearchConfig, n_best: int
) -> Iterator[list[int]]:
    """Numbers of sources that are decoded together."""
    most = max(1, config.batch_rows // (n_best if config.temperature else config.beam_size))
    # Those with a prefix stand by themselves, since they have no shortlist.
    for prefixed in (False, True):
        numbers = [n for n, prefix in enumerate(prefixes) if bool(prefix) == prefixed]
        lengths = [len(sources[n]) for n in numbers]
        for places in batches(lengths, config.batch_tokens, most):
            yield [numbers[place] for place in places]


def batches(lengths: Sequence[int], budget: int, most: int) -> Iterator[list[int]]:
    """Positions of similar length together, longest first.

    Args:
        budget: bound on a batch's positions times the longest; one longer stands alone.
        most: bound on its positions.
    """
    batch: list[int] = []
    widest = 0
    for number in sorted(range(len(lengths)), key=lambda n: -lengths[n]):
        if len(batch) == most or (batch and (len(batch) + 1) * widest > budget):
            yield batch
            batch = []
        if not batch:
            widest = lengths[number] + 1
        batch.append(number)
    if batch:
        yield batch


def max_length(config: SearchConfig, source_length: int) -> int:
    """Most pieces that the translation of a source of so many pieces may have."""
    return int(config.max_length_ratio * source_length) + config.max_length_extra


def _decode_together(
    engine: Engine[Any],
    sources: Sequence[Tokens],
    prefixes: Sequence[Tokens],
    config: SearchConfig,
    n_best: int,
) -> list[list[Hypothesis]]:
    limits = np.array(
        [
            max(max_length(config, len(source)), len(prefix))
            for source, prefix in zip(sources, prefixes, strict=True)
        ]
    )
    scorer, state = _constrained(engine, sources, prefixes, limits, config)
    if not config.temperature:
        return search(
            scorer,
            state,
            limits,
            beam_size=config.beam_size,
            alpha=config.length_penalty,
            n_best=n_best,
        )
    return sample(
        scorer,
        state,
        limits,
        keys=[(config.seed, *source) for source in sources],
        draws=n_best,
        temperature=config.temperature,
        alpha=config.length_penalty,
        top_k=config.top_k,
    )


def _constrained(
    engine: Engine[Any],
    sources: Sequence[Tokens],
    prefixes: Sequence[Tokens],
    limits: Integers,
    config: SearchConfig,
) -> tuple[Scorer[Any], Any]:
    """The engine and its state before the first step, under the rules asked for."""
    # What a prefix needs may not be in a shortlist.
    state = engine.start(sources, shortlist=0 if any(prefixes) else config.shortlist)
    wanted = [max(int(config.min_length_ratio * len(s)), config.min_length) for s in sources]
    if not any(wanted) and not any(prefixes) and not config.no_repeat_ngram_size:
        return engine, state  # the engine's own way to pick the best tokens is the faster one
    constrained = Constrained(
        engine,
        min_lengths=np.minimum(wanted, limits),
        no_repeat_ngram_size=config.no_repeat_ngram_size,
        prefixes=prefixes,
    )
    return constrained, constrained.start(state)
