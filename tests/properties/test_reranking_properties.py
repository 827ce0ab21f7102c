"""Utilities of all pairs at once are sacreBLEU's of each; the choice is what brute force finds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics import BLEU, CHRF

from mt.config import RerankConfig
from mt.reranking.risk import least_risk
from mt.reranking.utility import UTILITIES
from mt.search import Hypothesis

METRICS = {"chrf": CHRF(), "bleu": BLEU(effective_order=True)}

words = st.sampled_from(["a", "dog", "dogs", "A", "the", "...", "&amp;", "1,000", "don't", "ß"])
sentences = st.lists(words, max_size=9).map(" ".join) | st.text(max_size=20)


def score(name: str, translation: str, reference: str) -> float:
    return float(METRICS[name].sentence_score(translation, [reference]).score)


@pytest.mark.parametrize("name", ["chrf", "bleu"])
@given(texts=st.lists(sentences, min_size=1, max_size=5))
@settings(max_examples=60)
def test_utilities_are_those_of_sacrebleu(name: str, texts: list[str]) -> None:
    expected = [[score(name, row, column) for column in texts] for row in texts]
    np.testing.assert_allclose(UTILITIES[name](texts), expected, rtol=0, atol=1e-9)


@given(
    drawn=st.lists(st.tuples(sentences, st.floats(-20, -0.1)), min_size=1, max_size=6),
    weights=st.sampled_from(["uniform", "model"]),
)
@settings(max_examples=60)
def test_no_candidate_has_a_higher_expected_utility_than_the_choice(
    drawn: list[tuple[str, float]], weights: str
) -> None:
    texts = [text for text, _ in drawn]
    candidates = [
        Hypothesis((number,), value, value, True) for number, (_, value) in enumerate(drawn)
    ]
    config = RerankConfig.model_validate({"mbr_samples": 1, "mbr_weights": weights})
    ranked = least_risk(candidates, texts, config)

    masses = [1.0 if weights == "uniform" else math.exp(value) for _, value in drawn]

    def expected(translation: str) -> float:
        gained = (m * score("chrf", translation, y) for m, y in zip(masses, texts, strict=True))
        return sum(gained) / sum(masses)

    utilities = [expected(texts[choice.tokens[0]]) for choice in ranked]
    assert utilities[0] == pytest.approx(max(map(expected, texts)), abs=1e-6)
    assert utilities == pytest.approx(sorted(utilities, reverse=True), abs=1e-6)
    assert len(ranked) == len(set(texts))
