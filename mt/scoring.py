"""Translation quality by sacreBLEU: BLEU and chrF, each with its signature and an interval.

Knows finished translations and references. Does not know models.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

from sacrebleu.metrics import BLEU, CHRF

BOOTSTRAP_SAMPLES = 1000
"""Resamples behind a 95 % interval (Koehn 2004)."""


class Score(NamedTuple):
    """One corpus-level figure, from 0 to 100."""

    value: float
    low: float | None
    """Lower end of the 95 % bootstrap interval; None if it was not asked for."""
    high: float | None
    signature: str
    """sacreBLEU's own account of how the figure came about; a figure never travels without it."""


def evaluate(
    translations: Sequence[str], references: Sequence[str], *, interval: bool = True
) -> dict[str, Score]:
    """BLEU and chrF, as they are ("bleu", "chrf") and lower-cased ("bleu_lc", "chrf_lc").

    Args:
        translations: one a reference, in the same order.
        interval: also draw the bootstrap interval.
    """
    assert len(translations) == len(references) > 0
    # sacreBLEU reads the seed of its resampling from here; its own default, made explicit.
    os.environ.setdefault("SACREBLEU_SEED", "12345")
    metrics: dict[str, Any] = {
        "bleu": BLEU(),
        "bleu_lc": BLEU(lowercase=True),
        "chrf": CHRF(),
        "chrf_lc": CHRF(lowercase=True),
    }
    return {name: _score(m, translations, references, interval) for name, m in metrics.items()}


def bleu(translations: Sequence[str], references: Sequence[str]) -> Score:
    """Cased BLEU alone, without an interval."""
    return _score(BLEU(), translations, references, interval=False)


def _score(
    metric: Any, translations: Sequence[str], references: Sequence[str], interval: bool
) -> Score:
    samples = BOOTSTRAP_SAMPLES if interval else 1
    result = metric.corpus_score(list(translations), [list(references)], n_bootstrap=samples)
    signature = str(metric.get_signature())
    if not interval:
        return Score(result.score, None, None, signature)
    # The interval is centred on the resampled mean, which differs from the score in its decimals.
    return Score(result.score, result._mean - result._ci, result._mean + result._ci, signature)
