"""Translation quality, measured on finished translations.

metrics.py        BLEU and chrF, with signatures and intervals
significance.py   whether two systems differ by more than chance
buckets.py        quality by length of the source
"""

from mt.scoring.buckets import Bucket, bleu_by_bucket, length_buckets
from mt.scoring.metrics import BOOTSTRAP_SAMPLES, Score, bleu, evaluate, metrics
from mt.scoring.significance import TRIALS, Difference, Test, compare

__all__ = [
    "BOOTSTRAP_SAMPLES",
    "TRIALS",
    "Bucket",
    "Difference",
    "Score",
    "Test",
    "bleu",
    "bleu_by_bucket",
    "compare",
    "evaluate",
    "length_buckets",
    "metrics",
]
