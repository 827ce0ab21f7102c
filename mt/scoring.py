"""Translation quality by sacreBLEU: BLEU and chrF, each with its signature and an interval.

Knows finished translations and references. Does not know models.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

from sacrebleu.metrics import BLEU, CHRF
from sacrebleu.significance import _bootstrap_resample

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
    value = float(metric.corpus_score(list(translations), [list(references)]).score)
    if not interval:
        return Score(value, None, None, str(metric.get_signature()))
    low, high = _interval(metric, translations, references)
    # Resampling sums in single precision: equal resamples may miss the score in its last digits.
    return Score(value, min(low, value), max(high, value), str(metric.get_signature()))


def _interval(
    metric: Any, translations: Sequence[str], references: Sequence[str]
) -> tuple[float, float]:
    # sacreBLEU's own estimate breaks off with a TypeError where some resamples score 0 and some do
    # not; so its resamples are taken, and the signature is told of them as it would tell itself.
    statistics = metric._extract_corpus_statistics(list(translations), [list(references)])
    metric.seed, resamples = _bootstrap_resample(statistics, metric, BOOTSTRAP_SAMPLES)
    metric.n_bootstrap = BOOTSTRAP_SAMPLES
    scores = sorted(float(resample.score) for resample in resamples)
    outside = BOOTSTRAP_SAMPLES // 40
    return scores[outside], scores[-1 - outside]
