"""Translation quality, measured on finished translations.

metrics.py        BLEU and chrF, with signatures and intervals
significance.py   whether two systems differ by more than chance
buckets.py        quality by length of the source
answers.py        exact match of answers, and rules to compare with
joined.py         lines joined to longer ones, and what they lose
"""

from mt.scoring.buckets import Bucket, bleu_by_bucket, length_buckets
from mt.scoring.joined import Ratio, bleu_ratio, choose_parts, join
from mt.scoring.metrics import BOOTSTRAP_SAMPLES, Score, bleu, evaluate, metrics, words_of
from mt.scoring.significance import TRIALS, Difference, Test, compare

__all__ = [
    "BOOTSTRAP_SAMPLES",
    "TRIALS",
    "Bucket",
    "Difference",
    "Ratio",
    "Score",
    "Test",
    "bleu",
    "bleu_by_bucket",
    "bleu_ratio",
    "choose_parts",
    "compare",
    "evaluate",
    "join",
    "length_buckets",
    "metrics",
    "words_of",
]
