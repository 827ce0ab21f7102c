"""Rescoring: what other models say of a translation's candidates, and one score made of it all.

Knows hypotheses, texts and models that score pairs of texts. Does not know where candidates come
from. The score of a candidate y of a source x is

    s(y | x) + a s(x | y) + b s'(y | x) + c |y| + d s(y)

with s(y | x) of the model itself, as the search had it, s(x | y) of a reverse model, which
translates the other way (as the noisy channel would; Li and Jurafsky 2016), s'(y | x) of a model
that writes y in the other order (Liu et al. 2016; Sennrich et al. 2016, Edinburgh's systems for WMT
16), and s(y) of a language model (Gulcehre et al. 2015, 4.1; Brown et al. 1993 in the first place).
Each s is a log-probability divided by the length penalty of that model's own number of pieces, as
search ranks by, so that a long side does not outweigh a short one; |y| is in pieces, the end token
included.

Shapes: K candidates of a source.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from mt.config import RerankConfig
from mt.likelihood import SCORED, PairScore
from mt.search import Hypothesis

Floats = NDArray[np.float64]

WEIGHTS = "reverse_weight", "right_to_left_weight", "length_weight", "language_weight"
"""Fields of `RerankConfig`: the weights of all terms but the model's own, in their order."""
IMPOSSIBLE = -1e6
"""The score of what a model cannot read or write at all; finite, so that a weight of 0 is none."""


class PairScorer(Protocol):
    """A model that says how likely translations are, such as `mt.translator.Translator`."""

    @property
    def identity(self) -> str:
        """SHA-256 of its weights."""
        ...

    @property
    def engine(self) -> str:
        """What does its arithmetic."""
        ...

    def with_length_penalty(self, alpha: float) -> PairScorer:
        """The same model, its scores divided by the length penalty of this alpha."""
        ...

    def score(self, sources: Sequence[str], targets: Sequence[str]) -> list[PairScore]:
        """How likely each target is as the translation of its source."""
        ...


class Rescored(NamedTuple):
    """The candidates of a source, and what the models say of each."""

    candidates: list[Hypothesis]
    """In the order of search."""
    terms: Floats
    """[K, 5]: of the model itself, of the reverse model, of that of the other order, length, of the
    language model; 0 where there is no such model."""

    def ranked(self, weights: Sequence[float]) -> list[Hypothesis]:
        """The candidates by the weighted sum of their terms, highest first.

        Whole ones come before those cut short, as ever; equal sums keep the order.
        """
        totals = (self.terms * np.asarray(weights)).sum(axis=1).tolist()
        order = sorted(
            range(len(totals)), key=lambda n: (not self.candidates[n].finished, -totals[n])
        )
        return [self.candidates[number] for number in order]


def weights_of(config: RerankConfig) -> tuple[float, ...]:
    """The weights that an option table gives to the terms of `Rescored`."""
    return (1.0, *(getattr(config, name) for name in WEIGHTS))


def rescore(
    candidates: Sequence[list[Hypothesis]],
    sources: Sequence[str],
    texts: Sequence[Sequence[str]],
    reverse: PairScorer | None,
    right_to_left: PairScorer | None,
    language: PairScorer | None = None,
) -> list[Rescored]:
    """Ask the models for what they say of all candidates.

    Args:
        candidates: those of each source, in the order of search.
        sources: their sources, as text.
        texts: what each candidate of each source writes.
        reverse: translates in the other direction.
        right_to_left: writes in the other order.
        language: takes no notice of sources.
    """
    counts = [len(each) for each in candidates]
    repeated = [source for source, count in zip(sources, counts, strict=True) for _ in range(count)]
    written = [text for each in texts for text in each]
    hypotheses = [hypothesis for each in candidates for hypothesis in each]
    terms = np.zeros((len(hypotheses), 1 + len(WEIGHTS)))
    terms[:, 0] = [hypothesis.score for hypothesis in hypotheses]
    if reverse is not None:
        terms[:, 1] = _scores(reverse, written, repeated)
    if right_to_left is not None:
        terms[:, 2] = _scores(right_to_left, repeated, written)
    terms[:, 3] = [hypothesis.length for hypothesis in hypotheses]
    if language is not None:
        terms[:, 4] = _scores(language, repeated, written)
    ends = np.cumsum(counts, dtype=np.int64)
    return [
        Rescored(list(own), terms[end - len(own) : end])
        for own, end in zip(candidates, ends, strict=True)
    ]


def _scores(model: PairScorer, sources: Sequence[str], targets: Sequence[str]) -> list[float]:
    return [
        max(pair.score, IMPOSSIBLE) if pair.status == SCORED else IMPOSSIBLE
        for pair in model.score(sources, targets)
    ]
