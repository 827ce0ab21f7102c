"""Whether a model holds more than it was trained on: lines joined to longer ones.

A state of fixed size has a harder time the longer the source (Cho et al. 2014, On the properties of
neural machine translation, 4), and a test text of captions has few long lines. So lines are joined,
and the joined ones compared with the same lines one by one: the words are the same on both sides,
and what differs is how much a model has to hold at once.

Knows texts and finished translations. Does not know models.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sacrebleu.metrics import BLEU

from mt.config import Words
from mt.scoring.metrics import BOOTSTRAP_SAMPLES, bleu_metric

SHORTEST, LONGEST = 25, 40
"""Length of joined lines in words of the source, which are what white space separates."""
SEED = 12345

Counts = NDArray[np.int64]

Parts = tuple[int, ...]
"""Positions of the lines that one joined line is made of."""


class Ratio(NamedTuple):
    """BLEU of joined lines by BLEU of the same lines one by one; cased both."""

    joined: float
    single: float
    value: float
    low: float
    """Lower end of the 95 % interval: percentiles of ratios, joined lines drawn anew."""
    high: float
    signature: str


def choose_parts(sources: Sequence[str], count: int) -> list[Parts]:
    """Which lines to join: neighbours in one random order after another, while they are short.

    Every line has the same chance and the same text the same choice.

    Returns:
        As many as asked for, each of two lines or more and SHORTEST to LONGEST words; fewer if a
        hundred orders do not yield that many.
    """
    words = [len(source.split()) for source in sources]
    drawn = random.Random(SEED)
    chosen: list[Parts] = []
    for _ in range(100):
        chosen += _neighbours(words, drawn.sample(range(len(words)), len(words)))
        if len(chosen) >= count:
            break
    return chosen[:count]


def join(lines: Sequence[str], parts: Sequence[Parts]) -> list[str]:
    """The joined lines, with a space between two."""
    return [" ".join(lines[line] for line in each) for each in parts]


def bleu_ratio(
    translations: Sequence[str],
    single: Sequence[str],
    reference: Sequence[str],
    parts: Sequence[Parts],
    words: Words = "13a",
) -> Ratio:
    """Compare translations of joined lines with those of their parts.

    Args:
        translations: of the joined lines.
        single: of the whole text, line by line; reference likewise.
        parts: what each joined line is made of.
        words: what BLEU counts.
    """
    assert len(translations) == len(parts) > 0
    assert len(single) == len(reference)
    metric = bleu_metric(words)
    together = [
        _counts(metric, ours, theirs)
        for ours, theirs in zip(translations, join(reference, parts), strict=True)
    ]
    alone = [_counts(metric, ours, theirs) for ours, theirs in zip(single, reference, strict=True)]
    counts = np.array(
        [
            [whole, sum(alone[line] for line in each)]
            for whole, each in zip(together, parts, strict=True)
        ]
    )
    draws = np.random.default_rng(SEED).integers(len(parts), size=(BOOTSTRAP_SAMPLES, len(parts)))
    resampled = [_ratio(counts[draw].sum(axis=0)) for draw in draws]
    low, high = np.percentile(resampled, [2.5, 97.5])
    joined, one_by_one = total = counts.sum(axis=0)
    return Ratio(
        _bleu(joined),
        _bleu(one_by_one),
        _ratio(total),
        low=float(low),
        high=float(high),
        signature=str(metric.get_signature()),
    )


def _neighbours(words: Sequence[int], order: Sequence[int]) -> list[Parts]:
    found: list[Parts] = []
    begun: list[int] = []
    for line in order:
        begun.append(line)
        length = sum(words[each] for each in begun)
        if length >= SHORTEST:
            if length <= LONGEST and len(begun) > 1:
                found.append(tuple(begun))
            begun = []
    return found


def _counts(metric: BLEU, translation: str, reference: str) -> Counts:
    """What BLEU adds up over lines: matches and totals of 1- to 4-grams, and both lengths."""
    score = metric.corpus_score([translation], [[reference]])
    return np.array([*score.counts, *score.totals, score.sys_len, score.ref_len])


def _bleu(counts: Counts) -> float:
    order = (len(counts) - 2) // 2
    correct, total = counts[:order].tolist(), counts[order : 2 * order].tolist()
    ours, theirs = map(int, counts[2 * order :])
    return float(BLEU.compute_bleu(correct, total, ours, theirs, smooth_method="exp").score)


def _ratio(counts: Counts) -> float:
    """Of joined to single; 0 where the single ones have a BLEU of 0."""
    joined, single = map(_bleu, counts)
    return joined / single if single else 0.0
