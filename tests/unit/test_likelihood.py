"""Scores of given translations by a tiny model: which pairs have one, and that search agrees."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mt.config import SearchConfig
from mt.decoding import SearchTask, decode
from mt.engine import load_engine
from mt.likelihood import (
    BLANK,
    SCORED,
    TOO_LONG,
    UNKNOWN_CHARACTERS,
    PairScore,
    force_pairs,
    score_pairs,
)
from mt.search import length_penalty
from mt.translator import Translator
from support.bundles import PAIRS, SOURCES, TARGETS, tiny_bundle, tiny_tokenizers

ENGINE = load_engine(tiny_bundle())


def score(sources: Sequence[str], targets: Sequence[str], **options: float) -> list[PairScore]:
    return score_pairs(ENGINE, tiny_tokenizers(), SearchConfig(**options), sources, targets)


def one(source: str, target: str, **options: float) -> PairScore:
    (found,) = score([source], [target], **options)
    return found


def test_a_pair_has_the_log_probability_of_every_piece_and_of_its_end() -> None:
    pair = one("Guten Morgen.", "Good morning.", length_penalty=0.5)
    assert pair.status == SCORED
    assert "".join(pair.pieces).replace("▁", " ") == " Good morning.</s>"
    assert len(pair.log_probabilities) == len(pair.pieces)
    assert pair.log_probability == sum(pair.log_probabilities) < 0
    assert pair.score == pair.log_probability / length_penalty(len(pair.pieces), 0.5)


def test_the_probabilities_of_a_place_are_those_of_the_engine() -> None:
    (source,) = tiny_tokenizers().source.encode(["Guten Morgen."])
    (target,) = tiny_tokenizers().target.encode(["Good morning."])
    state, previous, expected = ENGINE.start([source]), ENGINE.begin, []
    for token in [*target, ENGINE.end]:
        rows, state = ENGINE.step(np.array([previous]), state)
        expected.append(float(rows[0, token]))
        previous = token
    assert one("Guten Morgen.", "Good morning.").log_probabilities == pytest.approx(expected)


@pytest.mark.parametrize(
    ("source", "target"), [("", "Good."), ("Gut.", ""), ("", ""), (" \t", "Good."), ("Gut.", "\r")]
)
def test_a_blank_side_is_told(source: str, target: str) -> None:
    pair = one(source, target)
    assert (pair.status, pair.pieces, pair.log_probabilities) == (BLANK, (), ())
    assert math.isnan(pair.score)
    assert math.isnan(pair.log_probability)


def test_sides_longer_than_the_model_translates_are_told() -> None:
    source, target = "Gute Nacht!", "Good night!"
    pieces = len(tiny_tokenizers().source.encode([source])[0])
    limits = {"max_source_pieces": pieces, "max_length_ratio": 1.0, "max_length_extra": 1}
    longest = len(tiny_tokenizers().target.encode([target])[0]) - 1
    assert one(source, "I", **limits).status == SCORED
    assert one(source + "!", "I", **limits).status == TOO_LONG
    # A target is measured by the longest translation there may be of any source.
    ratio = {"max_source_pieces": 2, "max_length_ratio": (longest - 0.5) / 2, "max_length_extra": 1}
    assert one("I", target, **ratio).status == TOO_LONG
    ratio["max_length_extra"] = 2
    assert one("I", target, **ratio).status == SCORED


def test_characters_that_the_model_cannot_write_are_told() -> None:
    assert one("Gute Nacht!", "Good 世.").status == UNKNOWN_CHARACTERS
    assert one("Gute 世!", "Good night!").status == SCORED  # it reads them as unknown


def test_pairs_stay_in_their_places() -> None:
    sources = ["", *SOURCES[:3], "Gut.", SOURCES[3]]
    targets = ["x", *TARGETS[:3], "世", TARGETS[3]]
    found = score(sources, targets, batch_tokens=30)
    assert [pair.status for pair in found] == [BLANK, *[SCORED] * 3, UNKNOWN_CHARACTERS, SCORED]
    for pair, expected in zip([*found[1:4], found[5]], score(SOURCES, TARGETS), strict=False):
        assert pair.pieces == expected.pieces
        assert pair.log_probabilities == pytest.approx(expected.log_probabilities, abs=1e-4)


def test_nothing_has_no_scores() -> None:
    assert score([], []) == []


@given(st.lists(st.sampled_from(PAIRS), min_size=1, max_size=6), st.sampled_from([10, 40, 2000]))
@settings(max_examples=20)
def test_neighbours_and_batches_change_nothing_but_last_digits(
    pairs: list[tuple[str, str]], budget: int
) -> None:
    together = score(*zip(*pairs, strict=True), batch_tokens=budget)
    for pair, (source, target) in zip(together, pairs, strict=True):
        alone = one(source, target)
        assert pair.pieces == alone.pieces
        assert pair.log_probabilities == pytest.approx(alone.log_probabilities, abs=1e-4)
        assert pair.score == pytest.approx(alone.score, abs=1e-4)


@pytest.mark.parametrize("options", [{}, {"beam_size": 1}, {"min_length": 6}, {"temperature": 1.0}])
def test_what_decoding_found_is_worth_what_decoding_said(options: dict[str, float]) -> None:
    config = SearchConfig(**options)
    sources = tiny_tokenizers().source.encode(SOURCES)
    found = [best for (best,) in decode(ENGINE, [*map(SearchTask, sources)], config)]
    pairs = [(source, best.tokens) for source, best in zip(sources, found, strict=True)]
    assert any(best.finished for best in found)
    for best, gains in zip(found, force_pairs(ENGINE, pairs, SearchConfig()), strict=True):
        total = sum(gains if best.finished else gains[:-1])
        assert total == pytest.approx(best.log_probability, abs=1e-4)
        penalty = length_penalty(best.length, config.length_penalty)
        assert total / penalty == pytest.approx(best.score, abs=1e-4)


def test_a_translator_scores_with_its_own_options() -> None:
    translator = Translator.from_bundle(tiny_bundle()).with_search(SearchConfig(length_penalty=2.0))
    assert translator.score(SOURCES, TARGETS) == score(SOURCES, TARGETS, length_penalty=2.0)
