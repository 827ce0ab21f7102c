"""Sources to hypotheses, by the options of a model: batches, limits, search or draws.

Knows `SearchConfig` and which part of `mt.search` carries out what. Does not know texts: sources,
prefixes and hypotheses are token ids.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from mt.config import SearchConfig
from mt.engine.interface import Engine
from mt.errors import ConfigError
from mt.search import (
    Constrained,
    CopyingDigits,
    DigitRule,
    Hypothesis,
    Integers,
    Scorer,
    sample,
    search,
)

Tokens = Sequence[int]


class SearchTask(NamedTuple):
    """One source, and what binds its hypotheses."""

    source: Tokens
    """Token ids without special tokens, at least one."""
    prefix: Tokens = ()
    """What they begin with. One that is longer than a translation may be raises the limit to its
    own length."""
    digit_rule: DigitRule | None = None
    """Which digits they may have. Not together with a prefix, which may have others."""


def decode(
    engine: Engine[Any],
    tasks: Sequence[SearchTask],
    config: SearchConfig,
    *,
    n_best: int = 1,
) -> list[list[Hypothesis]]:
    """Up to n_best hypotheses for each task, in the order of the tasks.

    They come best first from a search, as drawn from sampling. A result does not depend on what
    else is in the list, but for rounding (`mt.engine.interface`).

    Args:
        engine: reads the sources and scores what may follow.
        tasks: what to translate.
        config: what is asked for; every field means what its documentation says.
        n_best: hypotheses wanted of a source.

    Raises:
        ConfigError: n_best is more than the beam can hold.
    """
    if not config.temperature and n_best > config.beam_size:
        raise ConfigError(
            f"{n_best} translations of a text, {n_best - 1} of them alternatives, are more than a "
            f"beam of {config.beam_size} can hold: at most {config.beam_size}"
        )
    assert not any(task.prefix and task.digit_rule for task in tasks)
    results: list[list[Hypothesis]] = [[] for _ in tasks]
    for numbers in _batches(tasks, config, n_best):
        found = _decode_together(engine, [tasks[number] for number in numbers], config, n_best)
        for number, hypotheses in zip(numbers, found, strict=True):
            results[number] = hypotheses
    return results


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


def _batches(tasks: Sequence[SearchTask], config: SearchConfig, n_best: int) -> Iterator[list[int]]:
    """Numbers of tasks that are decoded together."""
    most = max(1, config.batch_rows // (n_best if config.temperature else config.beam_size))
    # By themselves: what has a prefix, which has no shortlist, and what has a digit rule, since
    # `CopyingDigits` has one for every row or none, and is slow.
    kinds = [(bool(task.prefix), task.digit_rule is not None) for task in tasks]
    for kind in sorted(set(kinds)):
        numbers = [number for number, its_kind in enumerate(kinds) if its_kind == kind]
        lengths = [len(tasks[number].source) for number in numbers]
        for places in batches(lengths, config.batch_tokens, most):
            yield [numbers[place] for place in places]


def _decode_together(
    engine: Engine[Any], tasks: Sequence[SearchTask], config: SearchConfig, n_best: int
) -> list[list[Hypothesis]]:
    longest = [max(max_length(config, len(task.source)), len(task.prefix)) for task in tasks]
    limits = np.array(longest)
    scorer, state = _under_rules(engine, tasks, limits, config)
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
        keys=[(config.seed, *task.source) for task in tasks],
        draws=n_best,
        temperature=config.temperature,
        alpha=config.length_penalty,
        top_k=config.top_k,
    )


def _under_rules(
    engine: Engine[Any], tasks: Sequence[SearchTask], limits: Integers, config: SearchConfig
) -> tuple[Scorer[Any], Any]:
    """The engine and its state before the first step, under the rules asked for."""
    sources, prefixes = [task.source for task in tasks], [task.prefix for task in tasks]
    # What a prefix needs may not be in a shortlist.
    state = engine.start(sources, shortlist=0 if any(prefixes) else config.shortlist)
    scorer: Scorer[Any] = engine
    wanted = [max(int(config.min_length_ratio * len(s)), config.min_length) for s in sources]
    # Without rules the engine's own way to pick the best tokens is left, which is the faster one.
    if any(wanted) or any(prefixes) or config.no_repeat_ngram_size:
        scorer = constrained = Constrained(
            scorer,
            min_lengths=np.minimum(wanted, limits),
            no_repeat_ngram_size=config.no_repeat_ngram_size,
            prefixes=prefixes,
        )
        state = constrained.start(state)
    rules = [task.digit_rule for task in tasks if task.digit_rule is not None]
    if rules:
        assert len(rules) == len(tasks), (len(rules), len(tasks))
        scorer = copying = CopyingDigits(scorer, rules)
        state = copying.start(state)
    return scorer, state
