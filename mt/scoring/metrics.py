"""Translation quality by sacreBLEU: BLEU and chrF, each with its signature and an interval.

Knows finished translations and references. Does not know models, and compares no two systems:
that is `mt.scoring.significance`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sacrebleu.metrics import BLEU, CHRF
from sacrebleu.significance import PairedTest

from mt.config import Words

BOOTSTRAP_SAMPLES = 1000
"""Resamples behind a 95 % interval (Koehn 2004)."""


_WITHOUT_SPACES: dict[str, Words] = {
    "zh": "zh",
    **dict.fromkeys(("yue", "ja", "th", "lo", "km", "my", "bo"), "char"),
}
"""What BLEU counts in languages that put no spaces between words: a line would be one word, and
without four words in a row nothing has a BLEU above 0."""


class Score(NamedTuple):
    """One corpus-level figure, from 0 to 100."""

    value: float
    low: float | None
    """Lower end of the 95 % bootstrap interval; None if it was not asked for."""
    high: float | None
    signature: str
    """sacreBLEU's own account of how the figure came about; a figure never travels without it."""


def words_of(language: str) -> Words:
    """What BLEU should count as the words of a language, by its ISO 639 code."""
    return _WITHOUT_SPACES.get(language.partition("-")[0], "13a")


def bleu_metric(words: Words, *, lowercase: bool = False) -> BLEU:
    """A new sacreBLEU metric, since one takes into its signature what it was last used for."""
    # By force: whoever asks for "none" knows that the text is tokenized.
    return BLEU(lowercase=lowercase, tokenize=words, force=words == "none")


def metrics(words: Words = "13a") -> dict[str, Any]:
    """New sacreBLEU metrics by name: as they are ("bleu", "chrf") and lower-cased ("bleu_lc", ...).

    Args:
        words: what BLEU counts; chrF counts characters.
    """
    return {
        "bleu": bleu_metric(words),
        "bleu_lc": bleu_metric(words, lowercase=True),
        "chrf": CHRF(),
        "chrf_lc": CHRF(lowercase=True),
    }


def evaluate(
    translations: Sequence[str],
    *references: Sequence[str],
    interval: bool = True,
    words: Words = "13a",
) -> dict[str, Score]:
    """BLEU and chrF of translations, under the names of `metrics`.

    Args:
        translations: one a line of the references, in the same order.
        references: one or more reference translations of the whole text.
        interval: also draw the bootstrap interval; its seed is 12345, or `SACREBLEU_SEED`.
        words: what BLEU counts.
    """
    return {
        name: _score(metric, translations, references, interval)
        for name, metric in metrics(words).items()
    }


def bleu(translations: Sequence[str], *references: Sequence[str], words: Words = "13a") -> Score:
    """Cased BLEU alone, without an interval."""
    return _score(bleu_metric(words), translations, references, interval=False)


def _score(
    metric: Any, translations: Sequence[str], references: Sequence[Sequence[str]], interval: bool
) -> Score:
    assert references
    assert all(len(translations) == len(reference) > 0 for reference in references)
    texts = [list(reference) for reference in references]
    if not interval:
        value = float(metric.corpus_score(list(translations), texts).score)
        return Score(value, None, None, str(metric.get_signature()))
    return _with_interval(metric, list(translations), texts)


def _with_interval(metric: Any, translations: list[str], references: list[list[str]]) -> Score:
    # A paired test of one system alone draws its interval. `corpus_score` would too, but it breaks
    # off with a TypeError where some resamples score 0 and some do not.
    test = PairedTest(
        [("system", translations)],
        {"metric": metric},
        references,
        test_type="bs",
        n_samples=BOOTSTRAP_SAMPLES,
    )
    signatures, results = test()
    ((name, signature),) = signatures.items()
    result: Any = results[name][0]
    # The interval lies around the mean of the resamples: on a text of few lines it may reach past
    # the ends of the scale, or miss the score.
    low, value, high = result.mean - result.ci, result.score, result.mean + result.ci
    return Score(
        float(value),
        float(min(max(low, 0), value)),
        float(max(min(high, 100), value)),
        str(signature),
    )
