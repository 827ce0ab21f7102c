"""How much candidates are like each other: sentence chrF and BLEU, of all pairs at once.

Knows texts. Does not know models, or what the figures are for. They are those of sacreBLEU's
`sentence_score`, BLEU with its effective order, in far less time: n-grams are counted once for each
candidate, and what pairs have in common is found for all of them by one product of matrices.

Shapes: K candidates; G n-grams, the t-th occurrence of one in a candidate apart from its others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a

Floats = NDArray[np.float64]

CHRF_ORDER, CHRF_BETA = 6, 2
BLEU_ORDER = 4


def pairwise_chrf(texts: Sequence[str]) -> Floats:
    """[K, K] sentence chrF2 of row as the translation and column as its reference, from 0 to 100.

    The F-score, recall weighing twice as much, of mean precision and mean recall over the orders of
    character n-grams that both texts are long enough for (Popović 2015, 2016).
    """
    letters = ["".join(text.split()) for text in texts]
    precision, recall, orders = np.zeros((3, len(texts), len(texts)))
    for order in range(1, CHRF_ORDER + 1):
        common, counts = _overlaps(_ngrams(text, order) for text in letters)
        known = np.minimum.outer(counts, counts) > 0
        at_least_one = np.maximum(counts, 1)
        precision += np.where(known, common / at_least_one[:, None], 0)
        recall += np.where(known, common / at_least_one, 0)
        orders += known
    precision, recall = precision / np.maximum(orders, 1), recall / np.maximum(orders, 1)
    below = CHRF_BETA**2 * precision + recall
    return 100 * (1 + CHRF_BETA**2) * precision * recall / np.where(below > 0, below, 1)


def pairwise_bleu(texts: Sequence[str]) -> Floats:
    """[K, K] sentence BLEU of row as the translation and column as its reference, from 0 to 100.

    Of tokens by 13a, up to the order that the translation is long enough for; the n-th order
    without a match counts as 1 / 2 ** n of one (Chen and Cherry 2014, smoothing 3).
    """
    tokenizer: Callable[[str], str] = Tokenizer13a()  # type: ignore[no-untyped-call]  # not typed
    tokens = [tuple(tokenizer(text.rstrip()).split()) for text in texts]
    shape = len(texts), len(texts)
    logarithms, halved, matches = np.zeros(shape), np.ones(shape), np.zeros(shape)
    orders = np.zeros(len(texts))
    for order in range(1, BLEU_ORDER + 1):
        common, counts = _overlaps(_ngrams(text, order) for text in tokens)
        halved = np.where(common > 0, halved, 2 * halved)
        counted = np.where(common > 0, common, 1 / halved) / np.maximum(counts, 1)[:, None]
        logarithms += np.where(counts[:, None] > 0, np.log(counted), 0)
        orders += counts > 0
        matches += common
    lengths = np.array([max(len(text), 1) for text in tokens], dtype=np.float64)
    brevity = np.minimum(0, 1 - lengths / lengths[:, None])
    means = logarithms / np.maximum(orders, 1)[:, None]
    return np.where(matches > 0, 100 * np.exp(means + brevity), 0)


Utility = Callable[[Sequence[str]], Floats]

UTILITIES: dict[Literal["chrf", "bleu"], Utility] = {"chrf": pairwise_chrf, "bleu": pairwise_bleu}


class _Overlaps(NamedTuple):
    common: Floats
    """[K, K] n-grams that two rows have in common, each as often as both have it."""
    counts: Floats
    """[K] n-grams of each row."""


def _ngrams(sequence: str | tuple[str, ...], order: int) -> list[Hashable]:
    return [sequence[n : n + order] for n in range(len(sequence) - order + 1)]


def _overlaps(rows: Iterable[Sequence[Hashable]]) -> _Overlaps:
    columns: dict[tuple[Hashable, int], int] = {}
    places = [
        [
            columns.setdefault((ngram, occurrence), len(columns))
            for ngram, count in Counter(row).items()
            for occurrence in range(count)
        ]
        for row in rows
    ]
    # min(a, b) is the number of t with t <= a and t <= b, so with a column for each t it is a
    # product; whole numbers of this size are exact in 32 bits.
    has = np.zeros((len(places), len(columns)), dtype=np.float32)
    for row, own in zip(has, places, strict=True):
        row[own] = 1
    counts = np.array([len(own) for own in places], dtype=np.float64)
    return _Overlaps((has @ has.T).astype(np.float64), counts)
