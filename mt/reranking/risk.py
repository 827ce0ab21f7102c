"""Minimum Bayes risk: the candidate that is most like all others, each as far as it is likely.

Knows hypotheses, their texts and how alike texts are. Does not know where hypotheses come from.

    y* = argmax over candidates h of  sum over candidates y of  w(y) utility(h, y)

(Kumar and Byrne 2004 for n-best lists, Eikema and Aziz 2020 for samples, Freitag et al. 2022 for
what the utility does). Where y is drawn from the model, each draw weighs the same, and a text that
was drawn twice counts twice.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from mt.config import RerankConfig
from mt.reranking.utility import UTILITIES
from mt.search import Hypothesis

_DECIMALS = 9
"""Expected utilities, from 0 to 100, that differ by less are equal: sums in another order."""


def least_risk(
    candidates: Sequence[Hypothesis], texts: Sequence[str], config: RerankConfig
) -> list[Hypothesis]:
    """One hypothesis for each different text, that of the highest expected utility first.

    Of several with one text it is the one that the model ranks first; equal utilities keep the
    model's order too: whole ones first, then by score, then as given.

    Args:
        candidates: of one source; equal ones may be among them.
        texts: what each of them writes.
        config: names the utility and what a candidate weighs.
    """
    if not candidates:
        return []
    weights = _weights(candidates, config)
    order = sorted(range(len(candidates)), key=lambda n: model_rank(candidates[n]))
    best: dict[str, Hypothesis] = {}
    evidence: dict[str, float] = {}
    for number in order:
        text = texts[number]
        best.setdefault(text, candidates[number])
        evidence[text] = evidence.get(text, 0.0) + weights[number]
    utility = UTILITIES[config.mbr_utility](list(evidence))
    expected = (utility * list(evidence.values())).sum(axis=1) / sum(weights)
    ranked = np.argsort(-expected.round(_DECIMALS), kind="stable")
    hypotheses = list(best.values())
    return [hypotheses[number] for number in ranked]


def model_rank(hypothesis: Hypothesis) -> tuple[bool, float]:
    """A key that sorts hypotheses as `mt.search` ranks them."""
    return not hypothesis.finished, -hypothesis.score


def _weights(candidates: Sequence[Hypothesis], config: RerankConfig) -> list[float]:
    """What each candidate weighs, of any sum."""
    if config.mbr_weights == "uniform":
        return [1.0] * len(candidates)
    top = max(candidate.log_probability for candidate in candidates)
    seen: set[tuple[tuple[int, ...], bool]] = set()
    weights = []
    for candidate in candidates:
        key = candidate.tokens, candidate.finished
        # A probability says how often a hypothesis would be drawn: drawn again, it adds nothing.
        weights.append(0.0 if key in seen else math.exp(candidate.log_probability - top))
        seen.add(key)
    return weights
