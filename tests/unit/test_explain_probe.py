"""What a probe takes for labels, how it draws its cuts, and whether it finds a planted unit."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mt.bundle import Bundle
from mt.config import ProbeConfig
from mt.explain import Explainer, probe
from mt.explain.labels import open_bracket, open_quotation, plural_subject, trackers, word_number
from mt.explain.threshold import fit_thresholds
from support.bundles import SOURCES, tiny_bundle

UNIT = 5


def test_words_are_counted_from_1() -> None:
    assert word_number(["▁Ein", "▁Hu", "nd", "▁läuft", "."]) == [1, 2, 2, 3, 3]
    assert word_number(["Ein", "▁Hund"]) == [1, 2]


def test_a_quotation_is_open_from_its_mark_to_the_other() -> None:
    assert open_quotation(["▁Er", "▁„", "Ja", "“", "▁sagt"]) == [0, 1, 1, 0, 0]
    assert open_quotation(["▁“", "Yes", "”", '▁"', 'no"']) == [1, 1, 0, 1, 0]
    assert open_quotation(["▁»", "Ja", "«"]) == [1, 1, 0]


@pytest.mark.parametrize("pieces", [["▁Ja"], ["▁„", "Ja"], ["▁Ja", '"']])
def test_of_a_quotation_that_never_closes_nothing_is_told(pieces: list[str]) -> None:
    assert open_quotation(pieces) is None


def test_brackets_nest() -> None:
    assert open_bracket(["▁a", "▁([", "b", "]", "c", ")", "d"]) == [0, 1, 1, 1, 1, 0, 0]
    assert open_bracket(["▁a", ")", "("]) is None
    assert open_bracket(["▁(", "a"]) is None
    assert open_bracket(["▁a"]) is None


def test_the_first_word_tells_the_number_of_the_subject() -> None:
    assert plural_subject(["▁W", "ir", "▁gehen"], ["ich"], ["wir"]) == [1, 1, 1]
    assert plural_subject(["▁Ich", "▁gehe"], ["ich"], ["wir"]) == [0, 0]
    assert plural_subject(["▁Wirte", "▁gehen"], ["ich"], ["wir"]) is None


def test_where_a_language_has_no_patterns_its_subjects_are_left_out() -> None:
    assert "plural subject" in trackers("de")
    assert [*trackers("xx")] == ["word number", "open quotation", "open bracket"]


def test_the_best_cut_by_hand() -> None:
    values = np.array([[1.0, 3.0], [2.0, 2.0], [3.0, 1.0], [4.0, 0.0]])
    labels = np.array([False, False, True, True])
    cut, above, accuracy = fit_thresholds(values, labels)
    assert cut.tolist() == [2.5, 1.5]
    assert above.tolist() == [True, False]
    assert accuracy.tolist() == [1.0, 1.0]


def test_a_unit_that_never_changes_tells_the_majority() -> None:
    fitted = fit_thresholds(np.zeros((3, 1)), np.array([True, True, False]))
    assert fitted.accuracy.tolist() == [pytest.approx(2 / 3)]
    assert fitted.accuracy_on(np.zeros((4, 1)), np.array([True, False, True, True])) == [0.75]


def test_a_cut_between_neighbouring_numbers_tells_them_apart() -> None:
    below = np.nextafter(np.float32(1), np.float32(2))
    values = np.array([[below], [np.nextafter(below, np.float32(2))]])
    labels = np.array([False, True])
    fitted = fit_thresholds(values, labels)
    assert fitted.accuracy.tolist() == fitted.accuracy_on(values, labels).tolist() == [1.0]


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=1, max_size=9))
def test_no_other_cut_is_better(pairs: list[tuple[int, bool]]) -> None:
    values = np.array([[float(value)] for value, _ in pairs])
    labels = np.array([label for _, label in pairs])
    fitted = fit_thresholds(values, labels)
    told = [(values[:, 0] > cut) == way for cut in np.arange(-4.5, 4) for way in (True, False)]
    best = max((each == labels).mean() for each in told)
    assert fitted.accuracy[0] == pytest.approx(best)
    assert fitted.accuracy_on(values, labels)[0] == pytest.approx(best)


def planted() -> Bundle:
    """The tiny model with a unit whose cell counts words: f = i = 1, and g = 1 where one begins."""
    bundle = tiny_bundle()
    weights = {name: array.copy() for name, array in bundle.weights.items()}
    pieces = bundle.tokenizers.source.pieces(range(len(bundle.tokenizers.source)))
    weights["encoder.embedding.weight"][:, 0] = [piece.startswith("▁") for piece in pieces]
    hidden = bundle.config.model.encoder_hidden_size
    for gate in range(4):  # in torch's order: input, forget, candidate, output
        row = gate * hidden + UNIT
        for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0"):
            weights[f"encoder.layers.0.fused.{name}"][row] = 0
        if gate == 2:
            weights["encoder.layers.0.fused.weight_ih_l0"][row, 0] = 10
        else:
            weights["encoder.layers.0.fused.bias_ih_l0"][row] = 10
    return replace(bundle, weights=weights)


def test_a_planted_unit_is_found_and_shown() -> None:
    lines = ["", *(f"{line}\n" for line in SOURCES), SOURCES[0], "Ja " * 200]
    found = probe(Explainer(planted()), lines, ProbeConfig(units=2))
    counts = {"read": 27, "blank": 1, "repeated": 1, "too long": 1, "left": 24}
    assert found.counts == counts
    words, subject, quotation, bracket = found.findings
    best = words.units[0]
    assert words.name.startswith("word number over ")
    assert (best.layer, best.number, best.above) == ("encoder 1, forward", UNIT, True)
    assert (best.fitted, best.accuracy) == (1.0, 1.0)
    assert 0.4 < words.majority < 0.8
    assert len(words.units) == 2
    for example in words.examples:
        assert example.cell == pytest.approx(word_number(example.pieces), abs=0.05)
    for finding in (subject, quotation, bracket):
        assert finding.units == ()  # too few sentences
        assert finding.sentences < 20


def test_accuracy_is_that_on_sentences_that_had_no_say() -> None:
    explainer = Explainer(tiny_bundle())
    words = probe(explainer, SOURCES, ProbeConfig(units=16)).findings[0]
    pieces = sum(map(len, explainer.tokenizers.source.encode(SOURCES)))
    assert words.sentences == len(SOURCES)
    assert 0.3 * pieces < words.places < 0.7 * pieces
    assert any(unit.fitted != unit.accuracy for unit in words.units)
    assert [unit.fitted for unit in words.units] == sorted(
        (unit.fitted for unit in words.units), reverse=True
    )


def test_the_majority_is_that_of_the_sentences_that_fit() -> None:
    words = sorted({word for line in SOURCES for word in line.split()})[:24]
    config, order = ProbeConfig(), list(range(24))
    random.Random(config.seed).shuffle(order)
    # As they are drawn, every second sentence fits, and all of those say yes, the others no.
    subjects = {place: ("Wir", "Ich")[number % 2] for number, place in enumerate(order)}
    lines = [f"{subjects[place]} {word}" for place, word in enumerate(words)]
    subject = probe(Explainer(tiny_bundle()), lines, config).findings[1]
    assert (subject.sentences, subject.majority) == (24, 0.0)


def test_what_is_rare_is_drawn_as_often_as_what_is_not() -> None:
    words = sorted({word for line in SOURCES for word in line.split()})
    many, few = [f"Ich {word}" for word in words[:60]], [f"Wir {word}" for word in words[:12]]
    for most in (ProbeConfig().sentences, 30):
        config = ProbeConfig(sentences=most)
        subject = probe(Explainer(tiny_bundle()), many + few, config).findings[1]
        assert (subject.name, subject.told, subject.sentences) == ("plural subject", 72, 24)
        assert subject.units


@pytest.mark.parametrize("first", ["Ich", "Wir"])
def test_what_is_the_same_in_all_sentences_is_not_probed(first: str) -> None:
    words = sorted({word for line in SOURCES for word in line.split()})[:60]
    lines = [f"{first} {word}" for word in words]
    subject = probe(Explainer(tiny_bundle()), lines, ProbeConfig()).findings[1]
    assert (subject.told, subject.sentences, subject.units) == (60, 0, ())
